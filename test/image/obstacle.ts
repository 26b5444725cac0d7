/** What the suite needs of a machine: a container engine with compose, and the image. */

import { spawnSync } from 'node:child_process';

export const image: string = process.env['SIGNER_IMAGE'] ?? 'sidecar-signer:dev';

/** Why this machine cannot run the suite; undefined when it can. */
export function obstacle(): string | undefined {
  if (spawnSync('docker', ['info']).status !== 0) return 'no container engine answers "docker info"';
  if (spawnSync('docker', ['compose', 'version']).status !== 0) return 'there is no "docker compose"';
  if (spawnSync('docker', ['image', 'inspect', image]).status !== 0)
    return `there is no image ${image}; build it with "npm run image"`;
  return undefined;
}
