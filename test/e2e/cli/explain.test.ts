/** `explain` as transcripts: what it reads, what it prints, and that nothing secret is in it. */

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { keyId } from '../../../src/signing/mac.ts';
import { everythingPrinted, run } from '../../support/command.ts';
import { tagOf } from '../../support/keys.ts';
import { leaksOfAny } from '../../support/leaks.ts';
import { binary, temporaryDirectory } from '../../support/signer.ts';
import { hasTerminal, onTerminal } from '../../support/terminal.ts';

const directory = temporaryDirectory();
const path = (name: string) => join(directory.path, name);
/** Whatever must not be in any output: keys, the files they are in, and tags. */
const secrets: Uint8Array[] = [];
const secret = <T extends Uint8Array>(bytes: T): T => {
  secrets.push(bytes);
  return bytes;
};
const tag = (key: Uint8Array | string, message: Uint8Array | string) => secret(tagOf('HS256', key, message));

const hook = secret(randomBytes(32));
const other = secret(randomBytes(32));
const hex = hook.toString('hex');
const body = '{"event": "paid", "amount": 1.50}\n';

mkdirSync(path('keys'));
writeFileSync(path('keys/hook'), hex, { mode: 0o600 });
writeFileSync(path('keys/neighbour'), other, { mode: 0o600 });
writeFileSync(path('keys/broken'), 'too short', { mode: 0o600 });
writeFileSync(
  path('signer.yaml'),
  `keys:
  hook: { format: github, encoding: hex }
  as-text: { file: hook, format: github, encoding: text }
  session: { file: neighbour, format: jwt }
  timed: { file: hook, encoding: hex, format: stripe }
  lost: { file: hoook, format: github }
  broken: {}
`,
);

afterAll(() => {
  directory[Symbol.dispose]();
  expect(leaksOfAny(everythingPrinted(), [...secrets, Buffer.from(hex)])).toEqual([]);
});

/** A request as it came over the wire. */
const request = (content: Uint8Array | string, ...headers: readonly string[]) =>
  Buffer.concat([
    Buffer.from(['POST /in HTTP/1.1', 'Host: hooks.example', ...headers, '', ''].join('\r\n')),
    Buffer.from(content),
  ]);
const signature = (key: Uint8Array | string, message: Uint8Array | string) =>
  `X-Hub-Signature-256: sha256=${tag(key, message).toString('hex')}`;
const good = request(body, signature(hook, body));
const flags = ['--keys', path('keys'), '--config', path('signer.yaml')];
const explain = (name: string, input: Uint8Array | string, ...more: readonly string[]) =>
  run(['explain', name, '-', ...flags, ...more], { input });

describe('the verdict', () => {
  const valid = `✓ Valid, by the primary key ${keyId(hook)} of "hook".\n`;

  it('of a good request is that it is valid, and by which key', async () => {
    expect(await explain('hook', good)).toEqual({ code: 0, stdout: valid, stderr: '' });
  });

  it('of a wrong one says what fits, and what to do', async () => {
    expect(await explain('as-text', good)).toEqual({
      code: 1,
      stdout: [
        '✗ Not valid for "as-text": no key of this key set makes this signature for this request (mismatch).',
        '',
        'The signature matches if the secret is decoded from hex.',
        '  Set "encoding: hex" for this key set.',
        '',
      ].join('\n'),
      stderr: '',
    });
  });

  it('of a wrong one may need two differences', async () => {
    const { code, stdout } = await explain('as-text', request(body.trim(), signature(hook, body)));
    expect(code).toBe(1);
    expect(stdout).toContain(
      'The signature matches if the secret is decoded from hex, and if a newline is added to the body.\n',
    );
  });

  it('without an explanation is a list of what to check, and of what was ruled out', async () => {
    const { code, stdout, stderr } = await explain('hook', request(body, signature(randomBytes(32), body)));
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout).toMatch(
      /^✗ Not valid.*\n\nNo difference that this command knows.*\n {2}1\. Another secret/,
    );
    expect(stdout).toMatch(/\nRuled out:\n {2}\d+ readings of the secret/);
  });

  it('says by how much a time is wrong, as of now or of another time', async () => {
    const header = `Stripe-Signature: t=1800000000,v1=${tag(hook, `1800000000.${body}`).toString('hex')}`;
    const at = (time: string) => explain('timed', request(body, header), '--at', time);
    expect(await at('2027-01-15T08:04:59Z')).toMatchObject({ code: 0 });
    expect(await at('1800000299')).toMatchObject({ code: 0 });
    const { code, stdout } = await at('2027-01-15T10:00:00+01:00');
    expect(code).toBe(1);
    expect(stdout).toContain('is 60 minutes before 2027-01-15T09:00:00Z, by which it is judged');
  });

  it('is one JSON document with --json', async () => {
    const { code, stdout } = await explain('as-text', good, '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      valid: false,
      keySet: 'as-text',
      format: 'github',
      reason: 'mismatch',
      matches: true,
      differences: [{ code: 'key-encoding', remedy: 'Set "encoding: hex" for this key set.' }],
    });
    expect(JSON.parse((await explain('hook', good, '--json')).stdout)).toMatchObject({
      valid: true,
      keyId: keyId(hook),
      primary: true,
    });
  });

  it.skipIf(!hasTerminal)('has colours on a terminal, and nowhere else', async () => {
    writeFileSync(path('good.http'), good);
    const shown = await onTerminal(['explain', 'hook', path('good.http'), ...flags]);
    expect(shown).toContain('\u001b[32m✓');
    expect((await explain('hook', good)).stdout).not.toContain('\u001b');
  });
});

describe('a key set', () => {
  it('is explained without a configuration, and although another one is broken', async () => {
    const header = `Sec-Signer-Signature: ${tag(other, body).toString('hex')}`;
    const args = ['explain', 'neighbour', '--keys', path('keys')];
    expect(await run(args, { input: request(body, header) })).toMatchObject({ code: 0 });
  });

  it('may come from a variable', async () => {
    writeFileSync(path('env.yaml'), 'keys: { hook: { env: HOOK, encoding: text, format: github } }');
    const { stdout } = await run(['explain', 'hook', '--keys', 'none', '--config', path('env.yaml')], {
      env: { HOOK: hex },
      input: good,
    });
    expect(stdout).toContain('if the secret is decoded from hex.');
  });

  it.each([
    ['hoook', 'there is no key set of this name; check the name, --keys and --config'],
    [
      '../keys',
      'the name of the key set is not valid; use 1 to 253 of A-Z a-z 0-9 . _ - and do not begin with ".."',
    ],
    [
      'session',
      'explain is for the webhook formats and raw, and "session" has the format jwt; for others, the answer of a verify request has the reason',
    ],
    [
      'lost',
      'there is no secret to explain: "lost" needs a file ("file") that is not there in the mounted secrets',
    ],
  ])('that cannot be explained is refused: %s', async (name, message) => {
    expect(await explain(name, good)).toEqual({
      code: 1,
      stdout: '',
      stderr: `sidecar-signer: ${message}\n`,
    });
  });

  it('is the only one that is named', async () => {
    for (const name of ['hook', 'as-text', 'session', 'lost', 'nothing', 'broken']) {
      const { stdout, stderr } = await explain(name, good);
      for (const each of ['neighbour', 'timed', 'as-text', 'session', 'broken']) {
        if (each !== name) expect([name, stdout + stderr]).toEqual([name, expect.not.stringContaining(each)]);
      }
    }
    writeFileSync(path('wrong.yaml'), 'keys: { hook: { encoding: hex }, neighbour: { encoding: hexx } }');
    const { stderr } = await run(
      ['explain', 'hook', '--keys', path('keys'), '--config', path('wrong.yaml')],
      { input: good },
    );
    expect(stderr).toBe(
      'sidecar-signer: the configuration cannot be loaded; "sidecar-signer check" lists its problems\n',
    );
  });

  it('is not read with a variable that can load code', async () => {
    const { code, stderr } = await run(['explain', 'hook', ...flags], {
      env: { LD_AUDIT: 'x.so' },
      input: good,
    });
    expect(code).toBe(1);
    expect(stderr).toContain('refusing to read keys with LD_AUDIT');
  });
});

describe('a request', () => {
  const head = ['POST /in HTTP/1.1', 'Host: hooks.example', signature(hook, body)];
  const valid = { code: 0, stderr: '' };
  const explainFile = (content: Uint8Array | string, ...more: readonly string[]) => {
    writeFileSync(path('request'), content);
    return run(['explain', 'hook', path('request'), ...flags, ...more]);
  };
  const explainTwo = (headers: Uint8Array | string, content: Uint8Array | string) => {
    writeFileSync(path('headers'), headers);
    writeFileSync(path('body'), content);
    return run(['explain', 'hook', '--headers', path('headers'), '--body', path('body'), ...flags]);
  };

  it('is one file, with CRLF or LF, with or without a request line', async () => {
    for (const end of ['\n', '\r\n']) {
      for (const lines of [head, head.slice(1)]) {
        expect(await explainFile(`${lines.join(end)}${end}${end}${body}`)).toMatchObject(valid);
      }
    }
  });

  it('keeps its body byte for byte, empty lines and what is no text included', async () => {
    const bytes = Buffer.concat([Buffer.from('\n\r\n\n'), randomBytes(5000), Buffer.from('\r\n\r\n')]);
    expect(await explainFile(request(bytes, signature(hook, bytes)))).toMatchObject(valid);
    expect(await explainTwo(signature(hook, bytes), bytes)).toMatchObject(valid);
  });

  it('is two files, of which one may be standard input', async () => {
    expect(await explainTwo(head.join('\n'), body)).toMatchObject(valid);
    expect(await explainTwo(`${head.join('\r\n')}\r\n\r\n`, body)).toMatchObject(valid);
    expect(await explainTwo(`\ufeff${head.join('\r\n')}`, body)).toMatchObject(valid);
    writeFileSync(path('body'), body);
    const args = ['explain', 'hook', '--headers', '-', '--body', path('body'), ...flags];
    expect(await run(args, { input: head.join('\n') })).toMatchObject(valid);
  });

  it('may begin with a byte order mark and empty lines', async () => {
    for (const before of ['\r\n\n', '\ufeff', '\ufeff\n', '\ufeff\r\n\n']) {
      const request = `${before}${head.join('\r\n')}\r\n\r\n${body}`;
      expect([before, await explainFile(request)]).toMatchObject([before, valid]);
    }
  });

  it('has the pseudo-headers of HTTP/2', async () => {
    const lines = [':method: POST', ':path: /in', ':authority: hooks.example', ':scheme: https', head[2]];
    expect(await explainFile(`${lines.join('\n')}\n\n${body}`)).toMatchObject(valid);
  });

  it('is what curl -v prints, and the body beside it', async () => {
    const printed = [
      '  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current',
      '                                 Dload  Upload   Total   Spent    Left  Speed',
      '\r  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0*   Trying 127.0.0.1:80...',
      '* Connected to 127.0.0.1 (127.0.0.1) port 80 (#0)',
      ...head.map((line) => `> ${line}\r`),
      '> \r',
      '} [7 bytes data]',
      '< HTTP/1.1 401 Unauthorized\r',
      '< X-Hub-Signature-256: sha256=00\r',
      '< \r',
      'the answer',
    ].join('\n');
    expect(await explainTwo(printed, body)).toMatchObject(valid);
    expect(await explainTwo(printed.slice(printed.indexOf('* Connected')), body)).toMatchObject(valid);
    const { code, stderr } = await explainFile(printed);
    expect(code).toBe(1);
    expect(stderr).toContain('is output of curl that does not hold the exact body of the request');
  });

  it('is what curl --trace writes, with the body', async () => {
    const bytes = Buffer.from(body);
    const rows = (content: Buffer) =>
      Array.from({ length: Math.ceil(content.length / 16) }, (_, index) => {
        const row = content.subarray(index * 16, index * 16 + 16);
        const columns = [...row].map((byte) => `${byte.toString(16).padStart(2, '0')} `).join('');
        const shown = row.toString('latin1').replace(/[^ -~]/g, '.');
        return `${(index * 16).toString(16).padStart(4, '0')}: ${columns.padEnd(48)}${shown}`;
      });
    const wire = Buffer.from(`${head.join('\r\n')}\r\n\r\n`);
    const trace = [
      '== Info:   Trying 127.0.0.1:80...',
      `=> Send header, ${wire.length} bytes (0x0)`,
      ...rows(wire),
      `=> Send data, ${bytes.length} bytes (0x0)`,
      ...rows(bytes),
      '<= Recv header, 17 bytes (0x11)',
      '0000: 48 54 54 50 2f 31 2e 30 20 32 30 30 20 4f 4b 0d HTTP/1.0 200 OK.',
      '== Info: Closing connection 0',
    ];
    expect(await explainFile(trace.join('\n'))).toMatchObject(valid);
    // --trace-ascii writes a dot for whatever is not printable.
    const ascii = [
      '== Info:   Trying 127.0.0.1:80...',
      `=> Send header, ${wire.length} bytes (0x0)`,
      ...[...head, ''].map((line) => `0000: ${line}`),
      `=> Send data, ${bytes.length} bytes (0x0)`,
      `0000: ${body.replace('\n', '.')}`,
    ].join('\n');
    expect((await explainFile(ascii)).stderr).toContain('curl --trace FILE writes both');
    expect(await explainTwo(ascii, body)).toMatchObject(valid);
  });

  it.each<[what: string, content: Uint8Array | string, message: string]>([
    ['no empty line', 'Host: a\nX-B: c', 'has no empty line between the head of a request and its body'],
    ['nothing', '', 'has no empty line'],
    ['empty lines alone', '\n\r\n\n', 'has no empty line'],
    ['a body after an empty line', '\n{"action":"opened"}', 'has no empty line'],
    ['a body after a mark and an empty line', '\ufeff\n\n{"action":"opened"}', 'has no empty line'],
    ['two bodies after an empty line', '\r\n{"a":1}\n\n{"a":2}', 'line 2 of '],
    ['binary', randomBytes(100_000).map((byte) => byte || 1), 'sidecar-signer: '],
    [
      'binary after an empty line',
      Buffer.concat([Buffer.from('\n'), randomBytes(100_000).map((byte) => byte || 1)]),
      'sidecar-signer: ',
    ],
    ['NUL alone', Buffer.alloc(100_000), 'has no empty line'],
    [
      'a response',
      'HTTP/1.1 200 OK\r\nA: b\r\n\r\nx',
      'is a response; give the request that the provider sent',
    ],
    ['a line that is no header', 'A: b\nc d\n\nx', 'line 2 of '],
    ['a control character in a name', 'A\u001b[2J: b\n\nx', 'line 1 of '],
    ['10,000 headers', `${'A: b\n'.repeat(10_000)}\nx`, 'has more than 1000 lines or 262144 bytes'],
    ['one long header', `A: ${'b'.repeat(300_000)}\n\nx`, 'has no empty line'],
    ['17 MiB', Buffer.alloc(17 * 2 ** 20, 'x'), 'is longer than 16777216 bytes'],
    ['curl that sent nothing', '* Could not resolve host: a\n', 'in which no request is sent'],
  ])('that is none is refused: %s', async (_, content, message) => {
    const { code, stdout, stderr } = await explainFile(content);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr.trim().length).toBeLessThan(400);
  });

  it('that cannot be read, or goes on behind its headers, is refused', async () => {
    expect((await run(['explain', 'hook', path('missing'), ...flags])).stderr).toContain('cannot be read');
    expect((await run(['explain', 'hook', directory.path, ...flags])).stderr).toContain('is a directory');
    expect((await run(['explain', 'hook', '/dev/zero', ...flags])).stderr).toContain('is longer than');
    expect((await explainTwo('A: b\n\nmore', body)).stderr).toContain('has more than headers');
  });

  it.each<[readonly string[], string]>([
    [['--headers', 'a'], 'give --headers and --body together, or one file with both'],
    [['--body', 'a'], 'give --headers and --body together, or one file with both'],
    [['file', '--headers', 'a', '--body', 'b'], 'with --headers and --body, give only the key'],
    [['--headers', '-', '--body', '-'], '--headers and --body cannot both be standard input'],
  ])('that is given by flags that contradict each other is a usage error: %j', async (args, message) => {
    const { code, stderr } = await run(['explain', 'hook', ...args]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: `error: ${message}\n(see --help)\n` });
  });

  it.each(['yesterday', '2027-01-15', '2027-13-15T08:00:00Z', '-1', '9'.repeat(13)])(
    'is not judged at %j',
    async (time) => {
      const { code, stderr } = await run(['explain', 'hook', '--at', time]);
      expect(code).toBe(2);
      expect(stderr).toContain('expected a time such as 2027-01-15T08:00:00Z');
    },
  );
});

describe('what a terminal would obey', () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  const controls = /[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]/;
  const bad = '\u001b]0;x\u0007\u009b2J\u202e\r';

  it.each<[string, Uint8Array | string]>([
    [
      'in values',
      request('x', `X-Hub-Signature-256: sha256=${bad}`, `Content-Length: ${bad}`, `Content-Type: ${bad}`),
    ],
    ['in a prefix', request(body, signature(hook, body).replace('sha256=', `${bad}=`))],
    ['in the request line', `POST /${bad} HTTP/1.1\nHost: ${bad}\n${signature(hook, body)}\n\nx`],
    ['in the body', request(bad, signature(hook, body))],
    ['in a folded line', request(body, 'X-Hub-Signature-256: sha256=', ` ${bad}`)],
  ])('is not printed as it is: %s', async (_, input) => {
    for (const name of ['hook', 'as-text', 'timed']) {
      for (const more of [[], ['--json']]) {
        const { stdout, stderr } = await explain(name, input, ...more);
        expect(stdout + stderr).not.toMatch(controls);
        expect((stdout + stderr).length).toBeGreaterThan(20);
      }
    }
  });

  it('is escaped in the names of files', async () => {
    const { stderr } = await run(['explain', 'hook', path(`a${bad}`), ...flags]);
    expect(stderr).not.toMatch(controls);
  });
});

describe('the work', () => {
  /** Seconds of the processor, which other processes do not change. */
  const work = async (input: Uint8Array) => {
    writeFileSync(path('request'), input);
    const args = ['explain', 'hook', path('request'), ...flags];
    const timed = ['-c', 'TIMEFORMAT="%U"; time "$@" > /dev/null', 'bash', binary, ...args];
    const { stderr } = await promisify(execFile)('bash', timed).catch((error: { stderr: string }) => error);
    return Number(stderr.trim());
  };

  it.each<[string, Uint8Array | string]>([
    ['10 MB of noise', randomBytes(10_000_000)],
    ['2,000,000 brackets', '['.repeat(2_000_000)],
    ['JSON of strings that every style writes otherwise', `[${'"\\u00e9/<\\"",'.repeat(60_000)}1]`],
    ['JSON of 500,000 values', `[${'1,'.repeat(500_000)}1]`],
    ['a form of 500,000 fields', 'a=b&'.repeat(500_000)],
    ['chunks of a byte', '1\r\nx\r\n'.repeat(500_000)],
    ['line ends', '\r\n'.repeat(1_000_000)],
  ])('is bounded for %s', async (_, content) => {
    // On an idle machine it is about one second.
    expect(await work(request(content, signature(randomBytes(32), body)))).toBeLessThan(5);
  });

  it('is bounded for many signatures, and long ones', async () => {
    const line = `X-Hub-Signature-256: sha256=${'ab'.repeat(32)},${'a='.repeat(80)}`;
    expect(await work(request(body, ...Array.from({ length: 900 }, () => line)))).toBeLessThan(5);
  });
});
