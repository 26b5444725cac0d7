/** The format `github`: `X-Hub-Signature-256` over the body. */

import { bodyFormat } from './body-only.ts';

export const github = bodyFormat('github', {
  header: 'X-Hub-Signature-256',
  label: 'sha256=',
  output: 'hex',
});
