/** The words of the page for what came of a request. */

const refusals = { ENOENT: 'not found', EACCES: 'not allowed', EPERM: 'not allowed', EISDIR: 'a folder' };

export const refusalOf = (code) => refusals[code] ?? 'not readable';

/** @param {import('./attack.js').Found} found */
export function outcomeOf({ key, content, refused, tried }) {
  if (key !== undefined) return 'the key';
  if (content === undefined) return refusalOf(refused);
  return tried > 0 ? `no key (${tried} tested)` : 'no key';
}

const reasons = {
  missing: 'there is no signature',
  malformed: 'this is not a signature',
  mismatch: 'the signature does not match',
  expired: 'the signature has expired',
  not_yet_valid: 'the signature is from the future',
  not_allowed: 'the policy does not allow it',
};

export const reasonOf = (reason) => reasons[reason] ?? reason;
