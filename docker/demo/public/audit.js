/** The command that asks the audit of the signer about a token. The page itself cannot read the audit. */

import { at } from './dom.js';

const part = at('audit-section').querySelector('[data-shop="signer-shop"]');

/** @param {string} token that the signer has signed for this page */
export function showAuditCommand(token) {
  const find = '/sidecar-signer audit find /var/log/signer/audit.log';
  at('audit-command').textContent = `docker compose -f docker/compose.yaml exec signer ${find} ${token}`;
  for (const hint of part.querySelectorAll('.hint')) hint.hidden = true;
  for (const each of part.querySelectorAll('.command, .expected')) each.hidden = false;
}
