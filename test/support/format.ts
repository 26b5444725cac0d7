/** A format with the options of a key set and with keys, as the signer calls it. */

import { randomBytes } from 'node:crypto';
import { SignerError } from '../../src/api/errors.ts';
import type { Formats, MessageHeaders } from '../../src/api/messages.ts';
import { formats } from '../../src/formats/index.ts';
import type { Format, HeaderLookup, SigningContext } from '../../src/signing/format.ts';
import { type Algorithm, createMac, type Key, keyId, type Mac } from '../../src/signing/mac.ts';
import { watchedStream } from './mac-stream.ts';

type Name = keyof Formats;

export interface FormatInUse<F extends Name> {
  readonly format: Format;
  readonly use: SigningContext;
  sign(request: unknown): Formats[F]['signature'];
  /** Signs a message that comes in parts. */
  signParts(...parts: readonly Uint8Array[]): Formats[F]['signature'];
  verify(request: unknown): Formats[F]['verification'];
  /** Verifies a message that comes in parts, by these HTTP headers. */
  verifyParts(headers: MessageHeaders, ...parts: readonly Uint8Array[]): Formats[F]['verification'];
}

export interface Circumstances {
  /** The primary first. Default: a random one. */
  readonly secrets?: readonly [Uint8Array | string, ...(Uint8Array | string)[]];
  /** In place of keys from secrets. */
  readonly keys?: readonly [Key, ...Key[]];
  /** Default: the format's first. */
  readonly algorithm?: Algorithm;
  /** As the wire says it. */
  readonly now?: string;
  readonly maxMessageBytes?: number;
}

/** The headers of a request that has none. */
export const noHeaders: HeaderLookup = () => undefined;

/** The headers of a request that carries a signature of the format `raw`. */
export function signedBy(signature: string): HeaderLookup {
  return (name) => (name === 'sec-signer-signature' ? signature : undefined);
}

/** @param options what a configuration says under the format's name; taken as valid */
export function inUse<F extends Name>(
  name: F,
  options: object = {},
  circumstances: Circumstances = {},
): FormatInUse<F> {
  const format = formats.get(name)?.create({ [name]: options });
  if (format === undefined) throw new Error(`there is no format ${name}`);
  const { secrets = [randomBytes(64)], algorithm = format.algorithms[0] ?? 'HS256' } = circumstances;
  const [first, ...others] = secrets.map((secret) => keyOf(algorithm, secret, format.keyPrefix));
  if (first === undefined) throw new Error('there is no key');
  const use = useOf(circumstances.keys ?? [first, ...others], circumstances);
  return {
    format,
    use,
    sign: (request) => format.sign(use, request) as Formats[F]['signature'],
    signParts: (...parts) => {
      const signing = format.startSigning?.(use, noHeaders);
      if (signing === undefined) throw new Error(`the format ${name} takes no message in parts`);
      for (const part of parts) signing.update(part);
      return signing.finish() as Formats[F]['signature'];
    },
    verify: (request) => format.verify(use, request) as Formats[F]['verification'],
    verifyParts: (headers, ...parts) => {
      const received = new Headers(headers);
      const verification = format.startVerification?.(use, (header) => received.get(header) ?? undefined);
      if (verification === undefined) throw new Error(`the format ${name} takes no message in parts`);
      for (const part of parts) verification.update(part);
      return verification.finish() as Formats[F]['verification'];
    },
  };
}

export function useOf(
  keys: readonly [Key, ...Key[]],
  { now = '2026-11-24T12:00:00Z', maxMessageBytes = Number.POSITIVE_INFINITY }: Circumstances = {},
): SigningContext {
  return {
    keys,
    now: Date.parse(now),
    random: randomBytes,
    checkSize: (bytes) => {
      if (bytes > maxMessageBytes) throw new SignerError('message_too_large', 'too long for this test');
    },
  };
}

export function keyOf(algorithm: Algorithm, secret: Uint8Array | string, prefix = ''): Key {
  const bytes = Buffer.from(secret);
  return { id: keyId(bytes), mac: createMac(algorithm, Buffer.concat([Buffer.from(prefix), bytes])) };
}

/** A moment in Unix seconds, as the wire says it. */
export function at(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

/** The code and the detail with which a request is refused. */
export function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof SignerError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'not refused';
}

/** What was signed, and by which key: the secret, or what was derived from it by which messages. */
export interface Signed {
  readonly by: string;
  readonly message: string;
}

function recording(mac: Mac, record: Signed[], by = ''): Mac {
  return {
    algorithm: mac.algorithm,
    start: () => {
      const parts: Uint8Array[] = [];
      return watchedStream(mac.start(), {
        onPart: (part) => {
          parts.push(Buffer.from(part));
          return part;
        },
        onTag: () => {
          record.push({ by, message: Buffer.concat(parts).toString('latin1') });
        },
      });
    },
    derive: (message) => {
      const text = Buffer.from(message).toString('latin1');
      record.push({ by, message: text });
      return recording(mac.derive(message), record, `${by}/${text}`);
    },
  };
}

/** Signs the request with two keys, and answers what was signed for it, also when it was refused in the end. */
export function signedFor(name: string, options: object, request: object): readonly Signed[] {
  const record: Signed[] = [];
  const mac = recording(createMac('HS256', randomBytes(32)), record);
  try {
    formats
      .get(name)
      ?.create({ [name]: options })
      .sign(
        useOf([
          { id: 'id', mac },
          { id: 'other', mac },
        ]),
        request,
      );
  } catch (error) {
    if (!(error instanceof SignerError)) throw error;
  }
  return record;
}
