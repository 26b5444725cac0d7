/** A compiled scheme: what the engine needs to sign and to verify. compile.ts makes it and checks every rule. */

import type { BytesEncoding } from '../../api/messages.ts';
import type { Algorithm } from '../../signing/mac.ts';
import type { Carrier } from './carriers.ts';
import type { Challenge } from './challenge.ts';
import type { SignedTemplate } from './signed.ts';
import type { Time } from './time.ts';
import type { Notation, RequestVariable, SentVariable } from './variables.ts';

/** A scheme that holds every rule, ready to sign and to verify. */
export interface Scheme {
  readonly algorithm: Algorithm;
  readonly output: BytesEncoding;
  readonly signed: SignedTemplate;
  readonly notation: Notation;
  readonly carriers: readonly Carrier[];
  readonly hasAliases: boolean;
  /** The values that headers carry. */
  readonly sends: ReadonlySet<SentVariable>;
  /** Those of them that the signature covers. */
  readonly proven: ReadonlySet<SentVariable>;
  /** Matches an id that can be told from what follows it. */
  readonly ownId: RegExp;
  /** The same for the id of a key; undefined if no header carries it. */
  readonly ownKeyId: RegExp | undefined;
  /** What the request must tell. */
  readonly members: ReadonlySet<RequestVariable>;
  /** The names, in lower case, of the headers of the request that are signed. */
  readonly signedHeaders: readonly string[];
  /** Undefined for a scheme without a time. */
  readonly time: Time | undefined;
  /** Whether the signer has to read the body, and not only to hash it. */
  readonly readsBody: boolean;
  readonly signsWithAll: boolean;
  /** How many signatures one message carries at most. */
  readonly maxSignatures: number;
  readonly challenge: Challenge | undefined;
  readonly urlPort: 'either' | undefined;
  readonly decodedInUrl: string;
  /** Each completes the sentence "this key set …". */
  readonly warnings: readonly string[];
}
