/** What the suite needs of a machine: a container engine with compose, and a browser. */

import { spawnSync } from 'node:child_process';

/** The system's Chromium, whatever it is called; `CHROMIUM` names another. Empty where there is none. */
export function chromiumPath(): string {
  const names = [process.env['CHROMIUM'] ?? [], 'chromium', 'chromium-browser', 'google-chrome'].flat();
  const paths = names.map((name) => `${spawnSync('sh', ['-c', 'command -v "$0"', name]).stdout}`.trim());
  return paths.find((path) => path !== '') ?? '';
}

/** Why this machine cannot run the suite; undefined when it can. */
export function obstacle(): string | undefined {
  if (spawnSync('docker', ['info']).status !== 0) return 'no container engine answers "docker info"';
  if (spawnSync('docker', ['compose', 'version']).status !== 0) return 'there is no "docker compose"';
  if (chromiumPath() === '') return 'there is no Chromium; install it, or set CHROMIUM to its path';
  return undefined;
}
