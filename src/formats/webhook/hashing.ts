/** Computes the tags of one body, as it arrives, by several keys. */

import type { Mac, MessagePart } from '../../signing/mac.ts';
import { createCollector } from './collector.ts';
import { formText } from './form.ts';
import type { Values } from './request.ts';
import type { Scheme } from './scheme.ts';
import { write } from './template.ts';
import { signedUrls } from './url.ts';

/** What is signed around a body. */
export interface Frame {
  readonly before: string;
  readonly after: string;
  /** Of the request, which may hold the digest of the body. */
  readonly url: string | undefined;
}

/** The frame of a message that is signed, and then others that a sender may have used in its place. */
export function framesOf(scheme: Scheme, values: Values): readonly [Frame, ...Frame[]] {
  const { url } = values;
  const { before, after } = scheme.signed;
  const frame = (signedUrl = ''): Frame => {
    const valueFor = (variable: string) => (variable === 'url' ? signedUrl : (values[variable] ?? ''));
    return { before: write(before, valueFor), after: write(after, valueFor), url };
  };
  if (url === undefined) return [frame()];
  const [signed, ...others] = signedUrls(scheme, url);
  return [frame(signed), ...others.map(frame)];
}

const none = Buffer.alloc(0);

export interface Hashing {
  /** @throws {SignerError} `message_too_large` */
  update(part: MessagePart): void;
  /** The tag by each MAC; undefined if the URL has the digest of another body. Called once, after the last part. */
  tags(): readonly (Buffer | undefined)[];
  /** The whole body, of a scheme that reads it. */
  body(): Uint8Array;
}

/** @param macs each with what it signs around the body */
export function startHashing(
  { signed: { isForm }, readsBody }: Scheme,
  macs: readonly { readonly mac: Mac; readonly frame: Frame }[],
): Hashing {
  const streams = macs.map(({ mac, frame }) => {
    const stream = mac.start();
    stream.update(frame.before);
    return { stream, frame };
  });
  const collector = readsBody ? createCollector() : undefined;
  const body = () => collector?.body() ?? none;
  return {
    update: (part) => {
      collector?.add(part);
      if (!isForm) for (const { stream } of streams) stream.update(part);
    },
    tags: () => {
      // All frames are of one request, and so have one URL.
      const form = isForm ? formText(body(), macs[0]?.frame.url) : '';
      if (form === undefined) return streams.map(() => undefined);
      return streams.map(({ stream, frame }) => {
        stream.update(form);
        stream.update(frame.after);
        return stream.digest();
      });
    },
    body,
  };
}
