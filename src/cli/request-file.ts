/** Reads the file of `--request`: a request in JSON, which is sent byte for byte. */

import { maxJsonBytes } from '../api/limits.ts';
import { decodeUtf8, hasByteOrderMark } from '../bytes/text.ts';
import { CommandFailure } from './failure.ts';
import { streamInput } from './input.ts';

/**
 * Reads a request.
 * @param tenant is added to the request as its first member
 * @param refuse called if the request has a tenant of its own
 * @throws {CommandFailure} if the file cannot be read, or holds no request
 */
export async function readRequest(
  file: string,
  tenant: string | undefined,
  refuse: (message: string) => never,
): Promise<Uint8Array<ArrayBuffer>> {
  const name = file === '-' ? 'standard input' : file;
  const bytes = await readBounded(file, name);
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
  return withinLimit(Buffer.from(`${before}"tenant":${JSON.stringify(tenant)}${comma}${after}`), name);
}

/** Reads no more than one part beyond the limit: the file may be a device. */
async function readBounded(file: string, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const stream = streamInput(file, 'request');
  try {
    for await (const part of stream) {
      parts.push(part.slice());
      length += part.length;
      if (length > maxJsonBytes) break;
    }
  } catch {
    throw new CommandFailure(`${name} cannot be read; check that it is a file`);
  }
  return withinLimit(Buffer.concat(parts), name);
}

function withinLimit(bytes: Uint8Array<ArrayBuffer>, name: string): Uint8Array<ArrayBuffer> {
  if (bytes.length <= maxJsonBytes) return bytes;
  throw new CommandFailure(
    `${name} has more than ${maxJsonBytes} bytes, and a request has at most as many; if the format takes the message itself, give the message in the place of --request`,
  );
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
