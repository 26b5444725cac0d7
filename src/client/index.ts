/** The TypeScript client of sidecar-signer, for Node, Bun and edge runtimes. No dependency. */
export type {
  Formats,
  KeySetDescription,
  Problem,
  TenantRequest,
  Verification,
  VerificationFailure,
} from '../wire.ts';
export {
  type BatchResult,
  type CallOptions,
  type ClientOptions,
  type KeySet,
  SignerClient,
} from './client.ts';
export { SignerError, type SignerErrorCode } from './error.ts';
