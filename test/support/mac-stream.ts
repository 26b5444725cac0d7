/** Looks into the computation of a tag. */

import type { BytesEncoding } from '../../src/api/encodings.ts';
import type { MacStream, MessagePart } from '../../src/signing/mac.ts';

/**
 * @param onPart is told of each part, and may feed another one instead
 * @param onTag is told of the tag, whether it is asked for as bytes or as text
 */
export function watchedStream(
  stream: MacStream,
  { onPart = (part) => part, onTag }: { onPart?(part: MessagePart): MessagePart; onTag?(tag: Buffer): void },
): MacStream {
  function digest(): Buffer;
  function digest(encoding: BytesEncoding): string;
  function digest(encoding?: BytesEncoding): Buffer | string {
    const tag = stream.digest();
    onTag?.(tag);
    return encoding === undefined ? tag : tag.toString(encoding);
  }
  return { update: (part) => stream.update(onPart(part)), digest };
}
