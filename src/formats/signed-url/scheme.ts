/** What a scheme of signed URLs decides: the text that is signed, and how the signature is written into the URL. */

import type { BytesEncoding } from '../../api/encodings.ts';
import type { MessagePart } from '../../signing/mac.ts';
import type { UrlForm, UrlParts } from './url-parts.ts';

/** How one kind of signed URL is written and read, with the settings of a key set. */
export interface UrlScheme {
  readonly form: UrlForm;
  /** Whether signatures cover the method of the request. */
  readonly coversMethod: boolean;
  /** How the tag is written into a URL. */
  readonly output: BytesEncoding;
  /** What is wrong with a path; completes the sentence `field "url": …`. */
  pathProblem(path: string): string | undefined;
  /**
   * What is wrong with a URL that is to be signed, such as a parameter that the signer writes; completes the sentence
   * `field "url": …`.
   */
  problem(url: UrlParts): string | undefined;
  /** The setting that does not allow this URL, which has no signature yet. */
  forbidden(url: UrlParts): string | undefined;
  /** The setting under which the URL is allowed, where the scheme has a list of its own. */
  matching?(url: UrlParts): string | undefined;
  draft(url: UrlParts, terms: Terms): Draft;
  /** Takes the signature out of a URL. */
  read(url: UrlParts, method: string | undefined): Received | 'missing' | 'malformed' | 'unsupported';
}

/** What the signer adds to a URL. */
export interface Terms {
  /** The Unix time, in seconds, from which the URL is not valid any more. */
  readonly expires: number;
  readonly keyId: string;
  /** The only method for which the URL is valid; undefined for all. */
  readonly method: string | undefined;
}

/** A URL with its terms, which only lacks its signature. */
export interface Draft {
  readonly signed: MessagePart;
  write(tag: Buffer): string;
}

/** The signature of a URL, and what it covers. */
export interface Received {
  readonly tag: Uint8Array;
  /** The texts that the signature may be of. One match is enough. */
  readonly signed: readonly MessagePart[];
  /** The URL as it was before it was signed. */
  readonly url: UrlParts;
  /** Undefined if the URL does not expire. */
  readonly expires: number | undefined;
  /** The Unix time from which the URL is valid, where the scheme has one. */
  readonly starts?: number | undefined;
  /** The setting that does not accept the signature, whatever the URL is. */
  readonly refusedBy?: string;
  /** Where the scheme names the key. */
  readonly keyId?: string | undefined;
}

/** A time as schemes write it. No time has two spellings. */
export function parseTime(text: string): number | undefined {
  return /^[1-9]\d{0,11}$/.test(text) ? Number(text) : undefined;
}

/** A URL with other parameters, as text. */
export function writeUrl({ start, authority, path }: UrlParts, query: string): string {
  return `${start}${authority}${path}?${query}`;
}
