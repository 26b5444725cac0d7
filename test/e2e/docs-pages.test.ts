/** The pages work when they are followed from the top: files are written, commands run and answer as the pages show. */

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CodeBlock, page, pages } from '../support/docs.ts';
import { freePort } from '../support/free-port.ts';
import { openShell } from '../support/shell.ts';
import { binary, waitFor } from '../support/signer.ts';

const root = join(import.meta.dirname, '../..');
/** Commands that other tests run, or that need a cluster, an engine or another directory. */
const elsewhere: Readonly<Record<string, readonly string[] | 'all'>> = {
  'README.md': ['Try it', 'See the difference: the demo', 'Install'],
  'docs/keys-and-rotation.md': ['Rotate a JWK set across replicas', 'Two files in Kubernetes'],
  'docs/kubernetes/README.md': 'all',
  'docs/kubernetes/before-1.29.md': 'all',
  'docs/kubernetes/deployment.md': 'all',
  'docs/kubernetes/helm.md': 'all',
  'docs/kubernetes/kustomize.md': 'all',
  'docs/kubernetes/pod.md': 'all',
  'docs/compose.md': 'all',
  // test/interop/recipes.test.ts follows these.
  'docs/recipes/django.md': ['The application'],
  'docs/recipes/flask.md': ['The application'],
  // test/interop/languages.test.ts follows it.
  'docs/languages/curl.md': 'all',
};
/** What succeeds on a machine that has the language. */
const needs: Readonly<Record<string, string>> = {
  Perl: 'perl -MHTTP::Tiny -MJSON::PP -e 1',
};

interface Reader extends AsyncDisposable {
  /** Takes the blocks one after the other. */
  follow(blocks: readonly CodeBlock[]): Promise<void>;
  /** Runs each command of a console block, and compares what it prints. */
  followConsole(block: CodeBlock): Promise<void>;
}

async function openReader(): Promise<Reader> {
  const [port, opsPort, ownPort] = [await freePort(), await freePort(), await freePort()];
  const listen = `127.0.0.1:${port}`;
  const opsListen = `127.0.0.1:${opsPort}`;
  const shell = openShell({ SIGNER_LISTEN: listen });
  const modules = join(shell.directory, 'node_modules/sidecar-signer');
  mkdirSync(modules, { recursive: true });
  symlinkSync(join(root, 'src/client/index.ts'), join(modules, 'client.ts'));
  writeFileSync(join(modules, 'package.json'), '{"type":"module","exports":{"./client":"./client.ts"}}');
  const started: ReturnType<typeof shell.start>[] = [];
  const here = (text: string) =>
    text
      .replaceAll('127.0.0.1:8700', listen)
      .replaceAll('127.0.0.1:8701', opsListen)
      .replaceAll("'127.0.0.1', 8700", `'127.0.0.1', ${port}`)
      .replaceAll('SignerClient()', `SignerClient({ url: 'http://${listen}' })`)
      .replaceAll('SignerClient({ timeoutMs', `SignerClient({ url: 'http://${listen}', timeoutMs`)
      .replaceAll('8080', `${ownPort}`);
  const answers = (url: string) =>
    waitFor(async () => {
      const response = await fetch(url, { headers: { 'sec-signer': '1' } }).catch(() => undefined);
      return response !== undefined && response.status !== 503 ? true : undefined;
    });
  const stop = async () => {
    for (const each of started.splice(0)) {
      const ended = each.exitCode === null ? once(each, 'exit') : undefined;
      each.kill('SIGKILL');
      await ended;
    }
  };
  return {
    follow: async (blocks) => {
      for (const [index, { language, code, file }] of blocks.entries()) {
        if (file !== undefined) {
          mkdirSync(dirname(join(shell.directory, file)), { recursive: true });
          writeFileSync(join(shell.directory, file), here(code));
        }
        if (language === 'sh' && code.startsWith('sidecar-signer serve ')) {
          // A page that starts another one has told its reader to stop the one before.
          await stop();
          started.push(shell.start(`${code} --listen ${listen} --ops-listen ${opsListen}`));
          await answers(`http://${listen}/v1/keys`);
        } else if (language === 'sh') {
          const printed = await shell.run(here(code));
          const next = blocks[index + 1];
          const seen = writesKeys(code) ? String : shapeOf;
          if (next?.language === 'text') expect(seen(printed), code).toBe(seen(`${next.code}\n`));
          if (next?.language === 'json') {
            expect(shapeOf(JSON.parse(printed)), code).toBe(shapeOf(JSON.parse(next.code)));
          }
        } else if (file !== undefined && started.length > 0) {
          const node = `env ${code.includes('SIGNER_SOCKET') ? 'SIGNER_SOCKET=signer.sock' : ''} node ${file}`;
          if (language === 'python') await shell.run(`python3 ${file}`);
          if (code.includes('.listen(8080')) {
            started.push(shell.start(node));
            await answers(`http://127.0.0.1:${ownPort}`);
          } else if (language === 'ts') expect(await shell.run(node)).not.toMatch(/not valid|false/);
        }
      }
    },
    followConsole: async ({ code }) => {
      for (const [, command = '', shown = ''] of code.matchAll(/^\$ (.*)\n((?:(?!\$ ).*(?:\n|$))*)/gm)) {
        const printed = await shell.run(here(command));
        expect(shapeOf(printed.trimEnd()), command).toBe(shapeOf(shown.trimEnd()));
      }
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      shell[Symbol.dispose]();
    },
  };
}

/** Whether the keys that a block checks are written in it, so that the page can show their ids. */
function writesKeys(code: string): boolean {
  return /^(?:printf|echo) (?:.*\n)*sidecar-signer check /m.test(code) && !code.includes('keys new');
}

/** With what differs from run to run replaced: times, and words that are long and have a digit, or are very long. */
function shapeOf(value: unknown): string {
  const seen: string[] = [];
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 1);
  // A time in a metric has as many digits behind the point as it needs.
  const even = text.replaceAll(/\b(\d{10})\.\d{1,3}\b/g, '$1');
  return even.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z|[\w+/-]+/g, (word) => {
    if (word.length < (/\d/.test(word) ? 6 : 24)) return word;
    if (!seen.includes(word)) seen.push(word);
    // The same word stands for the same value.
    return `<${seen.indexOf(word)}: ${word.length} characters>`;
  });
}

const followed = pages.flatMap(({ path, blocks }) => {
  const left = elsewhere[path] ?? [];
  const taken = blocks.filter(({ heading }) => left !== 'all' && !left.includes(heading));
  return taken.some(({ language }) => language === 'sh') ? [{ path, blocks: taken }] : [];
});

it.each(followed)('$path is followed', { timeout: 120_000 }, async ({ blocks }) => {
  await using reader = await openReader();
  await reader.follow(blocks);
});

describe('docs/other-languages.md', { timeout: 120_000 }, () => {
  const { blocks } = page('docs/other-languages.md');
  let reader: Reader;
  beforeAll(async () => {
    reader = await openReader();
    await reader.follow(blocks.filter(({ heading }) => heading === 'Before you begin'));
  });
  afterAll(() => reader[Symbol.asyncDispose]());

  it.for(
    Object.entries(needs).map(([heading, command]) => {
      const has = spawnSync('bash', ['-c', command]).status === 0;
      return { heading, has, name: has ? heading : `${heading} (skipped: "${command}" fails here)` };
    }),
  )('$name', async ({ heading, has }, { skip }) => {
    if (!has) skip();
    const section = blocks.filter((each) => each.heading === heading);
    await reader.follow(section);
    for (const each of section) if (each.language === 'console') await reader.followConsole(each);
  });
});

describe('docs/command-line.md', () => {
  const { table, tables } = page('docs/command-line.md');
  const help = (...command: string[]) =>
    spawnSync(binary, [...command, '--help'], { encoding: 'utf8' }).stdout;
  const commandsOf = (text: string) =>
    [...(text.split('Commands:')[1] ?? '').matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name);

  it('lists the commands that there are', () => {
    const listed = table('Commands', 'command').rows.map(([name]) => name);
    expect([...listed, 'help'].sort()).toEqual(commandsOf(help()).sort());
    const ofKeys = table('Commands', 'command of keys').rows.map(([name = '']) => name.replace('keys ', ''));
    expect([...ofKeys, 'help'].sort()).toEqual(commandsOf(help('keys')).sort());
  });

  it.each(tables.filter(({ header }) => header[0] === 'flag'))(
    'lists the flags that $heading has',
    ({ heading, rows }) => {
      const flagsOf = (text: string) => text.match(/--[a-z-]+/g) ?? [];
      const helps = heading.split(', ').map((command) => help(...command.split(' ')));
      const actual = helps.flatMap((text) =>
        flagsOf([...text.matchAll(/^ {2}(?:-\w, )?(--\S+)/gm)].join(' ')),
      );
      const listed = rows.flatMap(([flag = '']) => flagsOf(flag));
      expect([...listed, '--help'].sort()).toEqual([...new Set(actual)].sort());
    },
  );
});
