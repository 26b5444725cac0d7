/** The keys that a shop uses, by their ids. The page asks for them each second. */

import { create } from './dom.js';
import { ShopError } from './shop-api.js';

/**
 * @typedef {{ name: string, format: string, keyId: string, earlierKeyIds: string[], since: string }} KeyInUse
 * @typedef {{ key: KeyInUse, instead: KeyInUse }} Rotation
 *
 * @param {{ shop: object, article: HTMLElement }} view
 * @param {(rotations: Rotation[]) => Promise<void>} onRotation
 */
export async function followKeys({ shop, article }, onRotation) {
  const list = article.querySelector('.keys');
  const problem = article.querySelector('.keys-problem');
  /** The keys that the page shows, by the name of their key set. */
  let shown = new Map();

  function show(keys) {
    const next = new Map(keys.map((key) => [key.name, key]));
    // Do not replace the elements of what has not changed: a screen reader may be at them.
    if (JSON.stringify([...next]) === JSON.stringify([...shown])) return [];
    const rotations = keys
      .map((key) => ({ key, instead: shown.get(key.name) }))
      .filter(({ key, instead }) => instead !== undefined && instead.keyId !== key.keyId);
    list.replaceChildren(
      ...keys.map((key) =>
        keyItem(
          key,
          rotations.some((each) => each.key === key),
        ),
      ),
    );
    shown = next;
    return rotations;
  }

  async function update() {
    try {
      const rotations = show(await shop.keys());
      list.hidden = false;
      if (problem.textContent !== '') problem.textContent = '';
      if (rotations.length > 0) await onRotation(rotations);
    } catch (error) {
      if (!(error instanceof ShopError)) throw error;
      list.hidden = true;
      const text = `No signatures now: ${error.message}.`;
      // Set only what changes, because a screen reader reads it out each time.
      if (problem.textContent !== text) problem.textContent = text;
    }
  }

  for (;;) {
    if (!document.hidden) await update();
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/** @param {KeyInUse} key */
function keyItem({ name, keyId }, isFresh) {
  const item = create('li', { className: isFresh ? 'fresh' : '' });
  const icon = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  icon.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(icon.namespaceURI, 'use');
  use.setAttribute('href', '#key');
  icon.append(use);
  item.append(
    icon,
    create('span', { className: 'name', textContent: name }),
    create('code', { className: 'key-id', textContent: keyId }),
  );
  return item;
}
