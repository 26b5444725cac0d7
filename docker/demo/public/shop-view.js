/** One of the two shops on the page: the search in it, and what came of it. */

import { attack, places } from './attack.js';
import { at, create, mayMove } from './dom.js';
import { outcomeOf, reasonOf } from './outcomes.js';
import { ShopError, shopAt } from './shop-api.js';
import { decode } from './stolen-key.js';

/** So long does the page wait at each place, so that people can watch. */
const watchMs = 130;

/** @param {string} id of the shop's article */
export function shopView(id) {
  const article = at(id);
  const { hostname, protocol } = location;
  const address = `${hostname}:${article.dataset.port}`;
  const isHere = document.documentElement.dataset.here === id;
  const shop = shopAt(isHere ? '' : `${protocol}//${address}`);
  const name = article.querySelector('h3').textContent;

  article.append(at('attack-view').content.cloneNode(true));
  const one = (selector) => article.querySelector(selector);
  one('.address').textContent = isHere ? location.host : address;
  // The list is longer than its room, so the keyboard must reach it.
  Object.assign(one('.search'), { tabIndex: 0, role: 'group', ariaLabel: `Places to search: ${name}` });
  const list = one('.search ol');
  let rows = new Map();

  /** @param {'searching' | 'found' | 'safe' | 'stolen' | 'failed'} state */
  function tell(state, text, detail) {
    article.dataset.state = state;
    one('.outcome strong').textContent = text;
    one('.outcome .detail').textContent = detail;
  }

  function listPlaces() {
    rows = new Map(places.map((path) => [path, create('li')]));
    for (const [path, row] of rows) row.append(create('code', { textContent: path }), create('span'));
    list.replaceChildren(...rows.values());
  }

  /** @param {number} share of the list that is above the row, from 0 to 1 */
  function showInList(row, share) {
    const rowsAbove = Math.floor((one('.search').clientHeight / row.offsetHeight - 1) * share);
    one('.search').scrollTop = row.offsetTop - rowsAbove * row.offsetHeight;
  }

  function takeKey(key) {
    const stolen = one('.stolen-key');
    if (!stolen.hidden) return;
    stolen.querySelector('code').textContent = key;
    stolen.hidden = false;
    one('.loot').hidden = false;
    if (mayMove()) drop(one('.keys li:last-child svg') ?? one('.box.open'), stolen.querySelector('svg'));
  }

  function showForged({ key, forged }) {
    const { header, claims } = decode(forged.token);
    const { sub, ...others } = claims;
    const isOwn = key === undefined;
    one('.forged h4').textContent = isOwn
      ? 'Without a key: “admin” written into a token of my own'
      : 'A new token for “admin”, signed with it';
    one('.header').textContent = spaced(header);
    one('.claims').replaceChildren(
      create('strong', { textContent: spaced({ sub }).replace(' }', ',') }),
      spaced(others).slice(1),
    );
    one('.signature code').textContent = forged.token.split('.')[2];
    one('.signature span').textContent = isOwn ? 'unchanged' : 'by the stolen key';
    const { valid, reason } = forged.verdict;
    one('.answer b').textContent = valid ? '200' : '401';
    one('.answer span').textContent = valid
      ? `You are ${forged.verdict.claims.sub}.`
      : `Not let in: ${reasonOf(reason)}.`;
    for (const part of ['.loot', '.forged']) one(part).hidden = false;
  }

  /** Attacks the shop, and shows how it goes. Resolves with one sentence, for those who cannot see it. */
  async function run() {
    for (const part of ['.loot', '.stolen-key', '.forged']) one(part).hidden = true;
    listPlaces();
    tell('searching', 'Searching…', 'signs in as a customer');
    let isFound = false;
    const outcome = await attack(shop, {
      reading: async (path) => {
        const row = rows.get(path);
        row.className = 'reading';
        row.querySelector('span').textContent = 'reading';
        showInList(row, 0.7);
        const progress = `${places.indexOf(path) + 1} of ${places.length}`;
        if (isFound) tell('found', 'Key found', progress);
        else tell('searching', 'Searching…', progress);
        if (mayMove()) await new Promise((resolve) => setTimeout(resolve, watchMs));
      },
      read: (found) => {
        const row = rows.get(found.path);
        row.className = found.key === undefined ? 'nothing' : 'key';
        row.querySelector('span').textContent = outcomeOf(found);
        if (found.key === undefined) return;
        isFound = true;
        takeKey(found.key);
      },
    });
    const { found, key, forged } = outcome;
    const stolen = found.find((each) => each.key !== undefined);
    if (forged !== undefined) showForged(outcome);
    if (stolen === undefined) {
      const read = found.filter(({ content }) => content !== undefined).length;
      tell('safe', 'Nothing to steal', `${found.length} places searched, ${read} files read, no key`);
    } else {
      tell('stolen', 'Key stolen', `from ${stolen.path}`);
    }
    showInList(rows.get(stolen?.path ?? '/etc/signer/keys/session'), 0.4);
    return { ...outcome, isLetIn: key !== undefined && forged?.verdict.valid === true };
  }

  listPlaces();
  return {
    id,
    name,
    shop,
    article,
    run: async () => {
      try {
        return await run();
      } catch (error) {
        if (!(error instanceof ShopError)) throw error;
        tell('failed', 'That did not work', error.message);
        for (const row of rows.values()) if (row.className === 'reading') row.className = '';
        return undefined;
      }
    },
  };
}

/** JSON in one line that can be broken between its members. */
const spaced = (value) => JSON.stringify(value, null, 1).replaceAll(/\n */g, ' ');

/** Lets something fall from one place to another. */
function drop(from, to) {
  const start = from.getBoundingClientRect();
  const end = to.getBoundingClientRect();
  const [x, y] = [start.left - end.left, start.top - end.top];
  to.animate(
    [
      { transform: `translate(${x}px, ${y}px)` },
      {
        transform: `translate(${x}px, ${y - 18}px) rotate(-25deg) scale(1.5)`,
        offset: 0.3,
        easing: 'ease-in',
      },
      { transform: 'translate(0, 0) rotate(12deg)', offset: 0.85 },
      { transform: 'none' },
    ],
    { duration: 900, easing: 'ease-out' },
  );
}
