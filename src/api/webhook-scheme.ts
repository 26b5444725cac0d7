/** A webhook scheme as data: what is signed, and which headers carry it. A configuration writes the same under `webhook`. */

import type { BytesEncoding } from './encodings.ts';

/** How a time is written: `1800000000`, `1800000000000` or `2027-01-15T08:00:00Z`. */
export type TimeUnit = 'seconds' | 'milliseconds' | 'rfc3339';

/** The value of a header: one template, or items of a list, joined by a comma or by `separator`. */
export type HeaderTemplate =
  | string
  | readonly string[]
  | { readonly items: readonly string[]; readonly separator: string };

/** The answer to a provider that asks for proof of the secret before it sends messages. */
export interface ChallengeScheme {
  /** The text that is signed. It holds `{token}`. */
  readonly signed: string;
  /** It holds `{signature}`. */
  readonly response: string;
  /** How the signature is written. Default: `hex`. */
  readonly output?: BytesEncoding | undefined;
  /** The tokens that are signed: characters and sets of characters, each perhaps with `{least,most}`. */
  readonly pattern?: string | undefined;
}

export interface WebhookScheme {
  /** A template of the signed bytes. */
  readonly signed: string;
  /** Templates by the name of the header. With `{n}` in a name, each key has a header of its own. */
  readonly headers: Readonly<Record<string, HeaderTemplate>>;
  /** How a signature is written. Default: `hex`. */
  readonly output?: BytesEncoding | undefined;
  /** Default: `seconds`. */
  readonly timestamp?: TimeUnit | undefined;
  /** The oldest message that is accepted. Default: 300. */
  readonly toleranceSeconds?: number | 'none' | undefined;
  /** How far the clock of the sender may be ahead. Default: `toleranceSeconds`. */
  readonly futureToleranceSeconds?: number | 'none' | undefined;
  /** With `all`, every key of the set signs. Default: `primary`. */
  readonly signWith?: 'primary' | 'all' | undefined;
  /** Other names by which a header is read if none of the scheme's own names is there. */
  readonly aliases?: Readonly<Record<string, readonly string[]>> | undefined;
  /** What `{n}` stands for. Default: 1, 2, 3, and so on. */
  readonly names?: readonly string[] | undefined;
  /** A JSON pointer (RFC 6901) to the time in the body. */
  readonly bodyTimestamp?: string | undefined;
  /** Lets headers carry a value that is not signed. */
  readonly unsignedTimestamp?: boolean | undefined;
  readonly unsignedId?: boolean | undefined;
  readonly unsignedNonce?: boolean | undefined;
  readonly challenge?: ChallengeScheme | undefined;
  /** Accepts a template that can be read in two ways. */
  readonly ambiguous?: boolean | undefined;
}

/** A scheme of a provider that the signer knows by name. */
export interface Provider extends WebhookScheme {
  /** Default: HS256. */
  readonly algorithm?: 'HS256' | 'HS384' | 'HS512' | 'HMAC-SHA1';
  /** The provider's page or code from which the scheme is taken. */
  readonly source: string;
  /** How the provider writes secrets. Default: `text`. */
  readonly secretEncoding?: 'text' | 'hex' | 'base64' | 'base64url' | 'whsec';
  /** The shortest secret that the provider's receivers accept. */
  readonly minKeyBytes?: number;
  /** The URL is verified with and without its port, because proxies add or remove it. */
  readonly urlPort?: 'either';
  /** Escapes of these characters are decoded in `{url}` before it is signed. */
  readonly decodedInUrl?: string;
}

/** A receiver of DocuSign's messages gets up to this many headers with a number in their name. */
export const maxNumberedHeaders = 100;

/** The names that stand for the name of a header, which may hold `{n}`. */
export function headerNames(name: string, { names }: WebhookScheme): readonly [string, ...string[]] {
  if (!name.includes('{n}')) return [name];
  const [first = '1', ...others] =
    names ?? Array.from({ length: maxNumberedHeaders }, (_, index) => `${index + 1}`);
  const written = (each: string) => name.replace('{n}', () => each);
  return [written(first), ...others.map(written)];
}

/** The names, in lower case, of the headers of a received message that verification looks up. */
export function receivedNames(scheme: WebhookScheme): readonly string[] {
  const { headers, aliases = {}, signed } = scheme;
  const aliasesOf = (name: string) =>
    Object.entries(aliases).flatMap(([own, others]) =>
      own.toLowerCase() === name.toLowerCase() ? others : [],
    );
  const own = Object.keys(headers).flatMap((name) => [...headerNames(name, scheme), ...aliasesOf(name)]);
  // Two braces are one brace of the text.
  const variables = signed.replaceAll(/\{\{|\}\}/g, '').matchAll(/\{header:([^{}]+)\}/g);
  const covered = [...variables].map(([, name = '']) => name);
  return [...own, ...covered].map((name) => name.toLowerCase());
}
