/** The lock files pin the content of every package, and fetch none from a place of their own. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

interface Entry {
  readonly version?: string;
  readonly integrity?: string;
}

const packagesOf = (lockFile: string): Readonly<Record<string, Entry>> =>
  JSON.parse(readFileSync(join(import.meta.dirname, lockFile), 'utf8')).packages;

/** The project itself, and its folder with what the server is built with. */
const own = ['', 'src', 'node_modules/sidecar-signer-server'];

function installed(lockFile: string): readonly (readonly [string, Entry])[] {
  return Object.entries(packagesOf(lockFile)).filter(([path]) => !own.includes(path));
}

/** What is wrong with an entry of the lock file; empty if nothing is. */
function problems([path, entry]: readonly [string, Entry]): readonly string[] {
  const isPinned = /^sha512-[\w+/]{86}==$/.test(entry.integrity ?? '');
  const isVersion = /^\d+\.\d+\.\d+/.test(entry.version ?? '');
  return [
    ...(isPinned ? [] : [`${path} has no SHA-512 in "integrity", so npm would install any content`]),
    ...(isVersion ? [] : [`${path} has no version of the registry`]),
    // .npmrc leaves out the address of the registry. Any other address would be fetched without a question.
    ...('resolved' in entry ? [`${path} names an address in "resolved"`] : []),
    ...('link' in entry ? [`${path} is a link`] : []),
  ];
}

describe('package-lock.json', () => {
  it.each([
    ['../package-lock.json', 300],
    ['interop/clients/package-lock.json', 200],
  ])('%s has the SHA-512 of every package, and no address', (lockFile, least) => {
    expect(installed(lockFile).length).toBeGreaterThan(least);
    expect(installed(lockFile).flatMap(problems)).toEqual([]);
  });

  it('has one link, to the folder of the server', () => {
    const { 'node_modules/sidecar-signer-server': link } = packagesOf('../package-lock.json');
    expect(link).toEqual({ resolved: 'src', link: true });
  });

  const version = '1.0.0';
  const integrity = `sha512-${'A'.repeat(86)}==`;
  it.each([
    [{ version }],
    [{ version, integrity: '' }],
    [{ version, integrity: `sha1-${'A'.repeat(27)}=` }],
    [{ version, integrity: `${integrity} sha1-${'A'.repeat(27)}=` }],
    [{ version, integrity, resolved: 'https://packages.example/x.tgz' }],
    [{ version: 'git+ssh://git@host.example/x.git', integrity }],
    [{ version, integrity, resolved: 'packages/x', link: true }],
  ])('a planted violation is found: %j', (entry) => {
    expect(problems(['node_modules/x', { version, integrity }])).toEqual([]);
    expect(problems(['node_modules/x', entry])).toHaveLength('link' in entry ? 2 : 1);
  });
});
