/** `sign --request` and `verify --request` for every format, `challenge`, and what of a webhook is no header, as transcripts. */

import { createHmac, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { providers } from '../../../src/api/providers.ts';
import { type FormatName, formatNames, type Json, keyOf, keySets, samples } from '../../soak/samples.ts';
import { writeVolume } from '../../support/atomic-writer.ts';
import { everythingPrinted, run } from '../../support/command.ts';
import { leaksOfAny } from '../../support/leaks.ts';
import { type Signer, startSigner, temporaryDirectory } from '../../support/signer.ts';

const seed = 15;
const root = randomBytes(32);
const directory = temporaryDirectory();
const socket = join(directory.path, 'signer.sock');
const at = (name: string) => join(directory.path, name);
let signer: Signer;

beforeAll(async () => {
  const { files, settings } = keySets(seed);
  writeVolume(at('keys'), { ...files, root });
  const tenants = { deriveFrom: 'root', format: 'standard-webhooks' };
  const challenges = { file: 'zoom', encoding: 'text', format: 'zoom', allow: ['verify', 'challenge'] };
  const { zoom: _, ...others } = settings;
  writeFileSync(at('signer.yaml'), JSON.stringify({ keys: { ...others, zoom: challenges, tenants } }));
  signer = await startSigner(['--keys', at('keys'), '--config', at('signer.yaml'), '--socket', socket]);
  await signer.ready();
});

afterAll(async () => {
  await signer.stop();
  directory[Symbol.dispose]();
  const keys = formatNames.map((format) => keyOf(format, seed));
  expect(leaksOfAny(everythingPrinted() + signer.output(), [...keys, root])).toEqual([]);
});

const send = (input: string, ...args: readonly string[]) =>
  run([...args, '--request', '-', '--socket', socket], { input });
const succeeded = async (input: string, ...args: readonly string[]) => {
  const { code, stdout, stderr } = await send(input, ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.replace(/\n$/, '');
};

/** The answer of which this is the text. */
function answerOf(format: FormatName, text: string): Json {
  if (format === 'raw') return { signature: text };
  if (format === 'jwt') return { token: text };
  if (format === 'cookie') return { cookie: text };
  if (/^https?:\S+$/.test(text)) return { url: text };
  return { headers: Object.fromEntries(text.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2))) };
}

describe('a request', () => {
  const own = formatNames.filter((format) => !Object.hasOwn(providers, format));
  const ofProviders = formatNames.filter((format) => Object.hasOwn(providers, format) && format !== 'zoom');

  it.each([
    ...own.flatMap((format) => samples[format].requests.map((request) => [format, request] as const)),
    ...ofProviders.map((format) => [format, samples[format].requests[0]] as const),
  ])('of the format %s is signed, and what is printed is verified', async (format, request) => {
    const printed = await succeeded(JSON.stringify(request), 'sign', format);
    const received = samples[format].toVerify(request, answerOf(format, printed));
    writeFileSync(at('received.json'), JSON.stringify(received));
    expect(await run(['verify', format, '--request', at('received.json'), '--socket', socket])).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^valid, by the primary key [0-9a-f]{16}\n/),
      stderr: '',
    });
  });

  it.each([...own, 'stripe'] as const)(
    'of the format %s is answered as over HTTP with --json',
    async (format) => {
      const [request] = samples[format].requests;
      const answer = JSON.parse(await succeeded(JSON.stringify(request), 'sign', format, '--json'));
      expect(answer).toHaveProperty('keyId');
      const received = samples[format].toVerify(request, answer);
      const verification = JSON.parse(await succeeded(JSON.stringify(received), 'verify', format, '--json'));
      expect(verification).toEqual(await (await signer.call(`/v1/keys/${format}/verify`, received)).json());
    },
  );
});

describe('what a signature proves', () => {
  it('is printed with it: the claims of a token, the value of a cookie, the end of a URL', async () => {
    const claims = '{"sub":"user-7","roles":["a"],"n":0.1}';
    const token = await succeeded(`{"claims":${claims}}`, 'sign', 'jwt');
    expect(await succeeded(JSON.stringify({ token }), 'verify', 'jwt')).toMatch(
      /^valid, by .*\nclaims: \{"sub":"user-7","roles":\["a"\],"n":0.1,"iat":\d+,"exp":\d+\}$/,
    );
    const cookie = await succeeded('{"value":"a=b c"}', 'sign', 'cookie');
    expect(cookie).toMatch(/^s:a=b c\.[\w+/]{43}$/);
    expect(await succeeded(JSON.stringify({ cookie }), 'verify', 'cookie')).toMatch(/\nvalue: a=b c$/);
    const url = await succeeded('{"url":"https://files.example/a"}', 'sign', 'signed-url');
    expect(await succeeded(JSON.stringify({ url }), 'verify', 'signed-url')).toMatch(
      /\nexpiresAt: \d{4}-\d\d-\d\dT/,
    );
  });

  it('obeys no terminal, and a signature that text would change is printed as JSON only', async () => {
    for (const value of ['a\nb', '\u001b[2J', 'a\u202eb']) {
      const request = JSON.stringify({ value });
      expect(await send(request, 'sign', 'cookie')).toEqual({
        code: 1,
        stdout: '',
        stderr:
          'sidecar-signer: the signature has control or formatting characters, which text does not show; print it with --json\n',
      });
      const { cookie } = JSON.parse(await succeeded(request, 'sign', 'cookie', '--json'));
      const verified = await succeeded(JSON.stringify({ cookie }), 'verify', 'cookie');
      expect(verified.split('\n')).toHaveLength(2);
      expect(JSON.parse(`"${/value: (.*)$/.exec(verified)?.[1]}"`)).toBe(value);
    }
  });

  it('is denied with exit code 1, and with what is wrong where the answer says it', async () => {
    const mismatch = JSON.stringify({ cookie: `s:a.${'A'.repeat(43)}` });
    expect(await send(mismatch, 'verify', 'cookie')).toEqual({
      code: 1,
      stdout: 'not valid: mismatch\n',
      stderr: '',
    });
    const { code, stdout } = await send(mismatch, 'verify', 'cookie', '--json');
    expect([code, JSON.parse(stdout)]).toEqual([1, { valid: false, reason: 'mismatch' }]);
  });

  it('says more of why not, where the answer does', async () => {
    const request = { method: 'POST', url: 'https://api.example/orders', body: 'hello' };
    const signed = await succeeded(JSON.stringify(request), 'sign', 'http-signature');
    const received = { ...request, ...answerOf('http-signature', signed), body: 'hullo' };
    const unsigned = [{ alg: 'HS256' }, { sub: 'user-7' }].map((each) =>
      Buffer.from(JSON.stringify(each)).toString('base64url'),
    );
    const tag = createHmac('sha256', keyOf('jwt', seed)).update(unsigned.join('.')).digest('base64url');
    for (const [format, denied, told] of [
      ['http-signature', received, 'mismatch (the body is not that of content-digest)'],
      ['jwt', { token: [...unsigned, tag].join('.') }, 'not_allowed (the token has no exp)'],
    ] as const) {
      expect(await send(JSON.stringify(denied), 'verify', format)).toEqual({
        code: 1,
        stdout: `not valid: ${told}\n`,
        stderr: '',
      });
    }
  });
});

describe('the numbers of claims', () => {
  // If the command parsed and wrote them, it would sign others.
  it.each(['12345678901234567890', '9007199254740993', '1e400', '-0'])(
    'reach the signer as they are: %s',
    async (number) => {
      expect(await send(`{"claims":{"n":${number}}}`, 'sign', 'jwt')).toEqual({
        code: 1,
        stdout: '',
        stderr:
          'sidecar-signer: field "claims": contains a number that JSON does not preserve; write it as a string (unprocessable)\n',
      });
    },
  );
});

describe('--tenant', () => {
  it('selects the key of the tenant, as the field does', async () => {
    const headers = (text: string) => answerOf('standard-webhooks', text)['headers'];
    const byFlag = headers(await succeeded('{"body":"hello"}', 'sign', 'tenants', '--tenant', 'acme'));
    const byField = headers(await succeeded('{"body":"hello","tenant":"acme"}', 'sign', 'tenants'));
    for (const received of [byFlag, byField]) {
      const request = JSON.stringify({ body: 'hello', headers: received });
      expect(await succeeded(request, 'verify', 'tenants', '--tenant', 'acme')).toMatch(/^valid, by/);
      expect(await send(request, 'verify', 'tenants', '--tenant', 'globex')).toMatchObject({
        code: 1,
        stdout: 'not valid: mismatch\n',
      });
    }
  });

  it.each(['{"tenant":"acme","body":"x"}', '{"body":"x","tenant":null}', '{"\\u0074enant":"acme"}'])(
    'beside the tenant of the request is a usage error: %s',
    async (request) => {
      expect(await send(request, 'sign', 'tenants', '--tenant', 'acme')).toEqual({
        code: 2,
        stdout: '',
        stderr:
          'error: the request names a tenant already; leave out --tenant, or the field "tenant"\n(see --help)\n',
      });
    },
  );

  it('with a name that no tenant can have is refused by the signer', async () => {
    for (const tenant of ['a","body":"y', '../acme', 'é']) {
      const { code, stderr } = await send('{"body":"x"}', 'sign', 'tenants', '--tenant', tenant);
      expect([code, stderr]).toMatchObject([1, expect.stringContaining('field "tenant": not a usable name')]);
    }
  });
});

describe('a webhook whose scheme signs more than its headers and its body', () => {
  const body = at('body');
  const target = ['--url', 'https://hooks.example/in?a=1', '--method', 'POST'];
  const call = (...args: readonly string[]) => run([...args, body, '--socket', socket]);
  beforeAll(() => writeFileSync(body, '[{"eventId":1}]'));

  it.each(['hubspot', 'square', 'trello', 'twilio'] as const)(
    'is signed and verified: %s',
    async (format) => {
      const flags = format === 'hubspot' ? target : target.slice(0, 2);
      const signed = await call('sign', format, ...flags);
      expect(signed).toMatchObject({ code: 0, stderr: '' });
      writeFileSync(at('headers'), signed.stdout);
      const verify = (...args: readonly string[]) =>
        call('verify', format, '-H', `@${at('headers')}`, ...args);
      expect(await verify(...flags)).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^valid, by the/),
      });
      const other = flags.map((each) => each.replace('a=1', 'a=2'));
      expect(await verify(...other)).toEqual({ code: 1, stdout: 'not valid: mismatch\n', stderr: '' });
      const { code, stdout, stderr } = await verify();
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain('(or the header sec-signer-');
    },
  );

  it('and whose scheme stands in the configuration', async () => {
    const flags = [...target, '-H', 'X-Event: created'];
    const { stderr } = await call('verify', 'webhook', ...flags);
    expect(stderr).toBe('');
    expect(await call('verify', 'webhook', ...flags)).toMatchObject({ stdout: 'not valid: missing\n' });
  });

  it('has an id of its own, or a given one', async () => {
    const { stdout } = await call('sign', 'standard-webhooks', '--id', 'msg_7');
    expect(stdout).toContain('webhook-id: msg_7\n');
    expect((await call('sign', 'standard-webhooks')).stdout).toMatch(/^webhook-id: msg_[\w-]{24}\n/);
  });

  it('is not one whose scheme reads none of it: the flag would seem to be signed', async () => {
    const refusal = (flag: string) => ({
      code: 1,
      stdout: '',
      stderr: `sidecar-signer: the format of this key set does not read ${flag}; leave it out\n`,
    });
    for (const [flag = '', value = ''] of [target.slice(0, 2), target.slice(2), ['--id', 'msg_7']]) {
      for (const format of ['github', 'raw', 'jwt']) {
        expect(await call('sign', format, flag, value)).toEqual(refusal(flag));
      }
      if (flag === '--id') continue;
      expect(await call('verify', 'github', '-H', 'a: b', flag, value)).toEqual(refusal(flag));
    }
    expect(await call('sign', 'twilio', ...target)).toEqual(refusal('--method'));
  });
});

describe('challenge', () => {
  const token = 'qgg8vlvZRS6UYooatFL8Aw';
  const response = createHmac('sha256', keyOf('zoom', seed)).update(token).digest('hex');
  const ask = (...args: readonly string[]) => run(['challenge', ...args, '--socket', socket]);

  it('prints what the provider wants to see', async () => {
    expect(await ask('zoom', token)).toEqual({ code: 0, stdout: `${response}\n`, stderr: '' });
    const { stdout } = await ask('zoom', token, '--json');
    expect(JSON.parse(stdout)).toEqual({ response });
  });

  it.each<[readonly string[], string]>([
    [['zoom', 'v0:1:{}'], 'field "token": does not match the pattern of this scheme'],
    [['zoom', ''], 'field "token": does not match the pattern of this scheme'],
    [['zoom', token, '--tenant', 'acme'], 'has an unknown field'],
    [['github', token], 'this key is not allowed to challenge'],
    [['other', token], 'there is no key set of this name for this caller'],
  ])('of %j says why there is none', async (args, problem) => {
    const { code, stdout, stderr } = await ask(...args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(problem);
  });
});
