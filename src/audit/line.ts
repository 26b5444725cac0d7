/**
 * Writes one event as one line of JSON. A line is ASCII: everything else is escaped, so that no text of a caller can begin
 * another line, or change what a terminal shows.
 */

import type { Operation } from '../api/messages.ts';
import type { Outcome } from '../signer.ts';
import type { About } from '../signing/format.ts';
import { fingerprint } from './fingerprint.ts';

/** One operation, or several that were refused in the same manner. */
export interface AuditEvent {
  /** Absent in a line that counts what could not be written. */
  readonly caller?: string;
  /** Absent, as the format is, for a name that the caller may not know. */
  readonly keySet?: string | undefined;
  readonly keyId?: string | undefined;
  readonly format?: string | undefined;
  readonly operation?: Operation;
  readonly outcome: Outcome;
  readonly tenant?: string | undefined;
  /** Of an item of a batch. */
  readonly reference?: string | undefined;
  readonly about?: About | undefined;
  /** The text of the tag. Only a hash of it is written. */
  readonly signature?: string | undefined;
  /** Set in a line for several operations: how many there were. */
  readonly count?: number;
}

/** Every line begins with this, and no line of the log does. */
export const beginning = '{"audit":1,';

/** Longer texts are cut. */
const maxTextLength = 256;

/** What is known of a line before its place in the chain is. */
export interface Draft {
  readonly time: string;
  /** The members between `instance` and `prev`, with a comma at the end. */
  readonly members: string;
}

/** @param nowMs milliseconds since the epoch */
export function draft(event: AuditEvent, nowMs: number): Draft {
  const { caller, keySet, keyId, format, operation, outcome, tenant, reference, about, signature, count } =
    event;
  // One template, because a text that grows part by part costs several times as much.
  const who = `${textMember('caller', caller)}${textMember('keySet', keySet)}${textMember('keyId', keyId)}`;
  const what = `${format === undefined ? '' : `"format":"${format}",`}${operation === undefined ? '' : `"operation":"${operation}",`}`;
  const more =
    tenant === undefined && reference === undefined && count === undefined
      ? ''
      : `${textMember('tenant', tenant)}${textMember('reference', reference)}${count === undefined ? '' : `"count":${count},`}`;
  const told = about === undefined ? '' : `"about":{${membersOf(about)}},`;
  const found = signature === undefined ? '' : `"signature":"${fingerprint(signature)}",`;
  const members = `${who}${what}"outcome":"${outcome}",${more}${told}${found}`;
  return { time: timeText(nowMs), members };
}

/**
 * @param instance already quoted
 * @param prev the hash of the line before
 */
export function finish({ time, members }: Draft, instance: string, seq: number, prev: string): string {
  return `${beginning}"time":"${time}","seq":${seq},"instance":${instance},${members}"prev":"${prev}"}`;
}

function textMember(name: string, value: string | undefined): string {
  return value === undefined ? '' : `"${name}":${quote(value)},`;
}

const plain = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** A JSON string in ASCII, of at most 256 characters. */
export function quote(text: string): string {
  const cut = text.length > maxTextLength ? text.slice(0, maxTextLength) : text;
  if (plain.test(cut)) return `"${cut}"`;
  return JSON.stringify(cut).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function membersOf(about: About): string {
  let members = '';
  for (const [name, value] of Object.entries(about)) {
    const written = textOf(value);
    if (written !== undefined) members += `${members === '' ? '' : ','}${quote(name)}:${written}`;
  }
  return members;
}

/** Undefined for whatever is neither a text, a number nor a list of texts. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : undefined;
  if (!Array.isArray(value)) return undefined;
  const texts: string[] = [];
  let length = 0;
  for (const each of value) {
    if (typeof each !== 'string') continue;
    length += each.length;
    if (length > maxTextLength && texts.length > 0) break;
    texts.push(quote(each));
    if (texts.length === maxListed) break;
  }
  return `[${texts.join(',')}]`;
}

/** Of a list, at most so many texts are written, and together no more than one text may have. */
const maxListed = 32;

let [lastMs, lastText] = [Number.NaN, ''];

/** Many lines have the same millisecond. */
function timeText(nowMs: number): string {
  if (nowMs !== lastMs) [lastMs, lastText] = [nowMs, new Date(nowMs).toISOString()];
  return lastText;
}
