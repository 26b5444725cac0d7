/** One request of a command to a running signer. */

import { fstatSync, openSync } from 'node:fs';
import type { ErrorCode, Problem } from '../api/errors.ts';
import { parseAnswer } from '../client/transport.ts';
import { formatAddress, reachable, type TcpAddress } from './address.ts';
import { SettingError } from './setting-error.ts';

/** Where the signer listens: the socket if there is one, else the TCP address. */
export interface Target {
  readonly listen: TcpAddress | 'none';
  readonly socket?: string;
}

/** What to do about an error, for who has commands and does not speak HTTP. */
export type Advice = Partial<Readonly<Record<ErrorCode, string>>>;

export const noSuchKeySet =
  'no key set of this name is loaded; "sidecar-signer keys list" lists those that are';

export interface Request {
  readonly method?: 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly message?: ReadableStream<Uint8Array>;
  /** In place of what the signer says. */
  readonly advice?: Advice;
}

/** How long a signer may be silent: neither take a part of the message nor answer. */
const patienceMs = 10_000;

/**
 * @param isAnswer whether an answer has what the command prints
 * @returns the answer of a request that succeeded
 * @throws {SettingError} when nobody answers, or not a signer, or the answer is an error: with its detail
 */
export async function call<T extends object>(
  target: Target,
  path: string,
  isAnswer: (answer: object) => answer is T,
  { message, advice = {}, ...init }: Request = {},
): Promise<T> {
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(), patienceMs);
  const body = message && { body: message.pipeThrough(onEachPart(() => timer.refresh())) };
  try {
    const response = await send(target, path, { ...init, ...body, signal: ending.signal });
    const answer = await readAnswer(response);
    if (response.ok && answer !== undefined && isAnswer(answer)) return answer;
    const { code, detail }: Partial<Problem> = response.ok ? {} : (answer ?? {});
    const told = (code && advice[code]) ?? detail ?? 'the answer is not that of a signer';
    throw new SettingError(`${told} (${code ?? response.status})`);
  } finally {
    clearTimeout(timer);
  }
}

function onEachPart(tell: () => void): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform: (part, controller) => {
      tell();
      controller.enqueue(part);
    },
  });
}

/** The message of a command: a file's content, or standard input for `-`, streamed. @throws {SettingError} */
export function readMessage(file: string): ReadableStream<Uint8Array> {
  if (file !== '-') return Bun.file(openFile(file)).stream();
  if (process.stdin.isTTY) process.stderr.write('type the message, then Ctrl-D\n');
  return Bun.stdin.stream();
}

/** The descriptor of a file that can be read. @throws {SettingError} */
function openFile(file: string): number {
  try {
    const descriptor = openSync(file, 'r');
    if (!fstatSync(descriptor).isDirectory()) return descriptor;
  } catch {
    throw new SettingError(`${file} cannot be read; check the path and its permissions`);
  }
  throw new SettingError(`${file} is a directory; give a file, or - for standard input`);
}

/** Undefined when it is not that of a signer. */
export async function readAnswer(response: Response): Promise<object | undefined> {
  return parseAnswer(await response.text().catch(() => ''));
}

/** A request that reached a signer, whatever it answered. @throws {SettingError} when none did */
export async function send({ listen, socket }: Target, path: string, init: RequestInit): Promise<Response> {
  const headers = { ...init.headers, 'sec-signer': '1' };
  if (socket === undefined && listen === 'none')
    throw new SettingError('give --listen HOST:PORT or --socket PATH');
  const where = socket ?? (listen === 'none' ? listen : formatAddress(reachable(listen)));
  const origin = socket === undefined ? `http://${where}` : 'http://localhost';
  // A signer is reached without a proxy, which the environment may name, and sends nobody elsewhere.
  const direct = { proxy: false, redirect: 'manual', ...(socket !== undefined && { unix: socket }) } as const;
  try {
    return await fetch(origin + path, { ...init, headers, ...direct });
  } catch {
    if (init.signal?.aborted) {
      throw new SettingError(
        `no signer answers on ${where} in time; check that what listens there is a signer, and that it runs`,
      );
    }
    throw new SettingError(`no signer answers on ${where}; start one with "sidecar-signer serve"`);
  }
}
