/** The client: the options of a connection to a signer, and the key sets there. */

import type { Formats, KeySetDescription, KeySetList } from '../api/messages.ts';
import { socketPathProblem } from '../api/socket-path.ts';
import { hasKeySets } from './answer.ts';
import { createCall } from './call.ts';
import { type Call, type CallOptions, createKeySet, type KeySet } from './key-set.ts';
import { overSocket, overTcp } from './over-fetch.ts';

/** `url` and `socketPath` exclude each other, and are refused if they are given as `undefined`. */
export interface ClientOptions {
  /**
   * The address of the signer. Node and Bun connect to it directly, without a proxy. Default: `http://127.0.0.1:8700`.
   */
  readonly url?: string | undefined;
  /** The path of the signer's Unix socket, in place of `url`. Works on Node and Bun. */
  readonly socketPath?: string | undefined;
  /** The most milliseconds that a call may take, retries included. Default: 5000. */
  readonly timeoutMs?: number | undefined;
  /**
   * How often a call is retried if the signer answers 503 with `Retry-After`, or if the connection breaks. While nobody
   * listens at the address, a call is retried as long as `timeoutMs` allows, unless this is 0. Default: 2.
   */
  readonly retries?: number | undefined;
}

/** Timers of the runtimes fire at once if the time is longer. */
const maxTimeoutMs = 2 ** 31 - 1;

/**
 * Calls a signer.
 * @example
 * const signer = new SignerClient();
 * const orders = signer.keySet('orders', 'raw');
 * const { signature } = await orders.sign({ message: 'hello' });
 * const { valid } = await orders.verify({ message: 'hello', signature });
 */
export class SignerClient {
  readonly #call: Call;

  /**
   * Does not connect yet.
   * @throws {TypeError} if `url` or `socketPath` is not an address, or both are given
   * @throws {RangeError} if `timeoutMs` or `retries` is out of range
   */
  constructor(options: ClientOptions = {}) {
    checkNames(options);
    const { url = 'http://127.0.0.1:8700', socketPath, timeoutMs = 5000, retries = 2 } = options;
    if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > maxTimeoutMs) {
      throw new RangeError(`"timeoutMs" option must be whole milliseconds from 1 to ${maxTimeoutMs}`);
    }
    if (!Number.isInteger(retries) || retries < 0) {
      throw new RangeError('"retries" option must be a whole number, 0 or more');
    }
    const address = socketPath === undefined ? originOf(url) : pathOfSocket(socketPath);
    const transport = socketPath === undefined ? overTcp(address) : overSocket(address);
    this.#call = createCall({ address, transport, timeoutMs, retries });
  }

  /**
   * Selects a key set. Sends nothing, so an unknown name is reported by the first call, with the code `unknown_key`.
   * @param name the name of the key set in the signer's configuration
   * @param format the format that the configuration gives to it, which decides the types of requests and answers
   * @throws {TypeError} if no key set can have this name
   */
  keySet<F extends keyof Formats>(name: string, format: F): KeySet<F> {
    return createKeySet(this.#call, name, format);
  }

  /**
   * Returns all key sets that this application may use.
   * @throws {SignerError} with one of {@link SignerErrorCode}
   */
  async keySets(options?: CallOptions): Promise<readonly KeySetDescription[]> {
    const { keys } = await this.#call<KeySetList>(
      { path: '/v1/keys', method: 'GET', headers: {}, isAnswer: hasKeySets },
      options,
    );
    return keys;
  }
}

const optionNames = ['url', 'socketPath', 'timeoutMs', 'retries'];

/** An address that is missing or misspelt must not become the default: something else may listen there. */
function checkNames(options: ClientOptions): void {
  if (!Object.keys(options).every((name) => optionNames.includes(name))) {
    throw new TypeError(`the options have an unknown name; they are ${optionNames.join(', ')}`);
  }
  for (const name of ['url', 'socketPath'] as const) {
    if (name in options && options[name] === undefined) {
      throw new TypeError(
        `"${name}" option is undefined; if it comes from an environment variable, the variable is not set. Leave the option out to use the default address`,
      );
    }
  }
  if ('url' in options && 'socketPath' in options) {
    throw new TypeError('"url" and "socketPath" options exclude each other; give one of them');
  }
}

/** @throws {TypeError} if it is not a path */
function pathOfSocket(socketPath: string): string {
  if (typeof socketPath !== 'string') throw new TypeError('"socketPath" option must be the path of a socket');
  // With an empty path, the runtimes would connect to port 80 on this machine.
  const problem = socketPathProblem(socketPath);
  if (problem !== undefined) throw new TypeError(`"socketPath" option: ${problem}`);
  if (/[=,]/.test(socketPath)) {
    throw new TypeError(
      '"socketPath" option must be the path of one socket, without "=" or a comma. If it comes from SIGNER_SOCKET of the signer, which may hold NAME=PATH and several of them, give only the path of the socket that this application uses',
    );
  }
  return socketPath;
}

/** @throws {TypeError} if it is not the address of a server */
function originOf(url: string): string {
  const { protocol, origin, href } = URL.parse(url) ?? {};
  // A path, a query, a fragment or a user name would not be used.
  if (origin === undefined || protocol !== 'http:' || href !== `${origin}/`) {
    throw new TypeError('"url" option must be like http://127.0.0.1:8700');
  }
  return origin;
}
