/** `explain` reads keys in every form and compares tags. None of them, in no encoding, is in what it prints. */

import { randomBytes } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../support/command.ts';
import { tagOf } from '../support/keys.ts';
import { leaksOfAny } from '../support/leaks.ts';
import { temporaryDirectory } from '../support/signer.ts';

interface Row {
  readonly what: string;
  readonly encoding: string;
  /** The content of the file. */
  readonly content: (key: Buffer) => string | Buffer;
}

const jwk = (kid: string, k: string, more: object = {}) => ({ kty: 'oct', kid, k, ...more });
const rows: readonly Row[] = [
  { what: 'bytes', encoding: 'bytes', content: (key) => key },
  { what: 'hex', encoding: 'hex', content: (key) => key.toString('hex') },
  { what: 'hex as text', encoding: 'text', content: (key) => key.toString('hex') },
  { what: 'no hex', encoding: 'hex', content: (key) => key.toString('base64') },
  { what: 'base64 as text', encoding: 'text', content: (key) => `${key.toString('base64')}\n\n` },
  { what: 'whsec as text', encoding: 'text', content: (key) => `v1,whsec_${key.toString('base64')}` },
  { what: 'quotes', encoding: 'text', content: (key) => `"${key.toString('base64')}"` },
  { what: 'JSON', encoding: 'text', content: (key) => JSON.stringify({ secret: key.toString('hex'), n: 1 }) },
  { what: 'broken JSON', encoding: 'jwks', content: (key) => `{"secret": "${key.toString('hex')}"` },
  { what: 'NAME=value', encoding: 'text', content: (key) => `SECRET='${key.toString('base64url')}'` },
  {
    what: 'UTF-16',
    encoding: 'text',
    content: (key) => Buffer.from(`\ufeff${key.toString('hex')}`, 'utf16le'),
  },
  {
    what: 'a JWK set with a disabled key',
    encoding: 'jwks',
    content: (key) =>
      JSON.stringify({
        primary: 'a',
        keys: [
          jwk('a', randomBytes(32).toString('base64url')),
          jwk('b', key.toString('base64url'), { disabled: true }),
        ],
      }),
  },
  {
    what: 'a JWK set with kid and k exchanged',
    encoding: 'jwks',
    content: (key) =>
      JSON.stringify({
        primary: 'a',
        keys: [
          jwk('a', 'c2hvcnQtYnV0LW9rLWtleQ'),
          jwk(key.toString('base64url'), 'c2hvcnQ', { disabled: true }),
        ],
      }),
  },
];

describe.for(rows)('a secret that is $what', ({ what, encoding, content }) => {
  test('is not printed, nor is a tag by it', async () => {
    const format = what.length % 2 === 0 ? 'github' : 'standard-webhooks';
    using directory = temporaryDirectory();
    const key = randomBytes(32);
    const file = content(key);
    const body = '{"a": 1}';
    writeFileSync(join(directory.path, 'asked'), file);
    chmodSync(join(directory.path, 'asked'), 0o600);
    const config = join(directory.path, 'signer.yaml');
    writeFileSync(config, `keys: { asked: { encoding: ${encoding}, format: ${format} } }`);
    const now = `${Math.floor(Date.now() / 1000)}`;
    const messages = [body, '{"a":1}', `${body}\n`, `msg_1.${now}.${body}`];
    const readings = [
      key,
      Buffer.from(file),
      Buffer.from(key.toString('hex')),
      Buffer.from(key.toString('base64')),
    ];
    const tags = readings.flatMap((each) => messages.map((message) => tagOf('HS256', each, message)));
    const request = (tag: Buffer, sent: string) =>
      [
        'POST /in HTTP/1.1',
        `X-Hub-Signature-256: sha256=${tag.toString('hex')}`,
        `Sec-Signer-Signature: ${tag.toString('hex')}`,
        'webhook-id: msg_1',
        `webhook-timestamp: ${now}`,
        `webhook-signature: v1,${tag.toString('base64')}`,
        '',
        sent,
      ].join('\r\n');
    const printed: string[] = [];
    const right = tagOf('HS256', key, (format === 'github' ? messages[0] : messages[3]) ?? '');
    for (const tag of [right, randomBytes(32)]) {
      for (const more of [[], ['--json']]) {
        const args = ['explain', 'asked', '--keys', directory.path, '--config', config, ...more];
        const { code, stdout, stderr } = await run(args, { input: request(tag, '{"a":1}') });
        expect(code).toBe(1);
        printed.push(stdout, stderr);
      }
    }
    // Whoever gives the file with the key in place of the request.
    const swapped = ['explain', 'asked', join(directory.path, 'asked'), '--keys', directory.path];
    const { stdout, stderr } = await run([...swapped, '--config', config]);
    const text = [...printed, stdout, stderr].join('\n');
    expect(text).toContain('Not valid for "asked"');
    expect(leaksOfAny(text, [...readings.slice(0, 1), ...readings.slice(2), ...tags])).toEqual([]);
  });
});
