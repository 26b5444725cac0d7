/** The page: starts its parts, and passes on what happens in one to the others. */

import { showAuditCommand } from './audit.js';
import { at, on, say } from './dom.js';
import { followKeys } from './keys-in-use.js';
import { rotationOf } from './rotation.js';
import { shopView } from './shop-view.js';
import { tryIt } from './try-it.js';

const shops = ['signer-shop', 'exposed-shop'].map((id) => {
  const view = shopView(id);
  return { view, rotation: rotationOf(view) };
});
const here = shops.find(({ view }) => view.id === document.documentElement.dataset.here).view;

// The bug, as it is meant to be used

on('invoice', 'click', at('invoice-verdict'), async () => {
  const name = '2026-0001.txt';
  const { text } = await here.shop.invoice(name);
  at('invoice-request').textContent = `GET /invoices?name=${name}`;
  at('invoice-paper').textContent = text;
  at('invoice-result').hidden = false;
  say(at('invoice-verdict'), '', '');
});

// The attack

on('attack', 'click', at('story'), async () => {
  at('attack').setAttribute('aria-disabled', 'true');
  at('story').textContent = 'Both shops are being searched.';
  // On a small screen, the open invoice would push the shops out of sight.
  at('invoice-result').hidden = true;
  try {
    const told = await Promise.all(shops.map(attackOne));
    at('story').textContent = told.join(' ');
  } finally {
    at('attack').removeAttribute('aria-disabled');
  }
});

/** Resolves with a sentence for those who cannot see it. */
async function attackOne({ view, rotation }) {
  const outcome = await view.run();
  const { name } = view;
  if (outcome === undefined) return `${name}: the attack did not work.`;
  await rotation.attacked(outcome);
  if (view.id === 'signer-shop' && outcome.token !== undefined) showAuditCommand(outcome.token);
  if (outcome.isLetIn) return `${name}: the key is stolen, and the shop lets the attacker in as admin.`;
  return outcome.found.some(({ key }) => key !== undefined)
    ? `${name}: the key is stolen.`
    : `${name}: there is no key in ${outcome.found.length} places.`;
}

// The commands

for (const button of document.querySelectorAll('[data-copy]')) {
  button.addEventListener('click', async () => {
    const text = at(button.dataset.copy).textContent;
    try {
      await navigator.clipboard.writeText(text);
      at('copied').textContent = 'Copied.';
      button.textContent = 'Copied';
    } catch {
      // The user does not allow it, or the page is neither on HTTPS nor on localhost and has no clipboard.
      getSelection().selectAllChildren(at(button.dataset.copy));
      at('copied').textContent = 'The browser does not let this page copy. The command is selected instead.';
    }
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 2000);
  });
}

tryIt(() => {
  const { value } = document.querySelector('input[name="shop"]:checked');
  return shops.find(({ view }) => view.id === value).view.shop;
});

await Promise.all(
  shops.map(({ view, rotation }) =>
    followKeys(view, async (rotations) => {
      rotation.rotated(rotations);
      for (const each of shops) await each.rotation.check();
    }),
  ),
);
