/** The page: handles its buttons and shows the results. */

import { attack, look } from './attack.js';
import * as shop from './shop-api.js';

/** @param {string} id */
const at = (id) => document.getElementById(id);
const create = (tag, properties) => Object.assign(document.createElement(tag), properties);

/** @param {'good' | 'bad' | ''} tone */
function say(output, text, tone) {
  output.textContent = text;
  output.className = `verdict ${tone}`;
}

/** Handles an event, one at a time, and shows a failure in the place of the result. */
function on(id, event, output, act) {
  let busy = false;
  at(id).addEventListener(event, async (happened) => {
    happened.preventDefault();
    if (busy) return;
    busy = true;
    try {
      await act();
    } catch (error) {
      if (!(error instanceof shop.ShopError)) throw error;
      say(output, `That did not work: ${error.message}.`, 'bad');
    } finally {
      busy = false;
    }
  });
}

const reasons = {
  missing: 'there is no signature',
  malformed: 'this is not a signature',
  mismatch: 'the signature does not match',
  expired: 'the signature has expired',
  not_yet_valid: 'the signature is from the future',
  not_allowed: 'the policy does not allow it',
};

function sayVerdict(output, accepted, refused, { valid, keyId, primary, reason }) {
  const by = primary ? `signed by ${keyId}` : `signed by the earlier key ${keyId}`;
  say(
    output,
    valid ? `${accepted}: ${by}.` : `${refused}: ${reasons[reason] ?? reason}.`,
    valid ? 'good' : 'bad',
  );
}

// Orders

let headers = {};

on('order', 'submit', at('order-verdict'), async () => {
  const ordered = await shop.order(at('item').value);
  headers = ordered.headers;
  at('body').value = ordered.body;
  at('headers').replaceChildren(
    ...Object.entries(headers).flatMap(([name, value]) => [
      create('dt', { textContent: name }),
      create('dd', { textContent: value }),
    ]),
  );
  at('order-result').hidden = false;
  const sent = ordered.accepted ? 'Sent, and accepted' : 'Sent, and refused';
  say(at('order-verdict'), `${sent}: signed by ${ordered.keyId}.`, ordered.accepted ? 'good' : 'bad');
});
on('send-again', 'click', at('order-verdict'), async () => {
  const verdict = await shop.sendWebhook(at('body').value, headers);
  sayVerdict(at('order-verdict'), 'Accepted', 'Refused', verdict);
});

// Sessions

on('session', 'submit', at('session-verdict'), async () => {
  const { token, keyId } = await shop.signIn(at('user').value);
  at('token').value = token;
  at('session-result').hidden = false;
  say(at('session-verdict'), `Signed in: signed by ${keyId}.`, 'good');
});
on('who-am-i', 'click', at('session-verdict'), async () => {
  const verdict = await shop.whoAmI(at('token').value);
  sayVerdict(at('session-verdict'), `You are ${verdict.claims?.sub}`, 'Not let in', verdict);
});

// The attack

const outcomes = { ENOENT: 'not found', EACCES: 'not allowed', EPERM: 'not allowed', EISDIR: 'a folder' };

function outcome({ key, content, refused, tried }) {
  if (key !== undefined) return 'the key';
  if (content === undefined) return outcomes[refused] ?? 'not readable';
  return tried > 0 ? `no key (${tried} tested)` : 'no key';
}

function show({ path, key, content, refused }) {
  at('content-label').textContent = path;
  at('content').value = content ?? `${refused}: ${outcomes[refused] ?? 'cannot be read'}`;
  at('content').classList.toggle('stolen', key !== undefined);
  at('content-result').hidden = false;
  for (const button of at('places').querySelectorAll('button')) {
    button.setAttribute('aria-pressed', `${button.dataset.path === path}`);
  }
}

on('attack', 'click', at('attack-verdict'), async () => {
  say(at('attack-verdict'), 'Reading…', '');
  say(at('read-verdict'), '', '');
  const { found, forged } = await attack();
  at('places').replaceChildren(
    ...found.map((each) => {
      const button = create('button', { type: 'button' });
      button.dataset.path = each.path;
      const result = create('span', { textContent: outcome(each) });
      button.classList.toggle('stolen', each.key !== undefined);
      button.append(create('code', { textContent: each.path }), result);
      button.addEventListener('click', () => {
        show(each);
        say(at('read-verdict'), '', '');
        // On a phone, the content is below the list.
        at('content-result').scrollIntoView({ block: 'nearest' });
      });
      const item = document.createElement('li');
      item.append(button);
      return item;
    }),
  );
  at('places').hidden = false;
  at('compare').hidden = at('shops').hidden;
  const stolen = found.find(({ key }) => key !== undefined);
  const read = found.filter(({ content }) => content !== undefined);
  show(stolen ?? read.find(({ path }) => path === 'shop.ts') ?? found[0]);
  if (stolen === undefined) {
    say(
      at('attack-verdict'),
      `Looked at ${found.length} places and read ${read.length}: no key in any of them.`,
      'good',
    );
  } else if (forged?.accepted) {
    say(
      at('attack-verdict'),
      `The key is stolen. This page has just created a token for “${forged.user}” with it, and the shop accepts it.`,
      'bad',
    );
  } else say(at('attack-verdict'), 'The key is stolen. Everything that it signs can be forged.', 'bad');
});

on('read', 'submit', at('read-verdict'), async () => {
  const found = await look(at('path').value.trim());
  show(found);
  if (found.key !== undefined) say(at('read-verdict'), 'This is the key.', 'bad');
  else if (found.content !== undefined) say(at('read-verdict'), 'There is no key in this file.', 'good');
  else say(at('read-verdict'), `This cannot be read: ${outcomes[found.refused] ?? found.refused}.`, 'good');
});

// The keys in use

/** The keys that the page shows, by the name of their key set. */
let shown = new Map();

const timeOf = (since) => new Date(since).toLocaleTimeString();

/**
 * @typedef {{ name: string, format: string, keyId: string, earlierKeyIds: string[], since: string }} KeyInUse
 * @param {KeyInUse} key
 * @param {boolean} changed
 */
function keyItem({ name, format, keyId, earlierKeyIds, since }, changed) {
  const item = create('li', { className: changed ? 'fresh' : '' });
  // Each key has its own colour, so that a change is easy to see.
  item.style.setProperty('--hue', `${Number.parseInt(keyId.slice(0, 4), 16) % 360}`);
  const hints = [format, `signs since ${timeOf(since)}`];
  if (earlierKeyIds.length > 0)
    hints.push(`earlier keys, valid until the signer restarts: ${earlierKeyIds.join(', ')}`);
  item.append(
    create('span', { textContent: name, className: 'name' }),
    create('code', { textContent: keyId, className: 'key-id' }),
    ...hints.map((textContent) => create('span', { textContent, className: 'hint' })),
  );
  return item;
}

/** Changes the page only if the keys have changed. @param {KeyInUse[]} keys */
function showKeys(keys) {
  const next = new Map(keys.map((key) => [key.name, key]));
  if (JSON.stringify([...next]) === JSON.stringify([...shown])) return;
  const before = (name) => shown.get(name)?.keyId;
  const changed = keys.filter(({ name, keyId }) => ![undefined, keyId].includes(before(name)));
  at('keys').replaceChildren(...keys.map((key) => keyItem(key, changed.includes(key))));
  for (const { name, keyId, since } of changed) {
    const text = `${timeOf(since)} ${name}: ${keyId} signs now, instead of ${before(name)}`;
    at('rotations').prepend(create('p', { textContent: text }));
  }
  shown = next;
}

/** Polls each second. Sets the status only when it changes, because a screen reader reads it out each time. */
async function follow() {
  const output = at('keys-problem');
  try {
    if (!document.hidden) showKeys(await shop.keys());
    at('keys').hidden = false;
    if (output.textContent !== '') say(output, '', '');
  } catch (error) {
    if (!(error instanceof shop.ShopError)) throw error;
    at('keys').hidden = true;
    const text = `No signatures now: ${error.message}.`;
    if (output.textContent !== text) say(output, text, 'bad');
  } finally {
    setTimeout(follow, 1000);
  }
}

// Where the other shop is

const { shopPort, exposedShopPort, rotateCommand } = await shop.about();
const here = document.documentElement.dataset.keysIn === 'signer' ? 'shop-with-signer' : 'shop-with-key';
if (here === 'shop-with-key') document.title = `The exposed ${document.title.replace('The ', '')}`;
if (shopPort !== undefined && exposedShopPort !== undefined) {
  const ports = { 'shop-with-signer': shopPort, 'shop-with-key': exposedShopPort };
  for (const link of document.querySelectorAll('a[data-shop]')) {
    link.href = `//${location.hostname}:${ports[link.dataset.shop]}/`;
  }
  document.querySelector(`nav [data-shop="${here}"]`).setAttribute('aria-current', 'page');
  at('shops').hidden = false;
}
if (rotateCommand !== undefined) {
  at('rotate-command').textContent = rotateCommand;
  at('rotate-section').hidden = false;
  at('copy').addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(rotateCommand);
      say(at('copy-verdict'), 'Copied.', 'good');
    } catch {
      // The user does not allow it, or the page is neither on HTTPS nor on localhost and has no clipboard.
      say(at('copy-verdict'), 'The browser does not let this page copy. Select the command instead.', 'bad');
    }
  });
}
await follow();
