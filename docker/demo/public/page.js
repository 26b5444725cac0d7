/** The page of the demo: calls the shop's API, and shows what came of it. */

/** @param {string} id */
const at = (id) => document.getElementById(id);

/** Where somebody who reads files would look for a key. */
const targets = {
  "the key's place": '/etc/signer/keys/orders-webhook',
  'the session keys': '/etc/signer/keys/session.jwks.json',
  'its own source': 'shop.ts',
  'its environment': '/proc/self/environ',
  'its memory map': '/proc/self/maps',
  'its mounts': '/proc/self/mountinfo',
  'the first process': '/proc/1/environ',
  'open connections': '/proc/net/tcp',
  users: '/etc/passwd',
};

async function call(path, body) {
  const init = body && {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
  const response = await fetch(path, init);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function say(output, text, good) {
  output.textContent = text;
  output.className = good ? 'good' : 'bad';
}

function sayVerdict(output, { valid, keyId, primary, reason }) {
  const which = primary ? 'the primary key' : 'an earlier key';
  say(output, valid ? `valid, by ${which} ${keyId}` : `not valid: ${reason}`, valid);
}

/** Runs what a form or a button is for, and shows a failure where its answer would be. */
function on(id, event, output, act) {
  at(id).addEventListener(event, async (happened) => {
    happened.preventDefault();
    try {
      await act();
    } catch (error) {
      say(output, error.message, false);
    }
  });
}

let headers = {};

on('order', 'submit', at('order-verdict'), async () => {
  const order = await call('/api/orders', { item: at('item').value });
  headers = order.headers;
  at('body').value = order.body;
  at('headers').replaceChildren(
    ...Object.entries(headers).flatMap(([name, value]) => [
      Object.assign(document.createElement('dt'), { textContent: name }),
      Object.assign(document.createElement('dd'), { textContent: value }),
    ]),
  );
  at('order-result').hidden = false;
  say(at('order-verdict'), `signed by ${order.keyId}`, true);
});
on('verify-order', 'click', at('order-verdict'), async () => {
  sayVerdict(at('order-verdict'), await call('/api/orders/verify', { body: at('body').value, headers }));
});

on('session', 'submit', at('session-verdict'), async () => {
  const { token, keyId } = await call('/api/session', { user: at('user').value });
  at('token').value = token;
  at('session-result').hidden = false;
  say(at('session-verdict'), `signed by ${keyId}`, true);
});
on('verify-session', 'click', at('session-verdict'), async () => {
  sayVerdict(at('session-verdict'), await call('/api/session/verify', { token: at('token').value.trim() }));
});

/** What a key of the demo looks like in its file. */
const looksLikeKey = /whsec_[A-Za-z0-9+/=]{20,}|"k":\s*"[\w-]{20,}"/;

on('attack', 'submit', at('attack-verdict'), async () => {
  const path = at('path').value;
  // The hole puts the name behind its folder; enough steps up lead to the root.
  const name = path.startsWith('/') ? `../../../../../../..${path}` : `../${path}`;
  const response = await fetch(`/invoices?name=${encodeURIComponent(name)}`);
  const loot = await response.text();
  at('loot').value = loot || '(empty)';
  at('loot-result').hidden = false;
  if (looksLikeKey.test(loot))
    say(at('attack-verdict'), 'The key is out. Everything it ever signed can be forged.', false);
  else if (response.ok) say(at('attack-verdict'), 'The file was read, and there is no key in it.', true);
  else say(at('attack-verdict'), 'There is nothing to read here.', true);
});
for (const [name, path] of Object.entries(targets)) {
  const button = Object.assign(document.createElement('button'), {
    type: 'button',
    textContent: name,
    title: path,
  });
  button.addEventListener('click', () => {
    at('path').value = path;
    at('attack').requestSubmit();
  });
  at('targets').append(button);
}

for (const button of document.querySelectorAll('[data-copy]')) {
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = 'Copied';
  });
}

const shown = new Map();

async function showKeys() {
  const keys = await call('/api/keys');
  // A live region that is drawn anew without a change would be read out each time.
  if (keys.length === shown.size && keys.every(({ name, primary }) => shown.get(name) === primary)) return;
  at('keys').replaceChildren(
    ...keys.map(({ name, primary, since }) => {
      const item = document.createElement('li');
      const label = Object.assign(document.createElement('span'), { textContent: name });
      const id = Object.assign(document.createElement('strong'), { textContent: primary });
      const when = new Date(since).toLocaleTimeString();
      const time = Object.assign(document.createElement('span'), { textContent: `signs since ${when}` });
      item.classList.toggle('fresh', shown.has(name) && shown.get(name) !== primary);
      item.append(label, id, time);
      return item;
    }),
  );
  shown.clear();
  for (const { name, primary } of keys) shown.set(name, primary);
}

/** Looks again each second. */
async function follow() {
  try {
    await showKeys();
  } catch {
    // The signer may be restarting; the next look tells.
  }
  setTimeout(follow, 1000);
}

const { holdsKey } = await call('/api/shop');
at(holdsKey ? 'with-key' : 'with-signer').setAttribute('aria-current', 'page');
for (const [id, port] of [
  ['with-signer', 8080],
  ['with-key', 8081],
]) {
  at(id).href = `//${location.hostname}:${port}`;
}
if (holdsKey) {
  document.title = at('title').textContent = 'The same shop, with its own key';
  at('intro').textContent =
    'It signs the same webhooks and tokens, with the key mounted where the shop can read it. The hole is the same, too.';
  at('rotate-hint').hidden = true;
}
await follow();
