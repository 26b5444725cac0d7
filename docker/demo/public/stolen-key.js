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

/**
 * A token like another one, for another user.
 * @param {string} [key] with it, the token is valid for ten minutes from now. Without it, the token keeps the signature of
 *   the old one.
 */
export async function forge(token, user, key) {
  const [header, , oldTag] = token.split('.');
  const now = Math.floor(Date.now() / 1000);
  const times = key === undefined ? {} : { iat: now, exp: now + 600 };
  const claims = { ...decode(token).claims, sub: user, ...times };
  const text = `${header}.${base64url(utf8.encode(JSON.stringify(claims)))}`;
  return `${text}.${key === undefined ? oldTag : await tagOf(key, text)}`;
}

/** What a token says. */
export function decode(token) {
  const [header, claims] = token
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(new TextDecoder().decode(fromBase64url(part))));
  return { header, claims };
}

async function tagOf(key, text) {
  const hmac = { name: 'HMAC', hash: 'SHA-256' };
  const imported = await crypto.subtle.importKey('raw', fromHex(key), hmac, false, ['sign']);
  return base64url(new Uint8Array(await crypto.subtle.sign('HMAC', imported, utf8.encode(text))));
}

function fromHex(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function fromBase64url(text) {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (each) => each.charCodeAt(0));
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
