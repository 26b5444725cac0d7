/** What an attacker does with a key: tests whether it is the right one, and signs with it. */

/** Whether the page may use Web Crypto, which browsers allow only on localhost and over HTTPS. */
export const canCompute = crypto.subtle !== undefined;

const utf8 = new TextEncoder();

/** All parts of a file that could be a key in hex. */
export function candidates(content) {
  return [...new Set(content.match(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g) ?? [])];
}

/**
 * The signed text and its tag, to test keys with.
 * @returns {{ text: string, tag: string }} the tag in base64url
 */
export function signedOrder({ body, headers }) {
  const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signature } = headers;
  if (signature === undefined)
    return { text: body, tag: base64url(fromHex(headers['shop-signature'] ?? '')) };
  const tag = signature.replace('v1,', '').replaceAll('+', '-').replaceAll('/', '_').replace('=', '');
  return { text: `${id}.${time}.${body}`, tag };
}

export function signedToken({ token }) {
  const [header, payload, tag] = token.split('.');
  return { text: `${header}.${payload}`, tag };
}

/** Whether this key has signed the text. */
export async function signs(key, { text, tag }) {
  return (await tagOf(key, text)) === tag;
}

/** The same token for another user. */
export async function forge(key, token, user) {
  const [header, payload] = token.split('.');
  const claims = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
  const text = `${header}.${base64url(utf8.encode(JSON.stringify({ ...claims, sub: user })))}`;
  return `${text}.${await tagOf(key, text)}`;
}

async function tagOf(key, text) {
  const hmac = { name: 'HMAC', hash: 'SHA-256' };
  const imported = await crypto.subtle.importKey('raw', fromHex(key), hmac, false, ['sign']);
  return base64url(new Uint8Array(await crypto.subtle.sign('HMAC', imported, utf8.encode(text))));
}

function fromHex(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
