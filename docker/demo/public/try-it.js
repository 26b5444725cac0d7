/** The shops for people to use: order, sign in, and read files. */

import { look, places } from './attack.js';
import { at, create, on, say } from './dom.js';
import { reasonOf, refusalOf } from './outcomes.js';

/** More than this makes a text field slow. */
const maxShown = 16_384;

function sayVerdict(output, accepted, refused, { valid, keyId, primary, reason }) {
  const by = primary ? `signed by ${keyId}` : `signed by the earlier key ${keyId}`;
  say(output, valid ? `${accepted}: ${by}.` : `${refused}: ${reasonOf(reason)}.`, valid ? 'good' : 'bad');
}

/** @param {() => object} shop the shop that is chosen */
export function tryIt(shop) {
  let headers = {};
  on('order', 'submit', at('order-verdict'), async () => {
    const ordered = await shop().order(at('item').value);
    headers = ordered.headers;
    at('body').value = ordered.body;
    at('headers').replaceChildren(
      ...Object.entries(headers).flatMap(([name, value]) => [
        create('dt', { textContent: name }),
        create('dd', { textContent: value }),
      ]),
    );
    at('order-result').hidden = false;
    const sent = ordered.accepted ? 'Sent, and accepted' : 'Sent, and refused';
    say(at('order-verdict'), `${sent}: signed by ${ordered.keyId}.`, ordered.accepted ? 'good' : 'bad');
  });
  on('send-again', 'click', at('order-verdict'), async () => {
    const verdict = await shop().sendWebhook(at('body').value, headers);
    sayVerdict(at('order-verdict'), 'Accepted', 'Refused', verdict);
  });

  on('session', 'submit', at('session-verdict'), async () => {
    const { token, keyId } = await shop().signIn(at('user').value);
    at('token').value = token;
    at('session-result').hidden = false;
    say(at('session-verdict'), `Signed in: signed by ${keyId}.`, 'good');
  });
  on('who-am-i', 'click', at('session-verdict'), async () => {
    const verdict = await shop().whoAmI(at('token').value);
    sayVerdict(at('session-verdict'), `You are ${verdict.claims?.sub}`, 'Not let in', verdict);
  });

  at('places').replaceChildren(...places.map((value) => create('option', { value })));
  on('read', 'submit', at('read-verdict'), async () => {
    const { path, key, content, refused, isCut } = await look(shop(), at('path').value.trim());
    const isShownInPart = isCut || content?.length > maxShown;
    at('content-label').textContent = isShownInPart ? `The beginning of ${path}` : path;
    // The parts of a file in /proc end with NUL.
    at('content').value =
      content?.slice(0, maxShown).replaceAll(/\0+/g, '\n') ?? `${refused}: ${refusalOf(refused)}`;
    at('content').classList.toggle('stolen', key !== undefined);
    at('content-result').hidden = false;
    const whole = isCut ? 'the first megabyte of this file' : 'this file';
    if (key !== undefined) say(at('read-verdict'), 'This is the key.', 'bad');
    else if (content !== undefined) say(at('read-verdict'), `There is no key in ${whole}.`, 'good');
    else say(at('read-verdict'), `This cannot be read: ${refusalOf(refused)}.`, 'good');
  });
}
