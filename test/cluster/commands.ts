/** What the commands tell that are run in a signer's container. They need no flag: all is configured by variables. */

import { expect } from 'vitest';
import type { Namespace } from './kubernetes.ts';

interface KeySet {
  readonly name: string;
  readonly format: string;
  readonly algorithm: string;
  readonly allow: readonly string[];
  readonly keyIds: readonly string[];
}

/** The key sets that the signer in this pod serves; `check` must tell the same of them, and `healthcheck` be content. */
export function servedIn({ exec }: Namespace, pod: string): readonly KeySet[] {
  const command = (...args: readonly string[]) =>
    exec(pod, 'signer', ['/sidecar-signer', ...args]).toString();
  expect(command('healthcheck')).toBe('');
  const { valid, keys: checked } = JSON.parse(command('check', '--json')) as {
    readonly valid: boolean;
    readonly keys: readonly KeySet[];
  };
  const { keys: served } = JSON.parse(command('keys', 'list', '--json')) as {
    readonly keys: readonly KeySet[];
  };
  expect(valid).toBe(true);
  expect(checked.map(facts)).toEqual(served.map(facts));
  return served;
}

function facts({ name, format, algorithm, allow, keyIds: [primary] }: KeySet): object {
  return { name, format, algorithm, allow, primary };
}
