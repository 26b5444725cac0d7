/** Reads the head of a received request: the request line, if it is there, and the headers. */

import { isUtf8 } from 'node:buffer';
import { CommandFailure } from '../failure.ts';

export interface Head {
  /** Of the request line. */
  readonly method?: string;
  /** What the request line asks for: a path with a query, or a URL. */
  readonly target?: string;
  readonly scheme?: string;
  /** The values of each header by its name in lower case. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** The headers that were written on several lines. */
  readonly folded: ReadonlySet<string>;
}

/** More than any server accepts. */
const maxBytes = 256 * 1024;
const maxLines = 1000;

const requestLine = /^([A-Za-z]+) (\S+)(?: HTTP\/\d(?:\.\d)?)?$/;
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*?)[ \t]*$/s;
/** As HTTP/2 writes the request line. */
const pseudoHeader = /^:(method|path|authority|scheme):? (.*)$/;

/**
 * Splits a request at the empty line after its head. The body stays as it is, byte for byte. Empty lines before the head
 * do not count (RFC 9112 §2.2), and neither does a byte order mark.
 * @returns undefined if there is no empty line within the longest head
 */
export function splitAtEmptyLine(
  bytes: Uint8Array,
): { readonly head: Uint8Array; readonly body: Uint8Array } | undefined {
  let hasBegun = false;
  const mark = Buffer.from('\ufeff');
  let at = mark.equals(bytes.subarray(0, mark.length)) ? mark.length : 0;
  while (at < Math.min(bytes.length, maxBytes)) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) return undefined;
    const isEmpty = end === at || (end === at + 1 && bytes[at] === 0x0d);
    if (isEmpty && hasBegun) return { head: bytes.subarray(0, at), body: bytes.subarray(end + 1) };
    hasBegun ||= !isEmpty;
    at = end + 1;
  }
  return undefined;
}

/** @param file the name, for messages. @throws {CommandFailure} */
export function parseHead(bytes: Uint8Array, file: string): Head {
  if (bytes.length > maxBytes) throw tooLong(file);
  const text = Buffer.from(bytes).toString(isUtf8(bytes) ? 'utf8' : 'latin1');
  return parseHeadLines(text.replace(/^\ufeff/, '').split('\n'), file);
}

/** @throws {CommandFailure} */
export function parseHeadLines(lines: readonly string[], file: string): Head {
  if (lines.length > maxLines) throw tooLong(file);
  const headers = new Map<string, string[]>();
  const folded = new Set<string>();
  const first: { method?: string; target?: string; scheme?: string } = {};
  const firstLine = lines.findIndex((line) => !/^\r?$/.test(line));
  let last: string | undefined;
  for (const [index, raw] of lines.entries()) {
    const line = raw.replace(/\r$/, '');
    if (line === '') continue;
    const [, pseudo, told = ''] = pseudoHeader.exec(line) ?? [];
    if (pseudo !== undefined) {
      if (pseudo === 'method') first.method = told;
      else if (pseudo === 'path') first.target = told;
      else if (pseudo === 'scheme') first.scheme = told;
      else headers.set('host', [told]);
      continue;
    }
    const [, method, target] = index === firstLine ? (requestLine.exec(line) ?? []) : [];
    if (method !== undefined && target !== undefined) {
      Object.assign(first, { method, target });
      continue;
    }
    if (index === firstLine && /^HTTP\/\d/.test(line)) {
      throw new CommandFailure(`${file} is a response; give the request that the provider sent`);
    }
    const values = last === undefined ? undefined : headers.get(last);
    if (last !== undefined && values !== undefined && /^[ \t]/.test(line)) {
      folded.add(last);
      values.push(`${values.pop()} ${line.trim()}`);
      continue;
    }
    const [, name, value = ''] = headerLine.exec(line) ?? [];
    if (name === undefined) {
      throw new CommandFailure(
        `line ${index + 1} of ${file} is not "Name: value"; give the head of the request as it was received, or the headers alone`,
      );
    }
    last = name.toLowerCase();
    headers.set(last, [...(headers.get(last) ?? []), value]);
  }
  return { ...first, headers, folded };
}

function tooLong(file: string): CommandFailure {
  return new CommandFailure(
    `the head in ${file} has more than ${maxLines} lines or ${maxBytes} bytes, which is no request that a server accepts`,
  );
}
