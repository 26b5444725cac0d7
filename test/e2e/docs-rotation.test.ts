/**
 * "Rotate a JWK set across replicas" of docs/keys-and-rotation.md, command by command as it stands, over two replicas whose mounts are updated one
 * after the other. A script stands for the cluster, of which the commands know one Secret and two pods.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { SignerClient } from '../../src/client/index.ts';
import { writeVolume } from '../support/atomic-writer.ts';
import { page } from '../support/docs.ts';
import { leaksOfAny } from '../support/leaks.ts';
import { openShell } from '../support/shell.ts';
import { type Signer, startSigner, waitFor } from '../support/signer.ts';

const blocks = page('docs/keys-and-rotation.md').blocksUnder('Rotate a JWK set across replicas');
const configuration = blocks.find(({ language }) => language === 'yaml')?.code ?? '';
const commands = blocks.filter(({ language }) => language === 'sh').map(({ code }) => code);
const [make = '', ...steps] = commands;
/** What follows a command on the page, if that is what it prints. */
const shownAfter = (command: string, from: number) => {
  const at = blocks.findIndex(({ code }, index) => code === command && index >= from);
  const next = blocks[at + 1];
  return { at, text: next?.language === 'text' ? `${next.code}\n` : '' };
};

const kubectl = `case "$*" in
  'apply -f -') applied=$(cat); printf '%s\\n' "$applied" > secret.yaml ;;
  'replace -f -') [[ -e secret.yaml ]]; applied=$(cat); printf '%s\\n' "$applied" > secret.yaml ;;
  # The manifest ends with its data.
  'patch secret signer-keys --patch-file /dev/stdin') sed '1,/^data:/d' >> secret.yaml ;;
  'get secret signer-keys -o yaml') cat secret.yaml ;;
  'get pods -l app.kubernetes.io/name=shop -o name') printf 'pod/%s\\n' a b ;;
  'exec pod/'?' -c signer -- /sidecar-signer '*) listen=$(cat "listen-\${2#pod/}"); shift 6; sidecar-signer "$@" --listen "$listen" ;;
  *) echo "kubectl $*: not a command of the page" >&2; exit 1 ;;
esac`;

const shell = openShell();
const replicas: { readonly volume: string; readonly signer: Signer; readonly client: SignerClient }[] = [];
const printed: string[] = [];
const secrets = new Set<string>();

const run = async (command: string) => {
  const output = await shell.run(command);
  printed.push(output);
  return output;
};
/** What the kubelet would mount. */
const mounted = () => {
  const { data } = parse(readFileSync(join(shell.directory, 'secret.yaml'), 'utf8'));
  const files = Object.entries<string>(data).map(
    ([name, text]) => [name, Buffer.from(text, 'base64')] as const,
  );
  return Object.fromEntries(files);
};
const setOf = () => {
  const set = JSON.parse(mounted()['session.jwks.json']?.toString() ?? '');
  for (const { k } of set.keys) secrets.add(k);
  return set as { readonly primary: string; readonly keys: readonly { readonly kid: string }[] };
};

beforeAll(async () => {
  shell.addCommand('kubectl', kubectl);
  await run(make);
  for (const name of ['a', 'b']) {
    const volume = join(shell.directory, 'mounts', name);
    writeVolume(volume, mounted());
    const config = join(shell.directory, 'config');
    writeVolume(config, { 'signer.yaml': configuration });
    const signer = await startSigner(['--keys', volume, '--config', join(config, 'signer.yaml')]);
    await signer.ready();
    writeFileSync(join(shell.directory, `listen-${name}`), new URL(signer.url).host);
    replicas.push({ volume, signer, client: new SignerClient({ url: signer.url }) });
  }
});
afterAll(async () => {
  await Promise.all(replicas.map(({ signer }) => signer.stop()));
  shell[Symbol.dispose]();
});

/** A token of each replica, verified by each. */
async function everyPair(): Promise<readonly string[]> {
  const session = replicas.map(({ client }) => client.keySet('session', 'jwt'));
  const tokens = await Promise.all(session.map((each) => each.sign({ claims: { sub: 'user-1' } })));
  const verdicts = await Promise.all(
    tokens.flatMap(({ token }) => session.map(async (each) => (await each.verify({ token })).valid)),
  );
  expect(verdicts).toEqual([true, true, true, true]);
  return tokens.map(({ token }) => token);
}

it('rotates a key without a signature that a replica does not verify', async () => {
  const [old = ''] = await everyPair();
  const seen: string[] = [];
  let from = 0;
  for (const command of steps) {
    const output = await run(command);
    const { at, text } = shownAfter(command, from);
    from = at + 1;
    expect(output).toBe(text);
    if (text !== '') {
      seen.push(text);
      continue;
    }
    const { primary, keys } = setOf();
    for (const { volume, client } of replicas) {
      writeVolume(volume, mounted());
      await waitFor(async () => {
        const shown = await client.keySet('session', 'jwt').describe();
        return shown.primary === primary && shown.keyIds.length === keys.length ? true : undefined;
      });
      await everyPair();
    }
  }
  expect(seen).toHaveLength(3);
  expect(setOf()).toMatchObject({ primary: '2026-12', keys: [{ kid: '2026-12' }] });
  // The entry of the other key set was added, and outlived the steps.
  expect(Object.keys(mounted()).sort()).toEqual(['partner.jwks.json', 'session.jwks.json']);
  for (const { client } of replicas) {
    const verdict = await client.keySet('session', 'jwt').verify({ token: old });
    expect(verdict).toEqual({ valid: false, reason: 'mismatch' });
  }
  const keys = [...secrets].map((k) => Buffer.from(k, 'base64url'));
  expect(keys).toHaveLength(2);
  expect(leaksOfAny(printed.join('\n'), keys)).toEqual([]);
});
