/** A format with the options of a key set and with keys, as the signer calls it. */

import { randomBytes } from 'node:crypto';
import { SignerError } from '../../src/errors.ts';
import type { Format, Use } from '../../src/format.ts';
import { formats } from '../../src/formats/index.ts';
import { createMac, type Key, keyId } from '../../src/mac.ts';

export interface FormatInUse {
  readonly format: Format;
  sign(request: unknown): unknown;
  verify(request: unknown): unknown;
}

export interface Circumstances {
  /** The primary first. Default: a random one. */
  readonly secrets?: readonly [Uint8Array, ...Uint8Array[]];
  /** As the wire says it. */
  readonly now?: string;
  readonly maxMessageBytes?: number;
}

/** @param options what a configuration says under the format's name; taken as valid */
export function inUse(name: string, options: object, circumstances: Circumstances = {}): FormatInUse {
  const format = formats.get(name)?.create({ [name]: options });
  if (format === undefined) throw new Error(`there is no format ${name}`);
  const { secrets = [randomBytes(32)], now = '2026-11-24T12:00:00Z' } = circumstances;
  const [first, ...others] = secrets;
  const use = useOf([keyOf(format, first), ...others.map((each) => keyOf(format, each))], now, circumstances);
  return {
    format,
    sign: (request) => format.sign(use, request),
    verify: (request) => format.verify(use, request),
  };
}

export function useOf(
  keys: readonly [Key, ...Key[]],
  now: string,
  { maxMessageBytes = Number.POSITIVE_INFINITY }: Circumstances = {},
): Use {
  return {
    keys,
    now: Date.parse(now),
    random: randomBytes,
    admit: (bytes) => {
      if (bytes > maxMessageBytes) throw new SignerError('message_too_large', 'too long for this test');
    },
  };
}

function keyOf({ keyPrefix = '' }: Format, secret: Uint8Array): Key {
  return { id: keyId(secret), mac: createMac('HS256', Buffer.concat([Buffer.from(keyPrefix), secret])) };
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
