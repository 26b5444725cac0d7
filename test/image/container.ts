/** The image under test, run as hardened as an engine allows. Nothing here is needed by the image itself. */

import { spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { GenericContainer, Wait } from 'testcontainers';
import { image } from './obstacle.ts';

// These tests remove what they start, so the library's own reaper, one more image to pull, is not needed. And where the
// engine is on this machine, IPv4 is said: an engine may map one port to different ones over IPv4 and over IPv6.
process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
if (process.env['DOCKER_HOST'] === undefined) process.env['TESTCONTAINERS_HOST_OVERRIDE'] ??= '127.0.0.1';

const opsPort = 8701;

class HardenedContainer extends GenericContainer {
  constructor(keys: string) {
    super(image);
    this.hostConfig.ReadonlyRootfs = true;
    this.hostConfig.PidsLimit = 64;
    this.withDroppedCapabilities('ALL')
      .withSecurityOpt('no-new-privileges')
      // Without the one writable place that an engine mounts into every container, /dev/shm.
      .withIpcMode('none')
      .withBindMounts([{ source: keys, target: '/etc/signer/keys', mode: 'ro' }])
      .withExposedPorts(opsPort);
  }
}

export interface SignerContainer extends AsyncDisposable {
  readonly id: string;
  /** The signer's own command in the same network namespace, as a neighbour would call it. */
  command(args: readonly string[], input?: string): Outcome;
  /** Everything printed so far. */
  logs(): string;
}

export interface StartOptions {
  /** More flags of `serve`. */
  readonly args?: readonly string[];
  readonly memoryMiB?: number;
  /** What to wait for; default: ready. */
  readonly until?: 'live' | 'ready';
  readonly mounts?: readonly { readonly source: string; readonly target: string }[];
}

/** Starts the signer on a key directory of this machine. */
export async function startContainer(
  keys: string,
  { args = [], memoryMiB, until = 'ready', mounts = [] }: StartOptions = {},
): Promise<SignerContainer> {
  // A temporary directory is its maker's alone; the user of the image is another one.
  chmodSync(keys, 0o755);
  const container = new HardenedContainer(keys)
    .withBindMounts([
      { source: keys, target: '/etc/signer/keys', mode: 'ro' },
      ...mounts.map((mount) => ({ ...mount, mode: 'rw' as const })),
    ])
    .withCommand(['serve', '--ops-listen=0.0.0.0:8701', ...args])
    .withWaitStrategy(Wait.forHttp(until === 'ready' ? '/readyz' : '/livez', opsPort))
    .withStartupTimeout(60_000);
  if (memoryMiB !== undefined) container.withResourcesQuota({ memory: memoryMiB / 1024 });
  const id = (await container.start()).getId();
  return {
    id,
    command: (args, input = '') => run(['exec', '--interactive', id, '/sidecar-signer', ...args], input),
    logs: () => docker('logs', id).output,
    [Symbol.asyncDispose]: async () => {
      docker('rm', '--force', '--volumes', id);
    },
  };
}

export interface Outcome {
  readonly ok: boolean;
  readonly stdout: Buffer;
  readonly stderr: string;
  /** Both, as text. */
  readonly output: string;
}

export function docker(...args: string[]): Outcome {
  return run(args, '');
}

function run(args: readonly string[], input: string): Outcome {
  const { status, stdout, stderr } = spawnSync('docker', args, { input, maxBuffer: 2 ** 30 });
  return {
    ok: status === 0,
    stdout,
    stderr: stderr.toString(),
    get output() {
      return `${stdout}${stderr}`;
    },
  };
}

/** Makes a directory of this machine belong to the user of the image, as its reader does with sudo. */
export function giveToSigner(directory: string): void {
  const script = "require('fs').chownSync('/d', 65532, 65532)";
  const volume = `--volume=${directory}:/d`;
  const flags = ['--rm', '--network=none', '--user=0', '--env=BUN_BE_BUN=1', volume];
  const { ok, output } = docker('run', ...flags, image, '--eval', script);
  if (!ok) throw new Error(output);
}

/** `docker inspect`, the part that a Go template picks, from JSON. */
export function inspect<T>(id: string, part: string): T {
  return JSON.parse(docker('inspect', '--format', `{{json ${part}}}`, id).output) as T;
}

/** Runs a script inside a container with the runtime that the binary carries: a compiled binary is a whole Bun. */
export function runInside(id: string, script: string, user?: string): Outcome {
  const as = user === undefined ? [] : ['--user', user];
  return docker('exec', '--env', 'BUN_BE_BUN=1', ...as, id, '/sidecar-signer', '--eval', script);
}
