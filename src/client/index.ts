/** The TypeScript client of sidecar-signer, for Node, Bun and edge runtimes. It has no dependencies. */

export type { Problem } from '../api/errors.ts';
export type {
  Formats,
  HttpHeaders,
  KeySetDescription,
  KeySetDescriptionForCaller,
  TenantRequest,
  Verification,
  VerificationFailure,
} from '../api/messages.ts';
export { type ClientOptions, SignerClient } from './client.ts';
export { SignerError, type SignerErrorCode } from './error.ts';
export type { BatchResult, CallOptions, KeySet } from './key-set.ts';
