/** Signs and verifies messages by a compiled scheme. */

import { malformedField, SignerError } from '../../api/errors.ts';
import type { Invalid, WebhookProof, WebhookSignature, WebhookVerification } from '../../api/messages.ts';
import { decodeExactly, encode } from '../../bytes/encoding.ts';
import type { About, MessageSink, SigningContext } from '../../signing/format.ts';
import { equalTags, tagBytes } from '../../signing/mac.ts';
import { invalid, verifyTag } from '../../signing/verify-tag.ts';
import { framesOf, startHashing } from './hashing.ts';
import { readHeaders } from './read-headers.ts';
import { newIdPattern, newIdRule, requestValues, type Told, type Values } from './request.ts';
import type { Scheme } from './scheme.ts';
import { bodyTime, checkTime, type Time } from './time.ts';
import { notations } from './timestamp.ts';
import { type KeySignature, writeHeaders } from './write-headers.ts';

/** @throws {SignerError} `malformed_request`; as it is fed also `message_too_large`, `unprocessable` */
export function startSigning(
  scheme: Scheme,
  context: SigningContext,
  told: Told,
): MessageSink<WebhookSignature> {
  const [primary, ...others] = context.keys;
  const values = requestValues(scheme, told);
  if (values === 'missing') {
    throw malformedField(
      'headers',
      `must hold each header that is signed: ${scheme.signedHeaders.join(', ')}`,
    );
  }
  if (scheme.sends.size > 0) addNewValues(values, scheme, context, told.id);
  const [frame] = framesOf(scheme, values);
  const rest = scheme.signsWithAll ? others.slice(0, scheme.maxSignatures - 1) : [];
  if (scheme.ownKeyId && ![primary, ...rest].every(({ id }) => scheme.ownKeyId?.test(id))) {
    throw new SignerError(
      'unprocessable',
      'the id of a key that signs ("kid") must not hold the characters that end it in this scheme',
    );
  }
  const hashing = startHashing(
    scheme,
    [primary, ...rest].map(({ mac }) => ({ mac, frame })),
  );
  return {
    update: hashing.update,
    finish: () => {
      const tags = hashing.tags();
      const ownTime =
        scheme.time?.pointer === undefined
          ? undefined
          : checkedTime(scheme.time, hashing.body(), context.now);
      const signature = ({ id }: { readonly id: string }, at: number): KeySignature => {
        const tag = tags[at];
        if (tag === undefined) throw malformedField('url', 'has the "bodySHA256" of another body');
        return { keyId: id, signature: encode(tag, scheme.output) };
      };
      const signatures = [signature(primary, 0), ...rest.map((key, at) => signature(key, at + 1))] as const;
      if (context.notes) {
        context.notes.signature = signatures[0].signature;
        context.notes.about = aboutOf(values, ownTime);
      }
      return { headers: writeHeaders(scheme, values, signatures), keyId: primary.id };
    },
  };
}

/** @throws {SignerError} `malformed_request`; as it is fed also `message_too_large` */
export function startVerification(
  scheme: Scheme,
  context: SigningContext,
  told: Told,
): MessageSink<WebhookVerification> {
  const fromRequest = requestValues(scheme, told);
  const received = readHeaders(scheme, told.header);
  if (typeof received === 'string') return refusing(invalid(received));
  if ('valid' in received) return refusing(received);
  if (fromRequest === 'missing') return refusing(invalid('missing'));
  const written = received.signatures.slice(0, scheme.maxSignatures).flatMap((signature) => {
    const tag = decodeExactly(signature, scheme.output);
    return tag?.length === tagBytes(scheme.algorithm) ? [{ signature, tag }] : [];
  });
  const tags = written.map(({ tag }) => tag);
  if (tags.length === 0) return refusing(invalid('malformed'));
  const frames = framesOf(scheme, Object.assign(fromRequest, received.values));
  const keys = context.keys.flatMap(({ id, mac }) => frames.map((frame) => ({ id, mac, frame })));
  const hashing = startHashing(scheme, keys);
  return {
    update: hashing.update,
    finish: () => {
      const expected = hashing.tags();
      const answer = verifyTag(keys, tags, (key) => expected[keys.indexOf(key)] ?? none);
      if (!answer.valid) return answer;
      const { time } = scheme;
      const timestamp =
        time?.pointer === undefined ? received.values['timestamp'] : bodyTime(time, hashing.body());
      if (time !== undefined) {
        const failure = timestamp === undefined ? 'malformed' : checkTime(time, timestamp, context.now);
        if (failure !== undefined) return invalid(failure);
      }
      // With several frames, the primary stands there several times.
      const primary = answer.keyId === context.keys[0].id;
      if (context.notes) {
        // Anybody can put other signatures before the one that is valid.
        const made = written.find(({ tag }) => expected.some((each) => each && equalTags(each, tag)));
        if (made !== undefined) context.notes.signature = made.signature;
        context.notes.about = aboutOf(received.values, timestamp);
      }
      return { ...answer, primary, ...proofOf(received.values, timestamp) };
    },
  };
}

const none = Buffer.alloc(0);

/** The answer does not depend on the body. */
function refusing(answer: Invalid): MessageSink<WebhookVerification> {
  return { update: () => undefined, finish: () => answer };
}

function proofOf({ id, nonce }: Values, timestamp: string | undefined): WebhookProof {
  return {
    ...(id !== undefined && { id }),
    ...(timestamp !== undefined && { timestamp }),
    ...(nonce !== undefined && { nonce }),
  };
}

/** What the audit may tell of a message: which one it is, and its time as it is written. */
function aboutOf({ id, timestamp }: Values, time: string | undefined = timestamp): About {
  return { id, time };
}

/** A character that may stand where others must not. */
function fillerFor(ends: string): string {
  return [...'0123456789'].find((digit) => !ends.includes(digit)) ?? '';
}

/** Adds the values that the headers of a new message carry. */
function addNewValues(
  values: Values,
  { sends, notation, ownId }: Scheme,
  { now, random }: SigningContext,
  id: string | undefined,
): void {
  if (sends.has('timestamp')) values['timestamp'] = notations[notation.timestamp].write(now);
  if (sends.has('nonce')) values['nonce'] = uniqueText('', random, notation.ends.nonce);
  if (sends.has('id')) {
    if (id !== undefined && !newIdPattern.test(id)) throw malformedField('id', newIdRule);
    if (id !== undefined && !ownId.test(id)) {
      throw malformedField('id', 'must not hold the characters that end it in this scheme');
    }
    values['id'] = id ?? uniqueText('msg_', random, notation.ends.id);
  }
}

/** @param ends the characters that must not be in the text */
function uniqueText(prefix: string, random: SigningContext['random'], ends: string): string {
  let text = prefix + random(18).toString('base64url');
  for (const end of ends) {
    if (text.includes(end)) text = text.replaceAll(end, fillerFor(ends));
  }
  return text;
}

/** The caller wrote the time into the body. It must be about now, or the signature would be one for another day. */
function checkedTime(time: Time, body: Uint8Array, nowMs: number): string {
  const text = bodyTime(time, body);
  if (text === undefined) {
    const { name } = notations[time.unit];
    throw new SignerError('unprocessable', `the body must be JSON with ${name} at "${time.pointer}"`);
  }
  if (checkTime(time, text, nowMs) !== undefined) {
    throw new SignerError(
      'unprocessable',
      `the time in the body, at "${time.pointer}", must be within the tolerance of the signer's clock`,
    );
  }
  return text;
}
