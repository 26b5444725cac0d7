/** Keeps a body in memory, for the schemes that have to read it. */

import { SignerError } from '../../api/errors.ts';
import { maxJsonBytes } from '../../api/limits.ts';
import type { MessagePart } from '../../signing/mac.ts';

export interface Collector {
  /** @throws {SignerError} `message_too_large` */
  add(part: MessagePart): void;
  body(): Uint8Array;
}

export function createCollector(): Collector {
  const parts: Uint8Array[] = [];
  let length = 0;
  return {
    add: (part) => {
      length += Buffer.byteLength(part);
      if (length > maxJsonBytes) {
        throw new SignerError(
          'message_too_large',
          `a body of this scheme has at most ${maxJsonBytes} bytes, because the signer has to read it`,
        );
      }
      // The memory of a part is reused.
      parts.push(Buffer.from(part));
    },
    body: () => Buffer.concat(parts),
  };
}
