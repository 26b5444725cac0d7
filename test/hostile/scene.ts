/**
 * A key directory, the signers that read it and the command `check` beside them. Every byte that comes out of them is
 * searched for the keys when the scene ends.
 */

import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { type Payload, writeVolume } from '../support/atomic-writer.ts';
import {
  binary,
  type Signer,
  type StartOptions,
  startSigner,
  temporaryDirectory,
  waitFor,
} from '../support/signer.ts';
import { createMarkers, type Markers } from './marker.ts';

/** What `/status` tells of the first key directory. */
export interface VolumeStatus {
  readonly generation: number;
  readonly watcher: string;
  readonly rescuedByPoll: number;
  readonly problems: readonly string[];
}

export interface Report {
  readonly valid: boolean;
  readonly keys: readonly { readonly name: string; readonly keyIds: readonly string[] }[];
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

export interface Answered {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Scene extends AsyncDisposable, Pick<Markers, 'key' | 'textKey'> {
  /** An empty directory; `directory` (the keys) and `config` lie in it, once they are made. */
  readonly path: string;
  readonly directory: string;
  readonly config: string;
  /** Starts a signer on the directory, and on the configuration if there is one. */
  start(options?: StartOptions, more?: readonly string[]): Promise<Signer>;
  /** Writes the volume, starts a signer on it and waits until that is ready. */
  serve(payload: Payload): Promise<Signer>;
  /** What `check` says, and its exit code. */
  check(): Promise<Report & { readonly exitCode: number }>;
  get(url: string, init?: RequestInit): Promise<Answered>;
  /** Signs "hello". */
  sign(signer: Signer, name: string): Promise<Answered>;
  status(signer: Signer): Promise<VolumeStatus>;
  /** Everything that is wrong, in the keys and in the configuration. */
  problems(signer: Signer): Promise<readonly string[]>;
  /** Waits until something is wrong that says this. */
  refused(signer: Signer, what: string): Promise<void>;
  /** Waits until "hello" is signed by this key. */
  signs(signer: Signer, name: string, key: Uint8Array): Promise<void>;
}

const run = promisify(execFile);

export function openScene(): Scene {
  const markers = createMarkers();
  const place = temporaryDirectory();
  const signers: Signer[] = [];
  const directory = join(place.path, 'keys');
  const config = join(place.path, 'config', 'signer.yaml');
  const args = () => ['--keys', directory, ...(exists(config) ? ['--config', config] : [])];

  const start: Scene['start'] = async (options, more = []) => {
    const signer = await startSigner([...args(), ...more], {}, options);
    signers.push(signer);
    return signer;
  };
  const get = async (url: string, init: RequestInit = {}): Promise<Answered> => {
    // A connection that is kept may have been closed while this process was busy.
    const headers = { 'sec-signer': '1', 'content-type': 'application/json', connection: 'close' };
    const response = await fetch(url, { ...init, headers });
    const text = await response.text();
    markers.saw(JSON.stringify([...response.headers]));
    markers.saw(text);
    return { status: response.status, body: JSON.parse(text) };
  };
  const sign = (signer: Signer, name: string) =>
    get(`${signer.url}/v1/keys/${name}/sign`, { method: 'POST', body: '{"message":"hello"}' });
  const volumes = async ({ opsUrl }: Signer): Promise<readonly VolumeStatus[]> => {
    const { body } = await get(`${opsUrl}/status`);
    markers.saw(await (await fetch(`${opsUrl}/metrics`)).text());
    return body['volumes'] as readonly VolumeStatus[];
  };
  const problems = async (signer: Signer) => [
    ...new Set((await volumes(signer)).flatMap((volume) => volume.problems)),
  ];

  return {
    key: markers.key,
    textKey: markers.textKey,
    path: place.path,
    directory,
    config,
    start,
    serve: async (payload) => {
      writeVolume(directory, payload);
      const signer = await start();
      await signer.ready();
      return signer;
    },
    check: async () => {
      const done = await run(binary, ['check', '--json', ...args()]).then(
        ({ stdout, stderr }) => ({ stdout, stderr, code: 0 }),
        (error: { stdout: string; stderr: string; code: number }) => error,
      );
      markers.saw(done.stdout);
      markers.saw(done.stderr);
      return { ...JSON.parse(done.stdout), exitCode: done.code };
    },
    get,
    sign,
    status: async (signer) => {
      const [first] = await volumes(signer);
      if (first === undefined) throw new Error('no volume');
      return first;
    },
    problems,
    refused: async (signer, what) => {
      await waitFor(async () => (await problems(signer)).some((each) => each.includes(what)) || undefined);
    },
    signs: async (signer, name, key) => {
      await waitFor(async () => {
        const { body } = await sign(signer, name);
        return body['signature'] === tagOf(key) || undefined;
      });
    },
    [Symbol.asyncDispose]: async () => {
      for (const signer of signers) {
        if (signer.process.exitCode === null && signer.process.signalCode === null)
          expect(await signer.stop()).toBe(0);
        markers.saw(signer.output());
      }
      place[Symbol.dispose]();
      expect(markers.leaks(), 'key bytes came out').toEqual([]);
      for (const line of signers.flatMap((signer) => signer.output().split('\n')))
        expect(line === '' || typeof JSON.parse(line) === 'object', 'each line of the log is one event').toBe(
          true,
        );
    },
  };
}

/** The tag of "hello" in hex. */
export function tagOf(key: Uint8Array): string {
  return createHmac('sha256', key).update('hello').digest('hex');
}

/** Swaps in a generation with whatever `fill` puts into its directory, as the kubelet does, but for the visible links. */
export function swapIn(directory: string, fill: (target: string) => void): void {
  mkdirSync(directory, { recursive: true });
  const target = mkdtempSync(join(directory, '..2026_11_24_00_00_01.'));
  fill(target);
  symlinkSync(target.slice(directory.length + 1), join(directory, '..data_tmp'));
  renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
}

/** Replaces the content of a plain directory, file by file. */
export function writePlain(directory: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
}

export function writeConfig({ config }: Scene, text: string): void {
  mkdirSync(join(config, '..'), { recursive: true });
  writeFileSync(`${config}.new`, text);
  renameSync(`${config}.new`, config);
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
