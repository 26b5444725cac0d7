/** Sends requests as bytes over connections that are kept alive, and waits for each answer for a limited time. */

import type { Socket } from 'node:net';
import { type Answer, type Door, open, parseAnswers } from '../hostile/wire.ts';

/** How long an answer may take on a busy machine. */
const withinMs = 10_000;

/** Twice as much as the runtime accepts of a head. */
const headBytes = 16 * 1024;
/** How long to wait for the refusal of a head before the rest is sent. A head that is too long is refused for certain. */
const refusedWithinMs = 50;
const certainlyRefusedWithinMs = 5000;

export interface Caller {
  /**
   * Opens as many connections as there are requests at the same time.
   * @param isLast closes the connection afterwards, since the signer may see more than one request in the bytes
   * @throws {Error} without an answer
   */
  call(bytes: Buffer, isLast: boolean): Promise<Answer>;
  close(): void;
}

export function createCaller(door: Door): Caller {
  const idle = new Set<Socket>();

  const call: Caller['call'] = async (bytes, isLast) => {
    const [reused] = idle;
    const socket = reused ?? open(door).on('close', () => idle.delete(socket));
    idle.delete(socket);
    const answer = await answerOn(socket, bytes);
    // The signer may close an idle connection in the moment in which a request is sent (RFC 9112 §9.5).
    if (answer === undefined && reused !== undefined) return call(bytes, isLast);
    if (answer === undefined) throw new Error('the connection was closed without an answer');
    if (isLast || answer.headers.get('connection') === 'close') socket.destroy();
    else idle.add(socket);
    return answer;
  };

  return {
    call,
    close: () => {
      for (const socket of idle) socket.destroy();
    },
  };
}

/** Undefined when the connection closes before there is an answer. */
function answerOn(socket: Socket, bytes: Buffer): Promise<Answer | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer | undefined>();
  const parts: Buffer[] = [];
  const received = (part: Buffer) => {
    parts.push(part);
    const [answer] = parseAnswers(Buffer.concat(parts));
    if (answer !== undefined) resolve(answer);
  };
  const closed = () => resolve(undefined);
  const timer = setTimeout(() => {
    socket.destroy();
    reject(new Error(`there was no answer within ${withinMs} ms`));
  }, withinMs);
  socket.on('data', received).once('close', closed);
  // The runtime closes the connection when it refuses a head. If the rest were under way, a reset would discard the answer.
  socket.write(bytes.subarray(0, headBytes));
  const rest = bytes.subarray(headBytes);
  const endOfHead = bytes.indexOf('\r\n\r\n');
  const isTooLong = endOfHead === -1 || endOfHead > headBytes;
  let isSent = rest.length === 0;
  const later = setTimeout(
    () => {
      if (!isSent) socket.write(rest);
      isSent = true;
    },
    isTooLong ? certainlyRefusedWithinMs : refusedWithinMs,
  );
  return promise.finally(() => {
    clearTimeout(timer);
    clearTimeout(later);
    if (!isSent) socket.destroy();
    socket.off('data', received).off('close', closed);
  });
}
