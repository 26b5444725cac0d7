/** `inject` as a command: its streams, exit codes, flags and speed. */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import packageJson from '../../../package.json' with { type: 'json' };
import { run } from '../../support/command.ts';
import { binary, temporaryDirectory } from '../../support/signer.ts';

const labelled = `# Source: shop/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  labels: { sidecar-signer/inject: "true" }
spec:
  template:
    spec:
      containers:
        - name: web # the shop
          image: 'shop:1'
`;
const service = '---\nkind:   Service\napiVersion: v1\nmetadata: {name: shop}\n';
const dangerous = labelled.replace('    spec:\n', '    spec:\n      hostPID: true\n');

const read = (text: string) => parseAllDocuments(text, { version: '1.1' }).map((each) => each.toJS());

describe('inject', () => {
  it('reads standard input and writes the manifests, with a summary on standard error', async () => {
    for (const args of [['inject'], ['inject', '-']]) {
      const { code, stdout, stderr } = await run(args, { input: labelled + service });
      expect({ code, stderr }).toEqual({
        code: 0,
        stderr:
          '✓ Deployment/shop: signer added, for web; automountServiceAccountToken, enableServiceLinks, shareProcessNamespace set to false\n',
      });
      expect(stdout.endsWith(service)).toBe(true);
      expect(stdout).toContain("        - name: web # the shop\n          image: 'shop:1'\n          env:\n");
      expect(stdout).toContain(`image: sidecar-signer:${packageJson.version}\n`);
    }
  });

  it('reads a file, changes nothing in a second pass, and --remove gives back the same bytes', async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, 'in.yaml');
    const from = `\uFEFF${(labelled + service).replaceAll('\n', '\r\n')}`;
    writeFileSync(file, from);
    const inject = (args: readonly string[], input?: Buffer) => {
      const { status, stdout, stderr } = spawnSync(binary, ['inject', ...args], { input });
      expect(status).toBe(0);
      return { stdout, stderr: stderr.toString() };
    };
    const once = inject([file]);
    const twice = inject([], once.stdout);
    expect(twice.stdout.equals(once.stdout)).toBe(true);
    expect(twice.stderr).toBe('- Deployment/shop: has the signer already\n');
    const removed = inject(['--remove'], once.stdout);
    expect(removed.stdout.toString()).toBe(from);
    expect(removed.stderr).toBe('✓ Deployment/shop: signer removed\n');
    expect(readFileSync(file, 'utf8')).toBe(from);
  });

  it('takes every flag', async () => {
    const args = [
      ...['--all', '--classic', '--image', 'r.example/s:1', '--secret', 'keys', '--config-map', 'none'],
      ...['--socket', '/s/x.sock', '--caller', 'web=web', '--caller', 'jobs=worker,cron', '--cpu', '10m'],
      ...[
        '--cpu-limit',
        '1',
        '--memory',
        '50Mi',
        '--memory-limit',
        '100Mi',
        '--uid',
        '77',
        '--ops-port',
        '9000',
      ],
      ...['--env', 'SIGNER_LOG_LEVEL=warn', '--env', 'SIGNER_AUDIT=-'],
    ];
    const { code, stdout, stderr } = await run(['inject', ...args], { input: labelled });
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(/^✓ .*\n! .*no container worker, cron\n$/),
    });
    const [{ spec }] = read(stdout);
    expect(spec.template.spec.containers[1]).toMatchObject({
      name: 'signer',
      image: 'r.example/s:1',
      env: expect.arrayContaining([
        { name: 'SIGNER_SOCKET', value: 'web=/s/web/x.sock,jobs=/s/jobs/x.sock' },
        { name: 'SIGNER_LOG_LEVEL', value: 'warn' },
        { name: 'SIGNER_AUDIT', value: '-' },
      ]),
      ports: [{ containerPort: 9000 }],
      resources: { requests: { cpu: '10m', memory: '50Mi' }, limits: { cpu: '1', memory: '100Mi' } },
      securityContext: { runAsUser: 77 },
    });
    expect(spec.template.spec.volumes.map(({ name }: { name: string }) => name)).toEqual([
      'signer-keys',
      'signer-socket-web',
      'signer-socket-jobs',
    ]);
  });

  it('says why it left a workload alone, and what to do', async () => {
    const unlabelled = labelled.replace(/ {2}labels.*\n/, '');
    expect(await run(['inject'], { input: unlabelled })).toEqual({
      code: 0,
      stdout: unlabelled,
      stderr:
        '- Deployment/shop: left alone, because it has no label sidecar-signer/inject: "true"\nnothing was changed; give a workload the label sidecar-signer/inject: "true", or use --all\n',
    });
  });

  it('refuses with exit code 1 and writes nothing; --force overrides it', async () => {
    const { code, stdout, stderr } = await run(['inject'], {
      input: service + dangerous.replace(/^/, '---\n'),
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(
      '✗ Deployment/shop: hostPID is true: the application could read the files of the signer through the /proc of the node; remove it\nnothing was written; to do it although the key is less protected, use --force\n',
    );
    const forced = await run(['inject', '--force'], { input: dangerous });
    expect(forced.code).toBe(0);
    expect(forced.stderr).toContain('! Deployment/shop: forced, although hostPID is true');
    expect(forced.stdout).toContain('name: signer\n');
  });

  it.each([
    ['', ''],
    ['---\n', ''],
    ['# only a comment\n', ''],
    [service, ''],
  ])('writes %j as it is, with exit code 0', async (input) => {
    expect(await run(['inject'], { input })).toEqual({
      code: 0,
      stdout: input,
      stderr: 'there is no workload in the input\n',
    });
  });

  it.each<[string, string | Uint8Array, RegExp]>([
    ['broken YAML', `${labelled}---\na: b: c\n`, /^✗ line 14: is not valid YAML: a second colon/],
    ['a key twice', `${labelled}          image: other\n`, /^✗ line 13: a key occurs twice/],
    ['tabs', `${labelled}\tx: 1\n`, /^✗ line 13: is not valid YAML: tabs/],
    ['UTF-16', Buffer.from(labelled, 'utf16le'), /^sidecar-signer: standard input is not UTF-8 text/],
    [
      'Latin-1',
      Buffer.from('a: \xe9\n', 'latin1'),
      /^sidecar-signer: standard input is not UTF-8 text; save it as UTF-8\n$/,
    ],
    [
      'more than 16 MiB',
      'a'.repeat(16 * 2 ** 20 + 1),
      /^sidecar-signer: standard input is longer than 16 MiB/,
    ],
  ])('refuses %s', async (_, input, message) => {
    const { code, stdout, stderr } = await run(['inject'], { input });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it('refuses a file that is missing', async () => {
    expect(await run(['inject', '/does/not/exist.yaml'])).toMatchObject({ code: 1, stdout: '' });
  });

  it.each<[readonly string[], string]>([
    [['--caller', 'web'], 'expected NAME=CONTAINER'],
    [['--caller', 'tcp=web'], 'expected NAME=CONTAINER'],
    [['--caller', 'Web=web'], 'expected NAME=CONTAINER'],
    [['--caller', 'a=web', '--caller', 'a=x'], 'the caller "a" is given twice'],
    [['--caller', 'a=web', '--caller', 'b=web'], 'the container "web" has two callers'],
    [['--caller', 'a=web', '--containers', 'web'], "cannot be used with option '--containers <names>'"],
    [['--tcp', '--containers', 'web'], "cannot be used with option '--containers <names>'"],
    [['--tcp', '--socket', '/run/x/s.sock'], "cannot be used with option '--socket <path>'"],
    [['--secret', 'a', '--secret-provider-class', 'b'], "cannot be used with option '--secret <name>'"],
    [['--containers', 'web,,x'], 'expected names of containers'],
    [['--socket', 'relative.sock'], 'expected an absolute path'],
    [['--socket', '/x.sock'], 'expected an absolute path'],
    [['--socket', '/run/../x.sock'], 'expected an absolute path'],
    [['--socket', '/run/a,b/x.sock'], 'expected an absolute path'],
    [['--image', 'two words'], 'expected a value without spaces'],
    [['--secret', 'Not_A_Name'], 'expected the name of an object'],
    [['--memory', '1 GB'], 'expected a quantity'],
    [['--uid', '0'], 'expected a whole number from 1'],
    [['--ops-port', '80'], 'expected a whole number from 1024'],
    [['--env', 'PATH=/x'], 'expected a variable of serve'],
    [['--env', 'SIGNER_LISTEN=0.0.0.0:8700'], 'SIGNER_LISTEN follows from the other flags'],
    [['a.yaml', 'b.yaml'], "too many arguments for 'inject'"],
  ])('%j is a usage error', async (args, message) => {
    const { code, stdout, stderr } = await run(['inject', ...args], { input: labelled });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
  });

  it('with --json prints the summary as JSON, and the manifests as ever', async () => {
    const plain = await run(['inject'], { input: labelled });
    const { stdout, stderr } = await run(['inject', '--json'], { input: labelled });
    expect(stdout).toBe(plain.stdout);
    expect(JSON.parse(stderr)).toEqual({
      workloads: [
        {
          workload: 'Deployment/shop',
          line: 1,
          action: 'added',
          containers: ['web'],
          switches: ['automountServiceAccountToken', 'enableServiceLinks', 'shareProcessNamespace'],
          reasons: [],
          notes: [],
        },
      ],
      problems: [],
    });
  });

  it('does not let a name speak to the terminal', async () => {
    const input = labelled.replace('name: shop', 'name: "\\e[31mred"');
    const { stderr } = await run(['inject'], { input });
    expect(stderr).not.toContain('\u001b');
    expect(stderr).toContain('\\u001b[31mred');
  });

  it('is a post-renderer of Helm: as a command with arguments (3), and as a plugin (4)', () => {
    const text = readFileSync(
      join(import.meta.dirname, '../../../manifests/helm-plugin/plugin.yaml'),
      'utf8',
    );
    const { version, runtimeConfig, ...plugin } = parse(text);
    expect(plugin).toEqual({
      apiVersion: 'v1',
      type: 'postrenderer/v1',
      name: 'sidecar-signer',
      runtime: 'subprocess',
    });
    expect(version).toBe(packageJson.version);
    const [{ command, args }] = runtimeConfig.platformCommand;
    // Helm finds the command in the PATH, and puts --post-renderer-args behind its arguments.
    const options = { input: labelled, encoding: 'utf8', env: { PATH: dirname(binary) } } as const;
    const { status, stdout } = spawnSync(command, [...args, '--all'], options);
    expect(status).toBe(0);
    expect(stdout).toContain('name: signer\n');
    // A failure must end the installation.
    expect(spawnSync(command, args, { ...options, input: dangerous }).status).toBe(1);
  });

  it('adds the signer to 1,000 documents in less than four seconds of processor time', () => {
    const document = (index: number) => `---\n${labelled.replace('name: shop', `name: shop-${index}`)}`;
    const input = Array.from({ length: 1000 }, (_, index) => document(index)).join('');
    const options = { input, encoding: 'utf8', maxBuffer: 2 ** 27 } as const;
    const seconds = Array.from({ length: 3 }, () => {
      // `times` writes, in its second line, the user and system time of the commands that have ended.
      const { stdout, stderr } = spawnSync('sh', ['-c', '"$0" inject --all; times >&2', binary], options);
      expect(stdout.match(/name: signer\n/g)).toHaveLength(1000);
      const lines = stderr.trimEnd().split('\n');
      expect(lines).toHaveLength(1002);
      const [user = 0, system = 0] = [...(lines.at(-1) ?? '').matchAll(/(\d+)m([\d.]+)s/g)].map(
        ([, minutes, rest]) => 60 * Number(minutes) + Number(rest),
      );
      return user + system;
    });
    expect(Math.min(...seconds)).toBeGreaterThan(0.1);
    // On its own it takes 1.6. Other tests run beside this one, and share its caches.
    expect(Math.min(...seconds)).toBeLessThan(4);
  });
});
