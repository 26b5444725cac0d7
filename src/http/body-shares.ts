/**
 * What the long bodies of all callers use together: memory, and the turns of batches. One caller cannot take so much of
 * them that nothing is left for another.
 */

import { overloaded } from './problem.ts';

/** What one caller may use. */
export interface BodyShare {
  /** @throws {SignerError} `overloaded` */
  reserve(bytes: number): Disposable;
  /** Runs one at a time: of one caller in their order, and of several callers in alternation. */
  inTurn<T>(use: () => Promise<T>): Promise<T>;
  /** Told of long JSON that has been read. */
  hasRead(bytes: number): void;
}

export interface SharedResources {
  /** What all callers may hold together, beside one body that each can always have. */
  readonly maxHeldBytes: number;
  /** Frees what nobody uses any more. */
  readonly collectGarbage?: () => void;
}

/** Reserved for each long body: the runtime may buffer this much before the signer reads it. */
export const readAheadBytes: number = 2 ** 20;

/**
 * Garbage is collected each time this much long JSON has been read. Parsing leaves several times its length behind, and the
 * runtime alone would let more of it pile up the faster the machine is.
 */
const collectAfterBytes = 4 * 2 ** 20;

/** @returns creates the share of one more caller */
export function createBodyShares({
  maxHeldBytes,
  collectGarbage = () => undefined,
}: SharedResources): () => BodyShare {
  /** A caller can have this much even if the others hold everything. */
  const ownBytesAlways = Math.min(readAheadBytes, maxHeldBytes);
  let heldBytes = 0;
  let readBytes = 0;
  let lastTurn: Promise<unknown> = Promise.resolve();
  return () => {
    let ownBytes = 0;
    let lastOwnTurn: Promise<unknown> = Promise.resolve();
    return {
      reserve: (bytes) => {
        if (heldBytes + bytes > maxHeldBytes && ownBytes + bytes > ownBytesAlways) throw overloaded();
        ownBytes += bytes;
        heldBytes += bytes;
        return {
          [Symbol.dispose]: () => {
            ownBytes -= bytes;
            heldBytes -= bytes;
          },
        };
      },
      inTurn: (use) => {
        // Of each caller, one at most waits among the others.
        const own = lastOwnTurn.then(() => {
          const turn = lastTurn.then(use);
          lastTurn = settled(turn);
          return turn;
        });
        lastOwnTurn = settled(own);
        return own;
      },
      hasRead: (bytes) => {
        readBytes += bytes;
        if (readBytes < collectAfterBytes) return;
        readBytes = 0;
        collectGarbage();
      },
    };
  };
}

/** Does not retain the result. */
function settled(turn: Promise<unknown>): Promise<void> {
  return turn.then(
    () => undefined,
    () => undefined,
  );
}
