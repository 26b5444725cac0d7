/** Reads the file of `--request`: a request in JSON, which is sent byte for byte. */

import { maxJsonBytes } from '../api/limits.ts';
import { decodeUtf8, hasByteOrderMark } from '../bytes/text.ts';
import { CommandFailure } from './failure.ts';
import { nameOf, readShortInput } from './input.ts';

const adviceToShorten = 'if the format takes the message itself, give the message in the place of --request';

/**
 * Reads a request.
 * @param tenant is added to the request as its first member
 * @param refuse called if the request has a tenant of its own
 * @throws {CommandFailure} if the file cannot be read, or holds no request
 */
export function readRequest(
  file: string,
  tenant: string | undefined,
  refuse: (message: string) => never,
): Uint8Array<ArrayBuffer> {
  const name = nameOf(file);
  const bytes = readShortInput(file, maxJsonBytes, adviceToShorten);
  if (hasByteOrderMark(bytes)) {
    throw new CommandFailure(`${name} begins with a byte order mark; save it as UTF-8 without one`);
  }
  const text = decodeUtf8(bytes);
  const request = text === undefined ? undefined : parseObject(text);
  if (text === undefined || request === undefined) {
    throw new CommandFailure(
      `${name} is not one JSON object in UTF-8; write the request as the HTTP API takes it`,
    );
  }
  if (tenant === undefined) return bytes;
  if (Object.hasOwn(request, 'tenant')) {
    refuse('the request names a tenant already; leave out --tenant, or the field "tenant"');
  }
  // The text of the request stays as it is: JSON.stringify would write some numbers in another way.
  const [before, after] = splitAt(text, text.indexOf('{') + 1);
  const comma = Object.keys(request).length === 0 ? '' : ',';
  return Buffer.from(`${before}"tenant":${JSON.stringify(tenant)}${comma}${after}`);
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function splitAt(text: string, index: number): readonly [string, string] {
  return [text.slice(0, index), text.slice(index)];
}
