/** Help, version and usage errors, as transcripts. */

import { describe, expect, it } from 'vitest';
import packageJson from '../../../package.json' with { type: 'json' };
import { run } from '../../support/command.ts';

/** Every command with the flags and arguments that it has, and the variable of each flag that has one. */
const commands: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  serve: {
    '--keys': 'SIGNER_KEYS',
    '--config': 'SIGNER_CONFIG',
    '--listen': 'SIGNER_LISTEN',
    '--socket': 'SIGNER_SOCKET',
    '--socket-mode': 'SIGNER_SOCKET_MODE',
    '--ops-listen': 'SIGNER_OPS_LISTEN',
    '--allowed-host': 'SIGNER_ALLOWED_HOST',
    '--ops-allowed-host': 'SIGNER_OPS_ALLOWED_HOST',
    '--allow-remote': 'SIGNER_ALLOW_REMOTE',
    '--shutdown-delay': 'SIGNER_SHUTDOWN_DELAY',
    '--log-level': 'SIGNER_LOG_LEVEL',
    '--log-format': 'SIGNER_LOG_FORMAT',
    '--audit': 'SIGNER_AUDIT',
    '--audit-on-failure': 'SIGNER_AUDIT_ON_FAILURE',
  },
  check: {
    '--keys': 'SIGNER_KEYS',
    '--config': 'SIGNER_CONFIG',
    '--secret': '',
    '--listen': 'SIGNER_LISTEN',
    '--socket': 'SIGNER_SOCKET',
    '--json': '',
  },
  sign: {
    '<key>': '',
    '[file]': '',
    '--listen': 'SIGNER_LISTEN',
    '--socket': 'SIGNER_SOCKET',
    '--request': '',
    '--tenant': '',
    '--url': '',
    '--method': '',
    '--id': '',
    '--json': '',
  },
  verify: {
    '<key>': '',
    '<signature>': '',
    '[file]': '',
    '--listen': 'SIGNER_LISTEN',
    '--socket': 'SIGNER_SOCKET',
    '--header': '',
    '--request': '',
    '--tenant': '',
    '--url': '',
    '--method': '',
    '--json': '',
  },
  challenge: {
    '<key>': '',
    '<token>': '',
    '--listen': 'SIGNER_LISTEN',
    '--socket': 'SIGNER_SOCKET',
    '--tenant': '',
    '--json': '',
  },
  explain: {
    '<key>': '',
    '[file]': '',
    '--keys': 'SIGNER_KEYS',
    '--config': 'SIGNER_CONFIG',
    '--headers': '',
    '--body': '',
    '--url': '',
    '--method': '',
    '--at': '',
    '--json': '',
  },
  healthcheck: {
    '--ops-listen': 'SIGNER_OPS_LISTEN',
    '--listen': 'SIGNER_LISTEN',
    '--socket': 'SIGNER_SOCKET',
    '--json': '',
  },
  status: {
    '[keys...]': '',
    '--ops-listen': 'SIGNER_OPS_LISTEN',
    '--listen': 'SIGNER_LISTEN',
    '--socket': 'SIGNER_SOCKET',
    '--json': '',
  },
  'keys new': {
    '<file...>': '',
    '--encoding': '',
    '--algorithm': '',
    '--kid': '',
    '--output': '',
    '--secret-name': '',
    '--mode': '',
    '--replace': '',
    '--if-missing': '',
    '--json': '',
  },
  'keys rotate': {
    '<file>': '',
    '--entry': '',
    '--encoding': '',
    '--algorithm': '',
    '--replace-previous': '',
    '--json': '',
  },
  'keys add': { '<file>': '', '--entry': '', '--algorithm': '', '--kid': '', '--json': '' },
  'keys promote': { '<file>': '', '<kid>': '', '--entry': '', '--json': '' },
  'keys remove': { '<file>': '', '<kid>': '', '--entry': '', '--json': '' },
  'keys derive': {
    '<key>': '',
    '<tenant>': '',
    '--keys': 'SIGNER_KEYS',
    '--config': 'SIGNER_CONFIG',
    '--root': '',
    '--json': '',
  },
  'keys list': { '--listen': 'SIGNER_LISTEN', '--socket': 'SIGNER_SOCKET', '--json': '' },
  'keys show': { '<file>': '', '--entry': '', '--encoding': '', '--json': '' },
  'audit verify': { '<file...>': '', '--json': '' },
  'audit find': { '<file...>': '', '<signature>': '', '--json': '' },
  inject: {
    '[file]': '',
    '--all': '',
    '--remove': '',
    '--classic': '',
    '--force': '',
    '--image': '',
    '--secret': '',
    '--secret-provider-class': '',
    '--config-map': '',
    '--socket': '',
    '--tcp': '',
    '--containers': '',
    '--caller': '',
    '--audit': '',
    '--env': '',
    '--cpu': '',
    '--cpu-limit': '',
    '--memory': '',
    '--memory-limit': '',
    '--uid': '',
    '--ops-port': '',
    '--json': '',
  },
};

/** The lines of help as it lists flags: `--listen`, and what it says of it on however many lines. */
function listedFlags(help: string): ReadonlyMap<string, string> {
  const [, options = ''] = help.split('\nOptions:\n');
  const entries = options.split(/\n(?= {2}-)/).map((entry) => entry.replace(/\s+/g, ' ').trim());
  const flags = entries.map((entry) => [/--[a-z-]+/.exec(entry)?.[0] ?? entry, entry] as const);
  return new Map(flags.filter(([flag]) => flag !== '--help'));
}

/** The lines that do not fit a terminal of 80 columns. */
function tooLong(help: string): readonly string[] {
  return help.split('\n').filter((line) => line.length > 80);
}

describe('--help', () => {
  it('lists every command in a line or two, on standard output', async () => {
    const { code, stdout, stderr } = await run(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const listed = stdout.split('\nCommands:\n')[1]?.match(/^ {2}[a-z]+/gm);
    const names = new Set(Object.keys(commands).map((command) => command.split(' ')[0]));
    expect(listed?.map((name) => name.trim())).toEqual([...names, 'help']);
    expect(tooLong(stdout)).toEqual([]);
  });

  it.each(Object.entries(commands))(
    'of %s says what it does, and lists its flags',
    async (command, words) => {
      const { code, stdout, stderr } = await run([...command.split(' '), '--help']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^Usage: sidecar-signer .*\n(?: +sidecar-signer .*\n)*\n[a-z].*[^.]\n/);
      expect(tooLong(stdout)).toEqual([]);
      const listed = listedFlags(stdout);
      const flags = Object.keys(words).filter((word) => word.startsWith('--'));
      expect([...listed.keys()].sort()).toEqual([...flags].sort());
      for (const flag of flags) {
        if (words[flag] !== '') expect(listed.get(flag)).toContain(`env: ${words[flag]}`);
        else expect(listed.get(flag)).not.toContain('env:');
      }
      for (const word of Object.keys(words)) {
        if (!word.startsWith('--')) expect(stdout.split('\n')[0]).toContain(word);
      }
    },
  );

  it.each([['-h'], ['help'], ['help', 'serve'], ['serve', '-h']])('is also %s %s', async (...args) => {
    const { code, stdout } = await run(args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Usage: sidecar-signer/);
  });
});

it.each(['--version', '-V'])('%s prints the version alone', async (flag) => {
  expect(await run([flag])).toEqual({ code: 0, stdout: `${packageJson.version}\n`, stderr: '' });
});

it('without a command prints the help as an error', async () => {
  const { code, stdout, stderr } = await run([]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^Usage: sidecar-signer \[options\] \[command\]\n/);
});

describe('a usage error', () => {
  const hint = '(see --help)\n';

  it.each<[readonly string[], string]>([
    [['frobnicate'], "unknown command 'frobnicate'"],
    [['sing'], "unknown command 'sing'\n(Did you mean sign?)"],
    [['--frobnicate'], "unknown option '--frobnicate'"],
    [['serve', '--frobnicate'], "unknown option '--frobnicate'"],
    [['serve', '--lisen', '127.0.0.1:1'], "unknown option '--lisen'\n(Did you mean --listen?)"],
    [['check', '--config'], "option '--config <file>' argument missing"],
    [['sign'], "missing required argument 'key'"],
    [['sign', 'demo', '--request'], "option '--request <file>' argument missing"],
    [['verify', 'demo'], 'give the signature, --header with the headers that carry it, or --request'],
    [['verify', 'demo', '-H', 'a: b', 'file', 'x'], 'with --header, give only the key and the file'],
    [['challenge', 'demo'], "missing required argument 'token'"],
    [['keys', 'frobnicate'], "unknown command 'frobnicate'"],
    [['keys', 'promote', 'a.jwks.json'], "missing required argument 'kid'"],
    [['keys', 'derive', 'hooks', '--config', 'c.yaml'], "missing required argument 'tenant'"],
    [['serve', '--listen', 'none'], 'nothing to listen on; give --listen HOST:PORT or --socket PATH'],
  ])('of %j says what is wrong and where help is', async (args, message) => {
    expect(await run(args)).toEqual({ code: 2, stdout: '', stderr: `error: ${message}\n${hint}` });
  });

  it.each<[readonly string[], string]>([
    [['serve', 'extra'], "too many arguments for 'serve'"],
    [['check', 'extra'], "too many arguments for 'check'"],
    [['sign', 'a', 'b', 'c'], "too many arguments for 'sign'"],
  ])('of %j does not guess', async (args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
  });

  const address = 'expected HOST:PORT, for instance 127.0.0.1:8700, or none';
  it.each<[string, string, string]>([
    ...['8700', '127.0.0.1:65536', ''].map((value): [string, string, string] => ['--listen', value, address]),
    ['--ops-listen', 'http://127.0.0.1:8701', address],
    [
      '--ops-allowed-host',
      'signer.default.svc:8701',
      'expected host names without a port, for instance signer.default.svc',
    ],
    ['--socket-mode', 'rw', 'expected an octal file mode, for instance 0660'],
    ['--socket-mode', '07777', 'expected an octal file mode, for instance 0660'],
    ['--socket', '=run/signer.sock', 'the name before "=" is missing; write NAME=PATH'],
    ['--socket', 'web=', 'expected the path of a file'],
    ['--audit', '', 'expected the path of a file, or - for standard output'],
    ['--audit-on-failure', 'ignore', 'Allowed choices are refuse, continue.'],
    ['--shutdown-delay', '10s', 'expected whole seconds from 0 to 3600, for instance 10'],
    ['--shutdown-delay', '3601', 'expected whole seconds from 0 to 3600, for instance 10'],
    ['--log-level', 'loud', 'Allowed choices are debug, info, warn, error, silent.'],
    ['--log-format', 'xml', 'Allowed choices are auto, json, pretty.'],
  ])('of serve %s %j says what would be right', async (flag, value, message) => {
    const { code, stdout, stderr } = await run(['serve', flag, value]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^error: option '${flag} <[a-z:]+>' argument '`));
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
  });

  it.each<[readonly string[], Record<string, string>]>([
    [['check', '--keys', ''], {}],
    [['check', '--keys', '/etc/signer/keys,'], {}],
    [['serve', '--keys', ',/etc/signer/keys'], {}],
    [['serve', '--allowed-host', 'a,,b'], {}],
    [['serve', '--ops-allowed-host', 'a,,b'], {}],
    [['check'], { SIGNER_KEYS: '/etc/signer/keys,' }],
  ])('is an empty value in a list: %j %j', async (args, env) => {
    const { code, stdout, stderr } = await run(args, { env });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('expected values separated by commas, and none of them empty');
    expect(stderr).toContain(hint);
  });

  it.each(['0.0.0.0:0', '[fe80::1]:8700', 'example.test:8700'])(
    'is to listen on %s, which others can reach, without saying so',
    async (listen) => {
      expect(await run(['serve', '--listen', listen])).toEqual({
        code: 2,
        stdout: '',
        stderr: `error: --listen is not a loopback address; anyone who reaches it could sign, so it needs --allow-remote\n${hint}`,
      });
    },
  );
});
