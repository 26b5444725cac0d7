/** What all parts of the page do with its elements. */

import { ShopError } from './shop-api.js';

/** @param {string} id */
export const at = (id) => document.getElementById(id);

/** @param {string} tag */
export const create = (tag, properties) => Object.assign(document.createElement(tag), properties);

/** @param {'good' | 'bad' | ''} tone */
export function say(output, text, tone) {
  output.textContent = text;
  output.className = `verdict ${tone}`;
}

/** Handles an event, one at a time, and shows a failure in the place of the result. */
export function on(id, event, output, act) {
  let busy = false;
  at(id).addEventListener(event, async (happened) => {
    happened.preventDefault();
    if (busy) return;
    busy = true;
    try {
      await act();
    } catch (error) {
      if (!(error instanceof ShopError)) throw error;
      say(output, `That did not work: ${error.message}.`, 'bad');
    } finally {
      busy = false;
    }
  });
}

/** Whether the page may move things to explain them. */
export const mayMove = () => !matchMedia('(prefers-reduced-motion: reduce)').matches;
