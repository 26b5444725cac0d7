/**
 * The signers that hostile requests are sent to, and what must hold after each of them: no handler ran, nothing was
 * signed, no key byte came out, the process lives.
 */

import { createHmac, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { test as base, expect } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import { type Signer, startSigner, temporaryDirectory } from '../support/signer.ts';
import { createMarkers } from './marker.ts';
import { type Answer, type Door, type Exchange, exchange, json, type Parts, request } from './wire.ts';

/** What the contract says about an answer that is an error. */
export type Refused = readonly [status: number, code: string];

export interface Arena {
  readonly tcp: Door;
  readonly unix: Door;
  /** The ops listener. */
  readonly ops: Door;
  /** A signer without keys. Its handlers can say `not_ready` alone, so any other refusal came before them. */
  readonly keyless: Door;
  readonly signer: Signer;
  /** The volume behind `tcp` and `unix`; has the key sets `demo` and `other`. */
  readonly directory: string;
  /** A message that no request before it had, so that it can be searched for. */
  readonly message: string;
  readonly body: string;
  exchange(to: Door, parts: Parts, expected?: number, withinMs?: number): Promise<Exchange>;
  /** The tag of a message by the key `demo`, in hex. */
  tag(message: string | Uint8Array): string;
  /** Writes another generation, with a new key `demo`. */
  rotate(): void;
}

/** `test` with an arena for each file. After each test, nothing that came out may hold a part of a key. */
export const test = base
  .extend('markers', { scope: 'file' }, () => createMarkers())
  .extend('arena', { scope: 'file' }, async ({ markers }, { onCleanup }) => {
    const place = temporaryDirectory();
    const directory = join(place.path, 'keys');
    const [socket, emptySocket] = [join(place.path, 'socket'), join(place.path, 'empty-socket')];
    const other = markers.textKey();
    let demo = markers.key();
    writeVolume(directory, { demo, other });
    const signer = await startSigner(['--keys', directory, '--socket', socket]);
    const empty = await startSigner(['--keys', join(place.path, 'none'), '--socket', emptySocket]);
    await signer.ready();
    onCleanup(async () => {
      expect([await signer.stop(), await empty.stop()]).toEqual([0, 0]);
      place[Symbol.dispose]();
    });
    const message = `canary-${randomBytes(8).toString('hex')}`;
    const heard = new Map<Signer, number>();
    const arena: Arena = {
      tcp: doorOf(signer.url),
      unix: { at: { path: socket }, host: 'localhost' },
      ops: doorOf(signer.opsUrl),
      keyless: doorOf(empty.url),
      signer,
      directory,
      message,
      body: json({ message }),
      exchange: async (to, parts, expected, withinMs) => {
        const done = await exchange(to, parts, expected, withinMs);
        markers.saw(done.bytes);
        for (const each of [signer, empty]) {
          markers.saw(each.output().slice(heard.get(each) ?? 0));
          heard.set(each, each.output().length);
        }
        return done;
      },
      tag: (bytes) => createHmac('sha256', demo).update(bytes).digest('hex'),
      rotate: () => {
        demo = markers.key();
        writeVolume(directory, { demo, other });
      },
    };
    return arena;
  })
  .extend('witness', { auto: true }, ({ markers, arena }, { onCleanup }) => {
    onCleanup(() => {
      expect(markers.leaks(), 'key bytes came out').toEqual([]);
      expect(arena.signer.process.exitCode, 'the process lives').toBeNull();
      expect(arena.signer.output()).not.toContain('"level":"error"');
      expect(arena.signer.output(), 'nothing of a request is logged').not.toContain(arena.message);
    });
  });

export function doorOf(url: string): Door {
  const { host, hostname, port } = new URL(url);
  return { at: { host: hostname, port: Number(port) }, host };
}

/** The one answer of an exchange. */
export function only({ answers }: Exchange): Answer {
  expect(answers).toHaveLength(1);
  const [answer] = answers;
  if (answer === undefined) throw new Error('no answer');
  return answer;
}

/** The answer is a problem document of the contract, and tells nothing of the request or the software. */
export function expectProblem(arena: Arena, done: Exchange, [status, code]: Refused): void {
  const { headers, body, ...answer } = only(done);
  expect(answer.status).toBe(status);
  expect(JSON.parse(body)).toMatchObject({ status, code });
  expect(headers.get('content-type')).toBe('application/problem+json');
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.has('allow')).toBe(status === 405);
  expectUnsigned(arena, done);
}

/** Nothing was signed: no tag of the message came back, nor anything else of the length of a tag. */
export function expectUnsigned(arena: Arena, { bytes, answers }: Exchange): void {
  const text = bytes.toString('latin1');
  const tag = Buffer.from(arena.tag(arena.message), 'hex');
  for (const encoding of ['hex', 'base64', 'base64url'] as const)
    expect(text).not.toContain(tag.toString(encoding));
  expect(text).not.toMatch(/[0-9a-f]{64}|[A-Za-z0-9+/_-]{43}/);
  expect(text, 'the request is not repeated').not.toContain(arena.message);
  for (const { headers } of answers) {
    for (const name of ['server', 'x-powered-by', 'access-control-allow-origin', 'set-cookie'])
      expect(headers.has(name), name).toBe(false);
  }
}

/** The request without its flaw is signed, and asks for keys where there are none: what the refusals are held against. */
export async function expectSigned(arena: Arena): Promise<void> {
  const { tcp, unix, keyless, message, body } = arena;
  for (const door of [tcp, unix]) {
    const { status, body: text } = only(await arena.exchange(door, request(door, { body })));
    expect(status).toBe(200);
    expect(JSON.parse(text)).toMatchObject({ signature: arena.tag(message), algorithm: 'HS256' });
  }
  expectProblem(arena, await arena.exchange(keyless, request(keyless, { body })), [503, 'not_ready']);
}
