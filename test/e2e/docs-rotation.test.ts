/**
 * "Rotate a JWK set across replicas" and "Two files in Kubernetes" of docs/keys-and-rotation.md, command by command as they
 * stand, over two replicas whose mounts are updated one after the other. A script stands for the cluster, of which the
 * commands know one Secret and two pods.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { SignerClient } from '../../src/client/index.ts';
import { writeVolume } from '../support/atomic-writer.ts';
import { page } from '../support/docs.ts';
import { leaksOfAny } from '../support/leaks.ts';
import { openShell } from '../support/shell.ts';
import { type Signer, startSigner, waitFor } from '../support/signer.ts';

const document = page('docs/keys-and-rotation.md');

const kubectl = `case "$*" in
  'apply -f -') applied=$(cat); printf '%s\\n' "$applied" > secret.yaml ;;
  'replace -f -') [[ -e secret.yaml ]]; applied=$(cat); printf '%s\\n' "$applied" > secret.yaml ;;
  # The manifest ends with its data.
  'patch secret signer-keys --patch-file /dev/stdin') sed '1,/^data:/d' >> secret.yaml ;;
  # A merge patch with null removes the entry, which is one line.
  'patch secret signer-keys --type merge -p '*) name=$(sed 's/.*"data":{"\\([^"]*\\)".*/\\1/' <<<"\${!#}"); sed -i "/^  $name: /d" secret.yaml ;;
  'get secret signer-keys -o yaml') cat secret.yaml ;;
  'get pods -l app.kubernetes.io/name=shop -o name') printf 'pod/%s\\n' a b ;;
  'exec pod/'?' -c signer -- /sidecar-signer '*) listen=$(cat "listen-\${2#pod/}"); shift 6; sidecar-signer "$@" --listen "$listen" ;;
  *) echo "kubectl $*: not a command of the page" >&2; exit 1 ;;
esac`;

interface Replica {
  readonly volume: string;
  readonly signer: Signer;
  readonly client: SignerClient;
}

/** The cluster, with two replicas that have read the Secret that a command made. */
async function openCluster(configuration: string, make: string) {
  const shell = openShell();
  const replicas: Replica[] = [];
  onTestFinished(async () => {
    await Promise.all(replicas.map(({ signer }) => signer.stop()));
    shell[Symbol.dispose]();
  });
  /** What the kubelet would mount. */
  const mounted = () => {
    const { data } = parse(readFileSync(join(shell.directory, 'secret.yaml'), 'utf8'));
    const files = Object.entries<string>(data).map(
      ([name, text]) => [name, Buffer.from(text, 'base64')] as const,
    );
    return Object.fromEntries(files);
  };
  const printed: string[] = [];
  const run = async (command: string) => {
    const output = await shell.run(command);
    printed.push(output);
    return output;
  };
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
  return { replicas, run, mounted, printed };
}

/** A token of each replica, verified by each. */
async function everyPair(replicas: readonly Replica[]): Promise<readonly string[]> {
  const session = replicas.map(({ client }) => client.keySet('session', 'jwt'));
  const tokens = await Promise.all(session.map((each) => each.sign({ claims: { sub: 'user-1' } })));
  const verdicts = await Promise.all(
    tokens.flatMap(({ token }) => session.map(async (each) => (await each.verify({ token })).valid)),
  );
  expect(verdicts).toEqual([true, true, true, true]);
  return tokens.map(({ token }) => token);
}

it('rotates a key without a signature that a replica does not verify', async () => {
  const blocks = document.blocksUnder('Rotate a JWK set across replicas');
  const configuration = blocks.find(({ language }) => language === 'yaml')?.code ?? '';
  const commands = blocks.filter(({ language }) => language === 'sh').map(({ code }) => code);
  const [make = '', ...steps] = commands;
  /** What follows a command on the page, if that is what it prints. */
  const shownAfter = (command: string, from: number) => {
    const at = blocks.findIndex(({ code }, index) => code === command && index >= from);
    const next = blocks[at + 1];
    return { at, text: next?.language === 'text' ? `${next.code}\n` : '' };
  };
  const { replicas, run, mounted, printed } = await openCluster(configuration, make);
  const secrets = new Set<string>();
  const setOf = () => {
    const set = JSON.parse(mounted()['session.jwks.json']?.toString() ?? '');
    for (const { k } of set.keys) secrets.add(k);
    return set as { readonly primary: string; readonly keys: readonly { readonly kid: string }[] };
  };
  const [old = ''] = await everyPair(replicas);
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
      await everyPair(replicas);
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

it('rotates with two files: what the old key signed verifies on every replica until its entry is removed', async () => {
  const [configuration] = document.blocksUnder('Rotate with two files', 'yaml');
  const steps = document.blocksUnder('Two files in Kubernetes', 'sh').map(({ code }) => code);
  const [shown] = document.blocksUnder('Two files in Kubernetes', 'text');
  const make = 'sidecar-signer keys new --encoding hex orders -o secret | kubectl apply -f -';
  const { replicas, run, mounted, printed } = await openCluster(configuration?.code ?? '', make);
  const sets = replicas.map(({ client }) => client.keySet('orders', 'raw'));
  const secrets = new Set(Object.values(mounted()).map((file) => `${file}`));
  const [before] = await Promise.all(sets.map((each) => each.sign({ message: 'm' })));
  const verifyOld = async () => {
    const request = { message: 'm', signature: before?.signature ?? '' };
    return Promise.all(sets.map(async (each) => (await each.verify(request)).valid));
  };
  const [rotate = '', list = '', remove = '', ...more] = steps;
  expect(more).toEqual([]);

  await run(rotate);
  const files = mounted();
  expect(Object.keys(files)).toEqual(['orders', 'orders.previous']);
  secrets.add(`${files['orders']}`);
  for (const { volume, client } of replicas) {
    writeVolume(volume, files);
    const isThere = async () => (await client.keySet('orders', 'raw').describe()).keyIds.length === 2;
    await waitFor(async () => ((await isThere()) ? true : undefined));
    expect(await verifyOld()).toEqual([true, true]);
  }
  const ids = (await sets[0]?.describe())?.keyIds ?? [];
  expect(ids[1]).toBe(before?.keyId);
  const [primary = '', previous = ''] = ids;
  // The ids on the page are of other keys.
  const [, first = '', second = ''] = /primary (\w+), also verifies (\w+)/.exec(shown?.code ?? '') ?? [];
  expect(await run(list)).toBe(`${shown?.code}\n`.replaceAll(first, primary).replaceAll(second, previous));

  await run(remove);
  expect(Object.keys(mounted())).toEqual(['orders']);
  for (const { volume, client } of replicas) {
    writeVolume(volume, mounted());
    const isGone = async () => (await client.keySet('orders', 'raw').describe()).keyIds.length === 1;
    await waitFor(async () => ((await isGone()) ? true : undefined));
  }
  expect(await verifyOld()).toEqual([false, false]);
  expect(secrets.size).toBe(2);
  const keys = [...secrets].map((hex) => Buffer.from(hex, 'hex'));
  expect(leaksOfAny(printed.join('\n'), keys)).toEqual([]);
});
