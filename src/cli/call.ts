/** Requests that commands send to a running signer. */

import type { ErrorCode } from '../api/errors.ts';
import type { KeySetDescription, Operation } from '../api/messages.ts';
import { isProblem, parseAnswer } from '../client/answer.ts';
import { readBody } from '../client/transport.ts';
import { formatAddress, reachable, type SocketAddress, type TcpAddress } from './address.ts';
import { CommandFailure } from './failure.ts';
import { streamInput } from './input.ts';
import { whyNoAnswer } from './socket.ts';

/** Where the signer listens: on the first socket if there is one, else on the TCP address. */
export interface SignerAddress {
  readonly listen: TcpAddress | 'none';
  readonly socket?: readonly SocketAddress[];
}

/** The flags of commands that call a signer. */
export interface CallOptions extends SignerAddress {
  readonly json?: true;
}

/** What to print for an error of the signer. Default: its detail, which is written for users of the HTTP API. */
type Advice = Partial<Readonly<Record<ErrorCode, string>>>;

interface Call {
  readonly method?: 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  readonly advice?: Advice;
}

/** What a command sends to a key set. */
export type Content = MessageContent | RequestContent;

interface MessageContent {
  /** The file with the message, which is sent as it is. */
  readonly file: string;
  /** What stands beside the message: a signature, or what a webhook scheme reads. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A request as JSON. */
export interface RequestContent {
  readonly request: Uint8Array<ArrayBuffer>;
}

/** How long to wait for the signer to read the next part of the message, or to answer. */
const timeoutMs = 10_000;

/**
 * @param isAnswer whether the answer has everything that the command prints
 * @returns the answer of a request that succeeded
 * @throws {CommandFailure} if there is no signer or it answers with an error
 */
export async function callSigner<T extends object>(
  address: SignerAddress,
  path: string,
  isAnswer: (answer: object) => answer is T,
  { body, advice = {}, ...init }: Call = {},
): Promise<T> {
  const aborter = new AbortController();
  const timer = setTimeout(() => aborter.abort(), timeoutMs);
  const sent =
    body instanceof ReadableStream ? body.pipeThrough(onEachPart(() => timer.refresh())) : (body ?? null);
  try {
    const response = await fetchFrom(address, path, { ...init, body: sent, signal: aborter.signal });
    const answer = await readAnswer(response);
    if (response.ok && answer !== undefined && isAnswer(answer)) return answer;
    if (response.ok || !isProblem(answer)) throw notASigner(response, '--listen or --socket');
    throw new CommandFailure(`${advice[answer.code] ?? answer.detail} (${answer.code})`);
  } finally {
    clearTimeout(timer);
  }
}

/** Why a key set takes no message by itself, and what to do. */
export const requestNeeded =
  'only key sets of the raw and webhook formats, without derived keys, take the message itself; give a request in JSON with --request FILE';

const unknownKey =
  'there is no key set of this name for this caller; "sidecar-signer keys list" lists those that it may use';

/** Asks a key set for an operation. @throws {CommandFailure} as `callSigner` does, and if a file cannot be read */
export function callKeySet<T extends object>(
  address: SignerAddress,
  key: string,
  operation: Operation,
  content: Content,
  isAnswer: (answer: object) => answer is T,
): Promise<T> {
  const isRequest = 'request' in content;
  return callSigner(address, `${pathOf(key)}/${operation}`, isAnswer, {
    method: 'POST',
    headers: isRequest
      ? { 'content-type': 'application/json' }
      : { ...content.headers, 'content-type': 'application/octet-stream' },
    body: isRequest ? content.request : streamInput(content.file),
    advice: {
      unknown_key: unknownKey,
      ...(!isRequest && { unsupported_media_type: requestNeeded }),
    },
  });
}

/** What a command needs to know of a key set. */
export type Described = Pick<KeySetDescription, 'format' | 'policy'>;

/** Asks the signer for the format of a key set. @throws {CommandFailure} as `callSigner` does */
export function describeKeySet(address: SignerAddress, key: string): Promise<Described> {
  return callSigner(address, pathOf(key), isDescribed, { advice: { unknown_key: unknownKey } });
}

function isDescribed(answer: object): answer is Described {
  const isNamed = 'format' in answer && typeof answer.format === 'string';
  return isNamed && 'policy' in answer && typeof answer.policy === 'object' && answer.policy !== null;
}

function pathOf(key: string): string {
  return `/v1/keys/${encodeURIComponent(key)}`;
}

function onEachPart(tell: () => void): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform: (part, controller) => {
      tell();
      controller.enqueue(part);
    },
  });
}

/** @returns the JSON object of the answer, or undefined if there is none, as from another program */
export async function readAnswer(response: Response): Promise<object | undefined> {
  const body = await readBody(response.body ?? []).catch(() => undefined);
  return body && parseAnswer(body);
}

export function notASigner({ status }: Response, flag: string): CommandFailure {
  return new CommandFailure(`what answers there is not a signer (status ${status}); check ${flag}`);
}

/** @returns the response, whatever its status is. @throws {CommandFailure} when nobody answers */
export async function fetchFrom(
  { listen, socket: [first] = [] }: SignerAddress,
  path: string,
  init: RequestInit,
): Promise<Response> {
  const socket = first?.path;
  if (socket === undefined && listen === 'none') {
    throw new CommandFailure('there is no signer to call; give --listen HOST:PORT or --socket PATH');
  }
  const where = socket ?? (listen === 'none' ? listen : formatAddress(reachable(listen)));
  const origin = socket === undefined ? `http://${where}` : 'http://localhost';
  // A name that every signer serves, also one that listens on another address than loopback.
  const host = socket !== undefined || listen === 'none' ? 'localhost' : `localhost:${listen.port}`;
  // A signer is called directly: neither a proxy of the environment nor a redirect may get the message.
  const direct = { proxy: false, redirect: 'manual', ...(socket !== undefined && { unix: socket }) } as const;
  try {
    return await fetch(origin + path, {
      ...init,
      headers: { ...init.headers, host, 'sec-signer': '1' },
      ...direct,
    });
  } catch {
    if (init.signal?.aborted) {
      throw new CommandFailure(
        `no signer answers on ${where} in time; check that a signer listens there and is not suspended`,
      );
    }
    throw new CommandFailure(
      socket === undefined
        ? `no signer answers on ${where}; start one with "sidecar-signer serve"`
        : whyNoAnswer(socket),
    );
  }
}
