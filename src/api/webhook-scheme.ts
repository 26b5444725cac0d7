/** A webhook scheme as data: what a provider signs, and which headers carry it. */

/** One value, a list joined by commas, or a list with another separator. */
export type HeaderTemplate =
  | string
  | readonly string[]
  | { readonly items: readonly string[]; readonly separator: string };

export interface WebhookScheme {
  /** Default: `HS256`. */
  readonly algorithm?: 'HS256' | 'HS384' | 'HS512' | 'HMAC-SHA1';
  /** The template of the signed string. */
  readonly signed: string;
  /** By name, as the provider spells it. A name with `{n}` stands for one header for each key. */
  readonly headers: Readonly<Record<string, HeaderTemplate>>;
  /** How `{signature}` is written. Default: `hex`. */
  readonly output?: 'hex' | 'base64' | 'base64url';
  /** Default: `seconds`. */
  readonly timestamp?: 'seconds' | 'milliseconds' | 'rfc3339';
  readonly toleranceSeconds?: number | 'none';
  /** Default: equal to `toleranceSeconds`. */
  readonly futureToleranceSeconds?: number | 'none';
  /** Other names, in lower case, that are read if none of the scheme's own headers is there. */
  readonly aliases?: Readonly<Record<string, readonly string[]>>;
  /** What `{n}` stands for. Default: 1, 2, 3 and so on. */
  readonly names?: readonly string[];
  readonly unsignedTimestamp?: true;
  readonly unsignedId?: true;
  readonly unsignedNonce?: true;
  /** JSON pointer to the timestamp in the body. */
  readonly bodyTimestamp?: string;
  /** What the provider asks of an endpoint before it sends messages. */
  readonly challenge?: {
    readonly signed: string;
    readonly response: string;
    readonly output?: 'hex' | 'base64' | 'base64url';
    readonly pattern?: string;
  };
  /** Admits a template whose signed string can be read in more than one way. */
  readonly ambiguous?: true;
}
