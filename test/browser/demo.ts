/** The demo as its users start it: by compose, under a project name, ports and image names of its own. */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { waitFor } from '../support/signer.ts';

const root = join(import.meta.dirname, '../..');

/** Both are built where they are not named. */
const { SIGNER_IMAGE, SHOP_IMAGE } = process.env;
const built = SIGNER_IMAGE === undefined || SHOP_IMAGE === undefined;
const images = built
  ? { SIGNER_IMAGE: 'sidecar-signer:browser-suite', SHOP_IMAGE: 'sidecar-signer-demo:browser-suite' }
  : { SIGNER_IMAGE, SHOP_IMAGE };

export interface Demo extends AsyncDisposable {
  /** Origins of the shop with the signer, and of the one with keys of its own. */
  readonly url: string;
  readonly exposedUrl: string;
  /** Standard output of `docker compose …`; throws with what it says when it fails. */
  compose(...args: readonly string[]): Buffer;
  /** Starts what does not run, and waits until a browser can rely on the network. */
  up(): Promise<void>;
  /** The container of a service, as `docker inspect` has it. */
  inspect(service: string): Container;
  /** The text of a key file, from the volume of the signer or of the shop with keys of its own. */
  keyText(of: 'signer' | 'exposed-shop', name: string): string;
}

export interface Container {
  readonly Id: string;
  /** The id of its image. */
  readonly Image: string;
  readonly State: { readonly ExitCode: number };
  readonly Config: { readonly User: string; readonly Env: readonly string[] };
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean;
    readonly CapDrop: readonly string[];
    readonly SecurityOpt: readonly string[];
    readonly Memory: number;
    readonly PidsLimit: number;
    readonly NetworkMode: string;
    readonly PortBindings: Readonly<Record<string, readonly { readonly HostIp: string }[]>>;
  };
  readonly Mounts: readonly { readonly Destination: string; readonly RW: boolean }[];
}

export interface DemoOptions {
  /** What another compose file says over docker/compose.yaml. */
  readonly override?: object;
  /** The services to start. Default: all. */
  readonly services?: readonly string[];
  readonly shopPort?: number;
}

/** By compose, as users do; called once, before all files of the suite. */
export function buildImages(): void {
  if (built) docker(['compose', '--file', 'docker/compose.yaml', 'build'], images);
}

/** Starts the images that {@link buildImages} has built; resolves when the shop answers. */
export async function startDemo({ override = {}, services = [], shopPort }: DemoOptions = {}): Promise<Demo> {
  const ports = { SHOP_PORT: `${shopPort ?? (await freePort())}`, EXPOSED_SHOP_PORT: `${await freePort()}` };
  const project = `signer-demo-${randomBytes(4).toString('hex')}`;
  const compose = (...args: readonly string[]) =>
    docker(
      ['compose', '--project-name', project, '--file', 'docker/compose.yaml', '--file', '-', ...args],
      { ...images, ...ports },
      JSON.stringify({ services: {}, ...override }),
    );
  const down = () => {
    compose('down', '--volumes', '--timeout', '1');
  };
  const url = `http://localhost:${ports.SHOP_PORT}`;
  // Those that are there before the demo are of networks without a carrier, and stay tentative.
  const others = new Set(tentativeAddresses());
  const up = async () => {
    compose('up', '--no-build', '--detach', ...services);
    await waitFor(() => tentativeAddresses().every((each) => others.has(each)) || undefined);
  };
  try {
    await up();
    await waitFor(() =>
      fetch(url)
        .then(({ ok }) => ok || undefined)
        .catch(() => undefined),
    );
  } catch (error) {
    down();
    throw error;
  }
  return {
    url,
    exposedUrl: `http://localhost:${ports.EXPOSED_SHOP_PORT}`,
    compose,
    up,
    inspect: (service) => {
      const [container] = JSON.parse(`${docker(['inspect', `${project}-${service}-1`])}`) as Container[];
      if (container === undefined) throw new Error(`there is no container of ${service}`);
      return container;
    },
    keyText: (of, name) => {
      const directory = of === 'signer' ? '/etc/signer/keys' : '/etc/shop/keys';
      return contentOf(compose('cp', `${of}:${directory}/${name}`, '-'));
    },
    [Symbol.asyncDispose]: async () => down(),
  };
}

function docker(args: readonly string[], env: Readonly<Record<string, string>> = {}, input = ''): Buffer {
  const options = { cwd: root, env: { ...process.env, ...env }, input, maxBuffer: 2 ** 30 };
  const { status, stdout, stderr } = spawnSync('docker', args, options);
  if (status !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

/**
 * The addresses that the machine is about to get, as it does a second after a container started. A browser then gives up
 * the connections that it is opening. Linux: the flag IFA_F_TENTATIVE.
 */
function tentativeAddresses(): string[] {
  const path = '/proc/net/if_inet6';
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'latin1').trim().split('\n');
  return lines.filter((line) => (Number.parseInt(line.split(/ +/)[4] ?? '', 16) & 0x40) !== 0);
}

/** Of the one small file of a tar archive (POSIX.1-2001 ustar header). */
function contentOf(tar: Buffer): string {
  return tar.toString('latin1', 512, 512 + Number.parseInt(tar.toString('latin1', 124, 135), 8));
}
