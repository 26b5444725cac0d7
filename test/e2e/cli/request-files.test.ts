/** What the commands send, byte for byte and header by header, and which files and flags they refuse, as transcripts. */

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../support/command.ts';
import { type ConfiguredSigner, startConfigured } from '../../support/configured.ts';
import { binary, temporaryDirectory } from '../../support/signer.ts';

const directory = temporaryDirectory();
const at = (name: string) => join(directory.path, name);
const write = (name: string, content: string | Uint8Array) => {
  writeFileSync(at(name), content);
  return at(name);
};
const aws = {
  accessKeyId: 'AKIDEXAMPLE',
  services: ['s3'],
  regions: ['eu-central-1'],
  maxPostBytes: 1_000_000,
};
let signer: ConfiguredSigner;
let listen: readonly string[];

beforeAll(async () => {
  const secret = 'a secret of 32 characters, or so';
  signer = await startConfigured(
    { raw: Buffer.from(secret), aws: `${secret}!`, jwt: Buffer.from(`${secret}?`) },
    {
      raw: {},
      aws: { encoding: 'text', format: 'aws-sigv4', 'aws-sigv4': aws },
      jwt: { format: 'jwt', jwt: { issuer: 'me' } },
    },
  );
  listen = ['--listen', new URL(signer.signer.url).host];
});
afterAll(async () => {
  await signer[Symbol.asyncDispose]();
  directory[Symbol.dispose]();
});

interface Seen {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Stands in for a signer, and remembers what it got. */
async function listening(answer: (seen: Seen) => object) {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const { url = '', headers } = request;
    const got = { url, headers, body: await buffer(request) };
    seen.push(got);
    response.end(JSON.stringify(answer(got)));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { seen, args: ['--listen', `127.0.0.1:${port}`], address: port, [Symbol.dispose]: close };
}

describe('a request', () => {
  const odd = ' \n{ "claims" : {"n":1.0,"m":1E2,"big":12345678901234567890,"a":"\\u0041é","a":2} }\n';

  it('is sent byte for byte', async () => {
    using stub = await listening(() => ({ token: 'a.b.c', keyId: 'x', expiresAt: 'x' }));
    const file = write('odd.json', odd);
    for (const command of [
      ['sign', 'demo', '--request', file],
      ['sign', '--request', file, 'demo'],
    ]) {
      expect(await run([...command, ...stub.args])).toEqual({ code: 0, stdout: 'a.b.c\n', stderr: '' });
    }
    for (const { url, headers, body } of stub.seen) {
      expect([url, body.toString()]).toEqual(['/v1/keys/demo/sign', odd]);
      expect(headers).toMatchObject({
        'content-type': 'application/json',
        'content-length': `${Buffer.byteLength(odd)}`,
      });
    }
  });

  it.each([
    [odd, odd.replace('{', '{"tenant":"acme",')],
    ['{}', '{"tenant":"acme"}'],
    [' { \n} ', ' {"tenant":"acme" \n} '],
    ['{"__proto__":{"tenant":1}}', '{"tenant":"acme","__proto__":{"tenant":1}}'],
  ])('gets its tenant from --tenant, and is otherwise sent as it is: %j', async (request, expected) => {
    using stub = await listening(() => ({ signature: 'a', keyId: 'x', algorithm: 'x' }));
    const args = ['sign', 'demo', '--request', '-', '--tenant', 'acme', ...stub.args];
    expect(await run(args, { input: request })).toMatchObject({ code: 0 });
    expect(stub.seen.map(({ body }) => body.toString())).toEqual([expected]);
  });

  it('of 1 MiB is sent, and one byte more is not', async () => {
    const most = JSON.stringify({ message: 'x'.repeat(2 ** 20 - 14) });
    expect(most).toHaveLength(2 ** 20);
    expect(await run(['sign', 'raw', '--request', write('most.json', most), ...listen])).toMatchObject({
      code: 0,
      stderr: '',
    });
    const refusal = (name: string) => ({
      code: 1,
      stdout: '',
      stderr: `sidecar-signer: ${name} is longer than 1048576 bytes; if the format takes the message itself, give the message in the place of --request\n`,
    });
    const over = write('over.json', `${most} `);
    const request = ['--request', over, ...listen];
    expect(await run(['sign', 'raw', ...request])).toEqual(refusal(over));
    expect(await run(['verify', 'raw', ...request])).toEqual(refusal(over));
    expect(
      await run(['sign', 'raw', '--request', at('most.json'), '--tenant', 'a', ...listen]),
    ).toMatchObject({ code: 1, stderr: expect.stringContaining('(message_too_large)') });
    expect(await run(['sign', 'raw', '--request', '/dev/zero', ...listen])).toEqual(refusal('/dev/zero'));
    const endless = `yes | ${binary} sign raw --request - ${listen.join(' ')}`;
    const { code, stderr } = await promisify(execFile)('sh', ['-c', endless]).catch((error) => error);
    expect({ code, stdout: '', stderr }).toEqual(refusal('standard input'));
  });
});

describe('a file that is no request', () => {
  const notJson = 'is not one JSON object in UTF-8; write the request as the HTTP API takes it';
  it.each<[string, string | Uint8Array, string]>([
    ['nothing', '', notJson],
    ['a message', 'hello', notJson],
    ['cut off', '{"message":"canary', notJson],
    ['two of them', '{"message":"a"}\n{"message":"b"}', notJson],
    ['a list', '[{"message":"a"}]', notJson],
    ['null', 'null', notJson],
    ['a comment', '{"message":"a"} // canary', notJson],
    ['Latin-1', Buffer.from('{"message":"\xe9"}', 'latin1'), notJson],
    ['too deep', '['.repeat(500_000), notJson],
    ['UTF-16', Buffer.from('{}', 'utf16le'), notJson],
    ['a byte order mark', '\ufeff{}', 'begins with a byte order mark; save it as UTF-8 without one'],
    [
      'a byte order mark of UTF-16',
      Buffer.from('\ufeff{}', 'utf16le'),
      'begins with a byte order mark; save it as UTF-8 without one',
    ],
  ])('has %s', async (_, content, problem) => {
    const file = write('bad.json', content);
    for (const args of [
      ['sign', 'raw'],
      ['verify', 'raw'],
      ['sign', 'raw', '--tenant', 'acme'],
    ]) {
      expect(await run([...args, '--request', file, ...listen])).toEqual({
        code: 1,
        stdout: '',
        stderr: `sidecar-signer: ${file} ${problem}\n`,
      });
    }
  });

  it('is missing, or a directory', async () => {
    mkdirSync(at('folder'), { recursive: true });
    for (const [file, problem] of [
      [at('missing'), 'cannot be read; check the path and its permissions'],
      [at('folder'), 'is a directory; give a file, or - for standard input'],
    ] as const) {
      for (const command of ['sign', 'verify']) {
        expect(await run([command, 'raw', '--request', file, ...listen])).toEqual({
          code: 1,
          stdout: '',
          stderr: `sidecar-signer: ${file} ${problem}\n`,
        });
      }
    }
  });

  it('is a request of another format, of which the signer says what it lacks', async () => {
    const file = write('message.json', '{"message":"canary"}');
    for (const command of ['sign', 'verify']) {
      const { code, stdout, stderr } = await run([command, 'jwt', '--request', file, ...listen]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/^sidecar-signer: .*(?:claims|token).* \(malformed_request\)\n$/);
      expect(stderr).not.toContain('canary');
    }
  });
});

describe('a usage error', () => {
  const rest = 'with --request, give only the key, and perhaps --tenant; the request has the rest';
  const target = 'expected printable ASCII without spaces, at most 4096 characters';
  it.each<[readonly string[], string]>([
    [['sign', 'demo', '--request', 'a.json', 'message'], rest],
    [['sign', 'demo', '--request', 'a.json', '-'], rest],
    [['sign', 'demo', '--request', 'a.json', '--url', 'http://a/'], rest],
    [['sign', 'demo', '--request', 'a.json', '--method', 'POST'], rest],
    [['sign', 'demo', '--request', 'a.json', '--id', 'a'], rest],
    [['verify', 'demo', '--request', 'a.json', 'signature'], rest],
    [['verify', 'demo', '--request', 'a.json', 'signature', 'message'], rest],
    [['verify', 'demo', '--request', 'a.json', '--header', 'a: b'], rest],
    [['verify', 'demo', '--request', 'a.json', '--header', '@/dev/null'], rest],
    [['verify', 'demo', '--request', 'a.json', '--url', 'http://a/'], rest],
    [
      ['sign', 'demo', '--tenant', 'a', 'file'],
      '--tenant needs --request: keys of tenants take requests in JSON only',
    ],
    [
      ['verify', 'demo', '--tenant', 'a', '-H', 'a: b'],
      '--tenant needs --request: keys of tenants take requests in JSON only',
    ],
    [
      ['verify', 'demo', 'signature', '--url', 'http://a/'],
      '--url and --method are for webhooks, whose signature is given with --header',
    ],
    [
      ['sign', 'demo', '--request', ''],
      "option '--request <file>' argument '' is invalid. expected a value that is not empty",
    ],
    [
      ['sign', 'demo', '--request', '-', '--tenant', ''],
      "option '--tenant <name>' argument '' is invalid. expected a value that is not empty",
    ],
    [['sign', 'demo', '--url', ''], `option '--url <url>' argument '' is invalid. ${target}`],
    [
      ['sign', 'demo', '--url', 'http://a/é'],
      `option '--url <url>' argument 'http://a/é' is invalid. ${target}`,
    ],
    [
      ['sign', 'demo', '--method', 'POST X'],
      `option '--method <method>' argument 'POST X' is invalid. ${target}`,
    ],
    [['sign', 'demo', '--id', 'a\r\nb: c'], `option '--id <id>' argument 'a\r\nb: c' is invalid. ${target}`],
  ])('of %j says what is wrong', async (args, message) => {
    expect(await run([...args, ...listen])).toEqual({
      code: 2,
      stdout: '',
      stderr: `error: ${message}\n(see --help)\n`,
    });
  });
});

describe('the headers of a webhook', () => {
  const headers = [
    'Authorization: Bearer canary',
    'X-Hub-Signature-256: sha256=00',
    'Cookie: a=canary',
    'X-Own: 1',
  ];
  const policy = { signed: '{body}', headers: { Authorization: '{signature}' } };

  it.each<[string, readonly string[]]>([
    ['github', ['x-hub-signature-256']],
    ['webhook', ['authorization', 'x-hub-signature-256', 'x-own']],
  ])('are passed on as far as the format %s reads them', async (format, expected) => {
    using stub = await listening(({ url }) =>
      url.endsWith('/verify') ? { valid: true, keyId: 'x', primary: true } : { name: 'demo', format, policy },
    );
    const args = ['verify', 'demo', ...headers.flatMap((line) => ['-H', line]), ...stub.args];
    expect(await run(args, { input: 'hello' })).toMatchObject({ code: 0, stderr: '' });
    const [described, verified] = stub.seen;
    expect(stub.seen.map(({ url }) => url)).toEqual(['/v1/keys/demo', '/v1/keys/demo/verify']);
    const sent = headers.map((line) => line.split(':')[0]?.toLowerCase() ?? '');
    const passedOn = ({ headers: got }: Seen) => sent.filter((name) => name in got).sort();
    expect(described && passedOn(described)).toEqual([]);
    expect(verified && passedOn(verified)).toEqual(expected);
  });

  it('are none of other formats, and an empty file of them is no signature', async () => {
    const file = write('empty', '');
    const verify = (key: string, header: string) => run(['verify', key, '-H', header, file, ...listen]);
    expect(await verify('raw', 'a: b')).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'sidecar-signer: the format of this key set is raw, which has no headers: sidecar-signer verify KEY SIGNATURE [FILE]\n',
    });
    for (const header of ['a: b', `@${file}`]) {
      expect(await verify('jwt', header)).toEqual({
        code: 1,
        stdout: '',
        stderr:
          'sidecar-signer: only key sets of the raw and webhook formats, without derived keys, take the message itself; give a request in JSON with --request FILE\n',
      });
    }
    const { stderr } = await run(['sign', 'jwt', file, ...listen]);
    expect(stderr).toBe(
      'sidecar-signer: only key sets of the raw and webhook formats, without derived keys, take the message itself; give a request in JSON with --request FILE (unsupported_media_type)\n',
    );
  });
});

describe('a presigned POST', () => {
  const variable = '\u0024{filename}';
  const post = {
    bucket: 'uploads',
    keyPrefix: 'users/7/',
    maxBytes: 1000,
    metadata: { note: 'a "quoted" \\ =@<; text' },
  };

  it('is printed as curl reads it, and sent with every field as it is', async () => {
    const request = write('post.json', JSON.stringify({ post }));
    const args = ['sign', 'aws', '--request', request, ...listen];
    const { url, fields } = JSON.parse((await run([...args, '--json'])).stdout);
    expect(fields).toMatchObject({ key: `users/7/${variable}`, 'x-amz-meta-note': post.metadata.note });
    const { stdout } = await run(args);
    expect(stdout.split('\n')[0]).toBe(`url = "${url}"`);
    using bucket = await listening(() => ({}));
    writeFileSync(at('form'), stdout.replace(/^url = .*/, `url = "http://127.0.0.1:${bucket.address}/"`));
    await promisify(execFile)('curl', ['-sS', '--noproxy', '*', '-K', at('form'), '-F', `file=@${request}`]);
    const [seen] = bucket.seen;
    const received = await new Response(new Uint8Array(seen?.body ?? []), {
      headers: { 'content-type': seen?.headers['content-type'] ?? '' },
    }).formData();
    const sent = Object.fromEntries([...received].filter(([name]) => name !== 'file'));
    // The two were signed at different times.
    const timed = ['Policy', 'X-Amz-Date', 'X-Amz-Signature'];
    expect(Object.keys(sent)).toEqual(Object.keys(fields));
    for (const name of Object.keys(fields)) {
      if (!timed.includes(name)) expect([name, sent[name]]).toEqual([name, fields[name]]);
    }
    expect([...received.keys()].at(-1)).toBe('file');
  });
});
