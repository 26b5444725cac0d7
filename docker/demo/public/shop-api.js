/** The API of the shop, which anyone can call. */

/** A request failed. The message is for the user. */
export class ShopError extends Error {}

const json = { 'content-type': 'application/json' };

export const about = () => ask('api/about');
export const keys = () => ask('api/keys');
export const order = (item) => post('api/orders', { item });
export const signIn = (user) => post('api/session', { user });

/** Sends a webhook to its receiver. */
export const sendWebhook = (body, headers) => present('webhooks', { method: 'POST', headers, body });

export const whoAmI = (token) =>
  present('api/session', { headers: { authorization: `Bearer ${token.trim()}` } });

/**
 * Reads a file through the bug: its content, or the error code of the system.
 * @param {string} path absolute, or relative to the folder of the shop
 * @returns {Promise<{ content: string } | { refused: string }>}
 */
export async function readFile(path) {
  // The shop appends the name to a folder, and enough ".." lead from there to the root.
  const name = path.startsWith('/') ? `../../../../../../../..${path}` : `../${path}`;
  const response = await reach(`invoices?name=${encodeURIComponent(name)}`);
  const text = await response.text();
  return response.ok ? { content: text } : { refused: text.split(':')[0] };
}

/** Sends something signed for verification. Text that a header cannot carry is not a signature, and is not sent. */
async function present(path, init) {
  const isSendable = Object.values(init.headers).every((value) => /^[ -~]*$/.test(value));
  return isSendable ? ask(path, init, [200, 401]) : { valid: false, reason: 'malformed' };
}

function post(path, body) {
  return ask(path, { method: 'POST', headers: json, body: JSON.stringify(body) });
}

async function ask(path, init, expected = [200]) {
  const response = await reach(path, init);
  const answer = await response.json();
  if (!expected.includes(response.status)) throw new ShopError(answer.error);
  return answer;
}

async function reach(path, init) {
  try {
    return await fetch(path, init);
  } catch {
    throw new ShopError('the shop cannot be reached');
  }
}
