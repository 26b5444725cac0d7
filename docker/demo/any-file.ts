/** Reads whatever a path names, as the hole of the shop does: a file, a device or a part of `/proc`. */

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

const chunkBytes = 65_536;
/** A device such as `/dev/zero` has no end. */
const maxBytes = 16 * 2 ** 20;

/**
 * Sends a large file in parts, so that many readers fit into the memory of the shop.
 * @throws the error of the system if the file cannot be opened, or its first part cannot be read
 */
export async function readAnyFile(path: string): Promise<ReadableStream<Uint8Array>> {
  // Without O_NONBLOCK, a pipe without a writer would block.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  let part: Uint8Array;
  try {
    part = await nextPartOf(file);
  } catch (error) {
    await file.close();
    throw error;
  }
  let sent = 0;
  return new ReadableStream({
    async pull(controller) {
      if (part.length === 0 || sent >= maxBytes) {
        await file.close();
        controller.close();
        return;
      }
      controller.enqueue(part);
      sent += part.length;
      // If a later part cannot be read, the file ends here.
      part = await nextPartOf(file).catch(() => new Uint8Array());
    },
    cancel: () => file.close(),
  });
}

async function nextPartOf(file: FileHandle): Promise<Uint8Array> {
  const { buffer, bytesRead } = await file.read(new Uint8Array(chunkBytes));
  return buffer.subarray(0, bytesRead);
}
