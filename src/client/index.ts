/** The TypeScript client of sidecar-signer, for Node, Bun and edge runtimes. No dependency. */

export type { Problem } from '../api/errors.ts';
export type {
  Formats,
  KeySetDescription,
  TenantRequest,
  Verification,
  VerificationFailure,
} from '../api/messages.ts';
export {
  type BatchResult,
  type CallOptions,
  type ClientOptions,
  type KeySet,
  SignerClient,
} from './client.ts';
export { SignerError, type SignerErrorCode } from './error.ts';
