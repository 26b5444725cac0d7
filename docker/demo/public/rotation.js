/** What a rotation changes: the ids of the keys, and whom a shop still lets in with a token of before. */

import { at, create } from './dom.js';
import { reasonOf } from './outcomes.js';
import { ShopError } from './shop-api.js';
import { forge } from './stolen-key.js';

/** What it means that a token is valid or not, by who has it. */
const consequences = {
  attacker: {
    isTheft: true,
    ifValid: () => ' The stolen key works.',
    ifNot: ' The stolen key is worthless now.',
  },
  customer: {
    isTheft: false,
    ifValid: (isPrimary) => (isPrimary ? '' : ' The earlier key still verifies it.'),
    ifNot: ' All customers are signed out.',
  },
};

const section = at('rotate-section');

/**
 * @param {{ id: string, shop: object }} view
 * @returns what to call when something may have changed
 */
export function rotationOf({ id, shop }) {
  const part = section.querySelector(`[data-shop="${id}"]`);
  const log = part.querySelector('.rotations');
  /** What the last attack got. */
  let loot = {};

  async function check() {
    const { key, token } = loot;
    if (token === undefined) return;
    await present('customer', token);
    if (key !== undefined) await present('attacker', await forge(token, 'admin', key));
  }

  async function present(who, token) {
    const { isTheft, ifValid, ifNot } = consequences[who];
    const output = part.querySelector(`.${who}`);
    try {
      const { valid, claims, reason, primary } = await shop.whoAmI(token);
      const isOld = reason === 'expired';
      const consequence = isOld ? ' Attack again, for a new one.' : ifNot;
      output.textContent = valid
        ? `200 You are ${claims.sub}.${ifValid(primary)}`
        : `401 Not let in: ${reasonOf(reason)}.${consequence}`;
      output.className = isOld ? who : `${who} ${valid === isTheft ? 'bad' : 'good'}`;
    } catch (error) {
      if (!(error instanceof ShopError)) throw error;
      output.textContent = `That did not work: ${error.message}.`;
      output.className = who;
    }
  }

  return {
    check,
    /** @param {import('./attack.js').Outcome} outcome */
    attacked: (outcome) => {
      loot = outcome;
      return check();
    },
    /** @param {import('./keys-in-use.js').Rotation[]} rotations */
    rotated: (rotations) => {
      log.replaceChildren(
        ...rotations.map(({ key, instead }) =>
          create('p', { textContent: `${key.name}: ${key.keyId} signs now, instead of ${instead.keyId}.` }),
        ),
      );
    },
  };
}
