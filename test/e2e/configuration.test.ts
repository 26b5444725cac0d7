/** The configuration file as its users meet it: through the binary, its API, its log and its `check`. */

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Algorithm } from '../../src/signing/mac.ts';
import { type Payload, writeVolume } from '../support/atomic-writer.ts';
import { run } from '../support/command.ts';
import { tagOf } from '../support/keys.ts';
import { leaks } from '../support/leaks.ts';
import { type Signer, startSigner, temporaryDirectory, waitFor } from '../support/signer.ts';

/** Not printable, so that no rule about text applies. */
const newKey = () => Buffer.concat([Buffer.of(0), randomBytes(31)]);

/** A mounted Secret and a mounted ConfigMap. */
function mounted(): Disposable & {
  readonly path: string;
  readonly args: readonly string[];
  putKeys(payload: Payload): void;
  putConfig(yaml: string): void;
  /** Puts both there and starts a signer, which may still have to load them. */
  start(payload: Payload, yaml: string): Promise<Signer>;
} {
  const directory = temporaryDirectory();
  const [keys, config] = [join(directory.path, 'keys'), join(directory.path, 'config')];
  const args = ['--keys', keys, '--config', join(config, 'signer.yaml')];
  const putKeys = (payload: Payload) => writeVolume(keys, payload);
  const putConfig = (yaml: string) => writeVolume(config, { 'signer.yaml': yaml });
  const start = (payload: Payload, yaml: string) => {
    putKeys(payload);
    putConfig(yaml);
    return startSigner(args);
  };
  return Object.assign(directory, { args, putKeys, putConfig, start });
}

/** What the API tells of a key set, as far as these tests ask. */
interface Listed {
  readonly name: string;
  readonly algorithm: string;
  readonly policy: { readonly maxMessageBytes?: number };
}
interface Signature {
  readonly signature: string;
}
interface Problem {
  readonly code: string;
}
interface Results {
  readonly results: readonly { readonly signature?: string; readonly error?: Problem }[];
}
type Verdict = Readonly<Record<'valid' | 'primary', boolean>>;
const bodyOf = async <T>(response: Response): Promise<T> => (await response.json()) as T;
const listed = async (signer: Signer): Promise<readonly Listed[]> => {
  const response = await signer.call('/v1/keys');
  return response.ok ? (await bodyOf<{ keys: readonly Listed[] }>(response)).keys : [];
};
const names = async (signer: Signer) => (await listed(signer)).map(({ name }) => name).join();
const untilNames = (signer: Signer, expected: string) =>
  waitFor(async () => ((await names(signer)) === expected ? true : undefined));
/** The problems of the newest log line that has some. */
const loggedProblems = (signer: Signer): readonly string[] => {
  const lines = signer
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'));
  const latest = lines.map((line) => JSON.parse(line)).findLast(({ problems }) => problems !== undefined);
  return latest?.problems ?? [];
};
const untilProblem = (signer: Signer, problem: string) =>
  waitFor(() => (loggedProblems(signer).some((each) => each.includes(problem)) ? true : undefined));
interface Volumes {
  readonly volumes: readonly {
    content: string;
    generation: number;
    rejected: number;
    problems: readonly string[];
  }[];
}
const volumesOf = async (signer: Signer) =>
  (await bodyOf<Volumes>(await fetch(`${signer.opsUrl}/status`))).volumes;
const degraded = async (signer: Signer) =>
  (await volumesOf(signer)).filter(({ problems }) => problems.length > 0).map(({ content }) => content);
const untilDegraded = (signer: Signer, expected: readonly string[]) =>
  waitFor(async () => `${await degraded(signer)}` === `${expected}` || undefined);
const readiness = async (signer: Signer) => (await fetch(`${signer.opsUrl}/readyz`)).status;
const octets = (body: string | Buffer, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body,
  headers: { 'content-type': 'application/octet-stream', ...headers },
});
const signatureOf = async (signer: Signer, name: string, message = 'm') =>
  (await bodyOf<Signature>(await signer.call(`/v1/keys/${name}/sign`, { message }))).signature;
const tag = (algorithm: Algorithm, key: Buffer, message = 'm') =>
  tagOf(algorithm, key, message).toString('hex');

describe('a configuration that is wrong at the start', () => {
  it('leaves the signer running and not ready, names every problem, and is picked up when it is fixed', async () => {
    using volume = mounted();
    const key = newKey();
    await using signer = await volume.start(
      { orders: key },
      'keys:\n  orders:\n    algoritm: HS512\n    maxMessageBytes: many\n  "a b": {}\nlisten: 1\n',
    );
    await untilProblem(signer, 'listen');
    expect(loggedProblems(signer)).toEqual([
      expect.stringMatching(/: listen: unknown field; the fields here are: keys \(line 6\)$/),
      expect.stringMatching(/: keys\.orders\.maxMessageBytes: must be a number \(line 4\)$/),
      expect.stringMatching(
        /: keys\.orders\.algoritm: unknown field; did you mean "algorithm"\? \(line 3\)$/,
      ),
      expect.stringMatching(/: keys: not a usable name; .* \(line 5\)$/),
    ]);
    expect(await readiness(signer)).toBe(503);
    const response = await signer.call('/v1/keys/orders/sign', { message: 'm' });
    expect([response.status, (await bodyOf<Problem>(response)).code]).toEqual([503, 'not_ready']);

    volume.putConfig('keys: { orders: { algorithm: HS512 } }');
    await signer.ready();
    expect(await signatureOf(signer, 'orders')).toBe(tag('HS512', key));
  });

  it('is told together with what is wrong with the keys, once it can be read', async () => {
    using volume = mounted();
    await using signer = await volume.start(
      { a: 'short', b: newKey() },
      'keys: { a: , b: { encoding: hex }, c: }',
    );
    await untilProblem(signer, '"c"');
    expect(
      loggedProblems(signer)
        .map((each) => each.slice(0, 3))
        .sort(),
    ).toEqual(['"a"', '"b"', '"c"']);
    expect(await readiness(signer)).toBe(503);
  });

  it('that is not there yet is waited for', async () => {
    using volume = mounted();
    volume.putKeys({ k: newKey() });
    await using signer = await startSigner(volume.args);
    await untilProblem(signer, 'does not exist (yet)');
    volume.putConfig('keys: { k: }');
    await signer.ready();
    expect(await names(signer)).toBe('k');
  });
});

describe('keys and configuration', () => {
  const before = { yaml: 'keys: { a: { maxMessageBytes: 1 } }', keys: { a: newKey() } };
  const after = { yaml: 'keys: { b: { algorithm: HS512, maxMessageBytes: 2 } }', keys: { b: newKey() } };
  type Step = (volume: ReturnType<typeof mounted>) => void;
  const orders: readonly [string, Step, Step][] = [
    ['configuration first', (v) => v.putConfig(after.yaml), (v) => v.putKeys(after.keys)],
    ['keys first', (v) => v.putKeys(after.keys), (v) => v.putConfig(after.yaml)],
  ];

  it.each(orders)('that change one after the other make one snapshot: %s', async (_, first, second) => {
    using volume = mounted();
    await using signer = await volume.start(before.keys, before.yaml);
    await signer.ready();

    // A caller looks at the whole all the time, and must never see a half.
    const seen = new Set<string>();
    const failures: number[] = [];
    let watching = true;
    const watch = async () => {
      while (watching) {
        const response = await signer.call('/v1/keys');
        if (!response.ok) failures.push(response.status);
        else {
          const { keys } = await bodyOf<{ keys: readonly Listed[] }>(response);
          seen.add(
            keys
              .map(({ name, algorithm, policy }) => `${name} ${algorithm} ${policy.maxMessageBytes}`)
              .join(),
          );
        }
      }
    };
    const watchers = [watch(), watch()];
    const lastGood = await listed(signer);
    first(volume);
    await untilProblem(signer, 'has no file of its name');
    expect(await listed(signer)).toEqual(lastGood);
    expect(await readiness(signer)).toBe(200);
    expect(await signatureOf(signer, 'a')).toBe(tag('HS256', before.keys.a));
    second(volume);
    await untilNames(signer, 'b');
    expect(await signatureOf(signer, 'b')).toBe(tag('HS512', after.keys.b));
    watching = false;
    await Promise.all(watchers);
    expect([...seen]).toEqual(['a HS256 1', 'b HS512 2']);
    expect(failures).toEqual([]);
    await waitFor(async () => {
      const response = await fetch(`${signer.opsUrl}/status`);
      const { volumes } = await bodyOf<{ volumes: readonly { problems: readonly string[] }[] }>(response);
      return volumes.every(({ problems }) => problems.length === 0) ? true : undefined;
    });
  });

  it('that disagree are settled by going back as well', async () => {
    using volume = mounted();
    await using signer = await volume.start(before.keys, before.yaml);
    await signer.ready();
    volume.putConfig(after.yaml);
    await untilProblem(signer, 'has no file of its name');
    volume.putConfig('keys: { a: { maxMessageBytes: 7 } }');
    await waitFor(async () => {
      const [only] = await listed(signer);
      return only?.policy.maxMessageBytes === 7 ? true : undefined;
    });
    expect(await signatureOf(signer, 'a')).toBe(tag('HS256', before.keys.a));
  });

  it('lie in one directory, or below one, with whatever else is there', async () => {
    using directory = temporaryDirectory();
    const keys = join(directory.path, 'keys');
    writeVolume(keys, { k: newKey(), unlisted: '' });
    const config = join(directory.path, 'signer.yaml');
    writeFileSync(config, 'keys: { k: }');
    const others = join(directory.path, 'others');
    mkdirSync(others);
    for (let each = 0; each < 1100; each++) writeFileSync(join(others, `${each}`), '');
    for (let each = 0; each < 1100; each++) writeFileSync(join(directory.path, `file-${each}`), '');
    expect(readdirSync(directory.path).length).toBeGreaterThan(1024);
    await using signer = await startSigner(['--keys', keys, '--config', config]);
    await signer.ready();
    writeFileSync(config, 'keys: { again: { file: k } }');
    await untilNames(signer, 'again');
    expect(loggedProblems(signer)).toEqual([]);
  });
});

describe('a policy', () => {
  /** A signer with one key set `k` of these fields. */
  const start = async (volume: ReturnType<typeof mounted>, fields: string, key = newKey()) => {
    const signer = await volume.start({ k: key }, `keys: { k: { ${fields} } }`);
    await signer.ready();
    return Object.assign(signer, { key });
  };
  const refusal = async (response: Response) => ({
    status: response.status,
    code: (await bodyOf<Problem>(response)).code,
    retryAfter: response.headers.get('retry-after'),
  });

  it('that limits the rate answers 429 with Retry-After, over all that the key does', async () => {
    using volume = mounted();
    await using signer = await start(volume, 'rateLimit: { perSecond: 0.01, burst: 5 }');
    const signature = tag('HS256', signer.key);
    const items = [{ message: '1' }, { message: '2' }, { message: '3', reference: 'third' }];
    expect((await signer.call('/v1/keys/k/sign', { message: 'm' })).status).toBe(200);
    expect((await signer.call('/v1/keys/k/verify', { message: 'm', signature })).status).toBe(200);
    expect((await signer.call('/v1/keys/k/sign', undefined, octets('m'))).status).toBe(200);
    const { results } = await bodyOf<Results>(await signer.call('/v1/keys/k/sign-batch', { items }));
    expect(results).toEqual([
      expect.objectContaining({ signature: tag('HS256', signer.key, '1') }),
      expect.objectContaining({ signature: tag('HS256', signer.key, '2') }),
      { error: expect.objectContaining({ code: 'rate_limited', status: 429 }), reference: 'third' },
    ]);
    const refused = [
      await signer.call('/v1/keys/k/sign', { message: 'm' }),
      await signer.call('/v1/keys/k/verify', { message: 'm', signature }),
      await signer.call('/v1/keys/k/sign', undefined, octets('m')),
      await signer.call('/v1/keys/k/verify', undefined, octets('m', { 'sec-signer-signature': signature })),
    ];
    for (const response of refused) {
      const { status, code, retryAfter } = await refusal(response);
      expect([status, code]).toEqual([429, 'rate_limited']);
      expect(Number(retryAfter)).toBeGreaterThan(60);
      expect(Number(retryAfter)).toBeLessThanOrEqual(100);
    }
    // What is not a use of the key is not counted, and a limit that is lifted is lifted.
    expect(await names(signer)).toBe('k');
    volume.putConfig('keys: { k: }');
    await waitFor(async () =>
      (await signer.call('/v1/keys/k/sign', { message: 'm' })).ok ? true : undefined,
    );
  });

  it('that refills lets through who has waited', async () => {
    using volume = mounted();
    await using signer = await start(volume, 'rateLimit: { perSecond: 20, burst: 1 }');
    const sign = () => signer.call('/v1/keys/k/sign', { message: 'm' });
    await waitFor(async () => ((await sign()).status === 429 ? true : undefined));
    await waitFor(async () => ((await sign()).status === 200 ? true : undefined));
    expect(await names(signer)).toBe('k');
  });

  it.each([
    ['sign', 'verify'],
    ['verify', 'sign'],
  ])('that allows only to %s answers 403 to everything else', async (allowed, denied) => {
    using volume = mounted();
    await using signer = await start(volume, `allow: [${allowed}]`);
    const request = { message: 'm', ...(allowed === 'verify' && { signature: tag('HS256', signer.key) }) };
    expect((await signer.call(`/v1/keys/k/${allowed}`, request)).status).toBe(200);
    expect((await signer.call(`/v1/keys/k/${allowed}-batch`, { items: [request] })).status).toBe(200);
    const refused = [
      await signer.call(`/v1/keys/k/${denied}`, { message: 'm', signature: '' }),
      await signer.call(`/v1/keys/k/${denied}`, undefined, octets('m')),
      await signer.call(`/v1/keys/k/${denied}-batch`, { items: [{ message: 'm' }] }),
      // Not even the shape of a request is looked at first.
      await signer.call(`/v1/keys/k/${denied}`, []),
    ];
    for (const response of refused) {
      expect(await refusal(response)).toEqual({
        status: 403,
        code: 'operation_not_allowed',
        retryAfter: null,
      });
    }
  });

  it.each([
    ['9', 200],
    ['10', 200],
    ['11', 413],
  ])('that takes 10 bytes, given %s: %i', async (length, status) => {
    using volume = mounted();
    await using signer = await start(volume, 'maxMessageBytes: 10');
    const message = 'x'.repeat(Number(length));
    const signature = tag('HS256', signer.key, message);
    const answers = [
      await signer.call('/v1/keys/k/sign', { message }),
      await signer.call('/v1/keys/k/verify', { message, signature }),
      await signer.call('/v1/keys/k/sign', undefined, octets(message)),
      await signer.call(
        '/v1/keys/k/verify',
        undefined,
        octets(message, { 'sec-signer-signature': signature }),
      ),
      await signer.call('/v1/keys/k/sign', {
        message: Buffer.from(message).toString('hex'),
        encoding: 'hex',
      }),
    ];
    expect(answers.map((each) => each.status)).toEqual(answers.map(() => status));
    const items = [{ message }, { message: 'short' }];
    const { results } = await bodyOf<Results>(await signer.call('/v1/keys/k/sign-batch', { items }));
    expect(results[0]?.error?.code).toBe(status === 413 ? 'message_too_large' : undefined);
    expect(results[1]?.signature).toBe(tag('HS256', signer.key, 'short'));
  });

  it('that ends retained keys at once is in force without a restart', async () => {
    using volume = mounted();
    await using signer = await start(volume, '');
    const next = newKey();
    volume.putKeys({ k: next });
    const signature = tag('HS256', signer.key);
    const verify = async () =>
      bodyOf<Verdict>(await signer.call('/v1/keys/k/verify', { message: 'm', signature }));
    await waitFor(async () => ((await verify()).primary === false ? true : undefined));
    volume.putConfig('keys: { k: { retainPreviousSeconds: 0 } }');
    await waitFor(async () => ((await verify()).valid === false ? true : undefined));
    expect(await verify()).toEqual({ valid: false, reason: 'mismatch' });
  });

  it('is shown to whoever may use the key', async () => {
    using volume = mounted();
    await using signer = await start(
      volume,
      'output: base64, maxMessageBytes: 5, rateLimit: { perSecond: 3 }, allow: [verify], algorithm: HS384',
    );
    expect(await (await signer.call('/v1/keys/k')).json()).toMatchObject({
      name: 'k',
      format: 'raw',
      algorithm: 'HS384',
      allow: ['verify'],
      policy: { output: 'base64', maxMessageBytes: 5, rateLimit: { perSecond: 3, burst: 3 } },
    });
  });
});

describe('a key from the environment', () => {
  it('signs, is listed, and is said not to be reloaded', async () => {
    using volume = mounted();
    const key = newKey();
    volume.putKeys({ file: newKey() });
    volume.putConfig('keys: { file: , env: { env: SIGNING_KEY, encoding: hex }, skipped: { env: 1NOT } }');
    await using signer = await startSigner(volume.args, { SIGNING_KEY: key.toString('hex') });
    await signer.ready();
    expect(await names(signer)).toBe('env,file');
    expect(await signatureOf(signer, 'env')).toBe(tag('HS256', key));
    await waitFor(() =>
      signer.output().includes('comes from the environment, so it is not reloaded') ? true : undefined,
    );
    expect(signer.output()).toContain('keys.skipped.env: is not a name that a variable can have');

    volume.putKeys({ file: newKey(), more: newKey() });
    volume.putConfig('keys: { file: , more: , env: { env: SIGNING_KEY, encoding: hex, algorithm: HS512 } }');
    await untilNames(signer, 'env,file,more');
    expect(await signatureOf(signer, 'env')).toBe(tag('HS512', key));
    expect(leaks(signer.output(), key)).toEqual([]);
  });

  it('alone needs no directory of keys', async () => {
    using directory = temporaryDirectory();
    const config = join(directory.path, 'signer.yaml');
    writeFileSync(config, 'keys: { env: { env: SIGNING_KEY, encoding: hex } }');
    const args = ['--keys', join(directory.path, 'missing'), '--config', config];
    const env = { SIGNING_KEY: newKey().toString('hex') };
    await using signer = await startSigner(args, env);
    await signer.ready();
    expect(await names(signer)).toBe('env');
    const { code, stdout } = await run(['check', ...args, '--json'], { env });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ valid: true, problems: [], keys: [{ name: 'env' }] });
  });

  it('alone takes "--keys none", and is degraded by nothing', async () => {
    using directory = temporaryDirectory();
    const config = join(directory.path, 'signer.yaml');
    writeFileSync(config, 'keys: { env: { env: SIGNING_KEY, encoding: hex } }');
    const args = ['--keys', 'none', '--config', config];
    const env = { SIGNING_KEY: newKey().toString('hex') };
    await using signer = await startSigner(args, env);
    await signer.ready();
    const status = await bodyOf<{ volumes: object[] }>(await fetch(`${signer.opsUrl}/status`));
    expect(status.volumes).toMatchObject([{ content: 'configuration', problems: [] }]);
    expect(loggedProblems(signer)).toEqual([]);
    expect((await run(['check', ...args], { env })).code).toBe(0);
    const { code, stderr } = await run(['serve', '--keys', 'none']);
    expect(code).toBe(1);
    expect(stderr).toContain('--keys none needs a --config that takes every key from a variable ("env")');
    for (const mixed of [['none,/a'], ['/a', '--keys', 'none'], ['none', '--keys', '/a']]) {
      const refused = await run(['check', '--keys', ...mixed]);
      expect([mixed, refused.code]).toEqual([mixed, 2]);
      expect(refused.stderr).toContain(
        'expected directories or none; write ./none for a directory of that name',
      );
    }
  });

  it('that is not set keeps the signer from being ready', async () => {
    using volume = mounted();
    await using signer = await volume.start(
      { file: newKey() },
      'keys: { file: , env: { env: SIGNING_KEY } }',
    );
    await untilProblem(signer, '"env" needs a variable that is not set');
    expect(await readiness(signer)).toBe(503);
  });
});

describe('what does not fit to the newest of the other', () => {
  const begin = async (volume: ReturnType<typeof mounted>) => {
    const signer = await volume.start({ a: newKey() }, 'keys: { a: }');
    await untilNames(signer, 'a');
    return signer;
  };

  it('is a configuration: a key that leaked is replaced all the same', async () => {
    using volume = mounted();
    await using signer = await begin(volume);
    volume.putConfig('keys: { a: { maxMessageBytes: 10 }, z: }');
    await untilDegraded(signer, ['configuration']);
    const fresh = newKey();
    volume.putKeys({ a: fresh });
    await waitFor(async () => (await signatureOf(signer, 'a')) === tag('HS256', fresh) || undefined);
    await untilDegraded(signer, ['configuration']);
    // However often it was tried again.
    const [, configuration] = await volumesOf(signer);
    expect(configuration?.rejected).toBe(1);
    volume.putKeys({ a: fresh, z: newKey() });
    await untilDegraded(signer, []);
    expect(await listed(signer)).toMatchObject([
      { name: 'a', policy: { maxMessageBytes: 10 } },
      { name: 'z' },
    ]);
  });

  it('are keys: a policy is tightened all the same', async () => {
    using volume = mounted();
    await using signer = await begin(volume);
    volume.putKeys({ a: 'short' });
    await untilDegraded(signer, ['keys']);
    volume.putConfig('keys: { a: { allow: [verify] } }');
    const sign = async () => (await signer.call('/v1/keys/a/sign', { message: 'm' })).status;
    await waitFor(async () => (await sign()) === 403 || undefined);
    expect(await degraded(signer)).toEqual(['keys']);
  });

  it('is two of three that fit each other, and are used when the third is withdrawn', async () => {
    using volume = mounted();
    const second = join(volume.path, 'second');
    const putSecond = (payload: Payload) => writeVolume(second, payload);
    volume.putKeys({ a: newKey() });
    putSecond({ d: newKey() });
    volume.putConfig('keys: { a: , d: }');
    await using signer = await startSigner(['--keys', second, ...volume.args]);
    await untilNames(signer, 'a,d');
    putSecond({ d: 'short' });
    await untilDegraded(signer, ['keys']);
    volume.putKeys({ n: newKey() });
    volume.putConfig('keys: { n: , d: }');
    await untilDegraded(signer, ['keys', 'keys', 'configuration']);
    putSecond({});
    await untilNames(signer, 'd,n');
    await untilDegraded(signer, ['keys']);
    expect(loggedProblems(signer)).toEqual([expect.stringContaining('the volume holds no file')]);
  });

  it('is told as refused where the directory of a file is not there', async () => {
    using directory = temporaryDirectory();
    const config = join(directory.path, 'config');
    const put = (yaml: string) => writeVolume(config, { 'signer.yaml': yaml });
    put('keys: { k: { env: SIGNING_KEY, encoding: hex } }');
    const args = ['--keys', join(directory.path, 'missing'), '--config', join(config, 'signer.yaml')];
    await using signer = await startSigner(args, { SIGNING_KEY: newKey().toString('hex') });
    await untilNames(signer, 'k');
    put('keys: { k: { env: SIGNING_KEY, encoding: hex, allow: [verify] }, f: }');
    await untilProblem(signer, `${args[1]} could not be read yet; mount it there`);
    await untilDegraded(signer, ['keys', 'configuration']);
    writeVolume(`${args[1]}`, { f: newKey() });
    await untilNames(signer, 'f,k');
    await untilDegraded(signer, []);
    expect((await signer.call('/v1/keys/k/sign', { message: 'm' })).status).toBe(403);
  });
});

describe('at the start', () => {
  it('makes no snapshot of a part: one file in two directories is refused, and told of a directory', async () => {
    using directory = temporaryDirectory();
    const [one, two] = ['one', 'two'].map((name) => join(directory.path, name));
    const config = join(directory.path, 'signer.yaml');
    for (const keys of [one, two]) {
      mkdirSync(`${keys}`);
      writeFileSync(join(`${keys}`, 'a'), newKey());
    }
    writeFileSync(config, 'keys: { a: }');
    const args = ['--keys', `${one}`, '--keys', `${two}`, '--config', config];
    const problem = `"a" in ${one} and ${two} is the name of two files; rename one of them`;
    const { code, stdout } = await run(['check', '--json', ...args]);
    expect({ code, problems: JSON.parse(stdout).problems }).toEqual({ code: 1, problems: [problem] });
    await using signer = await startSigner(args);
    await untilProblem(signer, problem);
    await untilDegraded(signer, ['keys']);
    expect(await readiness(signer)).toBe(503);
    rmSync(join(`${two}`, 'a'));
    writeFileSync(join(`${two}`, 'other'), newKey());
    await untilNames(signer, 'a');
    await untilDegraded(signer, []);
    expect((await volumesOf(signer)).map(({ generation }) => generation)).toEqual([1, 1, 1]);
  });

  it.each([
    ['is a link', (path: string) => symlinkSync('/etc/hostname', path), 'is a link that leads out'],
    [
      'is too large',
      (path: string) => writeFileSync(path, Buffer.alloc(2 ** 20 + 1)),
      'is over 1048576 bytes',
    ],
  ])('tells of one file that %s, and of nothing else', async (_, make, problem) => {
    using directory = temporaryDirectory();
    const [keys, config] = [join(directory.path, 'keys'), join(directory.path, 'signer.yaml')];
    mkdirSync(keys);
    make(join(keys, 'bad'));
    writeFileSync(join(keys, 'good'), newKey());
    writeFileSync(config, 'keys: { bad: , good: }');
    const { stdout } = await run(['check', '--json', '--keys', keys, '--config', config]);
    expect(JSON.parse(stdout).problems).toEqual([expect.stringContaining(`"bad" ${problem}`)]);
    await using signer = await startSigner(['--keys', keys, '--config', config]);
    await untilProblem(signer, problem);
    await untilDegraded(signer, ['keys']);
  });

  it.each([
    [
      'a nested secret volume',
      (keys: string) => writeVolume(join(keys, 'sv'), { k: newKey() }),
      'sv/k',
      'belongs to',
    ],
    [
      'a linked directory',
      (keys: string) => symlinkSync('/etc', join(keys, 'etc')),
      'etc/hostname',
      'is a link',
    ],
  ])('refuses a file in %s, with the reason', async (_, make, file, problem) => {
    using directory = temporaryDirectory();
    const [keys, config] = [join(directory.path, 'keys'), join(directory.path, 'signer.yaml')];
    mkdirSync(keys);
    make(keys);
    writeFileSync(config, `keys: { k: { file: ${file} } }`);
    const { code, stdout } = await run(['check', '--json', '--keys', keys, '--config', config]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout).problems).toEqual([expect.stringContaining(problem)]);
  });
});

describe('files that the configuration does not name', () => {
  /** Each would be refused if it were read. */
  const beside = (directory: string) => {
    mkdirSync(join(directory, 'lost+found'), { mode: 0 });
    mkdirSync(join(directory, 'a/b/c/d/e/f'), { recursive: true });
    writeFileSync(join(directory, 'large'), Buffer.alloc(2 ** 20 + 1));
    writeFileSync(join(directory, 'arn:aws:secret x'), 'colons and spaces');
    symlinkSync('/etc/hostname', join(directory, 'outside'));
    execFileSync('mkfifo', [join(directory, 'fifo')]);
  };

  it('are neither read nor refused, and hold up no rotation', async () => {
    using directory = temporaryDirectory();
    const [keys, config] = [join(directory.path, 'keys'), join(directory.path, 'signer.yaml')];
    const args = ['--keys', keys, '--config', config];
    mkdirSync(keys);
    beside(keys);
    const [first, second] = [newKey(), newKey()];
    writeFileSync(join(keys, 'orders'), first);
    writeFileSync(config, 'keys: { orders: }');
    expect(await run(['check', ...args])).toMatchObject({ code: 0 });
    expect(await run(['check', '--keys', keys])).toMatchObject({ code: 1 });
    await using signer = await startSigner(args);
    await untilNames(signer, 'orders');
    writeFileSync(join(keys, 'next'), second);
    renameSync(join(keys, 'next'), join(keys, 'orders'));
    await waitFor(async () => (await signatureOf(signer, 'orders')) === tag('HS256', second) || undefined);
    // A file that is named later is read then.
    writeFileSync(join(keys, 'more'), newKey());
    writeFileSync(config, 'keys: { orders: , more: , typo: { file: ordres } }');
    await untilProblem(
      signer,
      '"typo" needs a file ("file") that is not there in the mounted secrets; did you mean',
    );
    writeFileSync(config, 'keys: { orders: , more: }');
    await untilNames(signer, 'more,orders');
    await untilDegraded(signer, []);
    const status = await bodyOf<{ generation: number }>(await fetch(`${signer.opsUrl}/status`));
    expect(status.generation).toBe(3);
  });
});

describe('what was refused and then taken back', () => {
  const untilHealthy = (signer: Signer) =>
    waitFor(async () => {
      const status = await bodyOf<{ volumes: readonly { problems: readonly string[] }[] }>(
        await fetch(`${signer.opsUrl}/status`),
      );
      return status.volumes.every(({ problems }) => problems.length === 0) || undefined;
    });
  it('is a configuration: the keys that it waited for do not bring it back', async () => {
    using volume = mounted();
    const [first, second] = [newKey(), newKey()];
    await using signer = await volume.start({ a: first }, 'keys: { a: }');
    await untilNames(signer, 'a');
    volume.putConfig('keys: { a: , b: }');
    await untilProblem(signer, '"b" has no file of its name');
    volume.putConfig('keys: { a: }');
    await untilHealthy(signer);
    volume.putKeys({ a: second, b: newKey() });
    await waitFor(async () => (await signatureOf(signer, 'a')) === tag('HS256', second) || undefined);
    expect(await names(signer)).toBe('a');
  });

  it('is a configuration with a slip in its place: the keys that it waited for do not bring it back', async () => {
    using volume = mounted();
    await using signer = await volume.start({ a: newKey() }, 'keys: { a: }');
    await untilNames(signer, 'a');
    volume.putConfig('keys: { a: { maxMessageBytes: 7 }, b: }');
    await untilProblem(signer, '"b" has no file of its name');
    volume.putConfig('keys: { a: ');
    await untilProblem(signer, 'not valid YAML');
    const fresh = newKey();
    volume.putKeys({ a: fresh, b: newKey() });
    await waitFor(async () => (await signatureOf(signer, 'a')) === tag('HS256', fresh) || undefined);
    const [only, another] = await listed(signer);
    expect([only?.policy.maxMessageBytes, another]).toEqual([undefined, undefined]);
  });

  it('are keys that were deleted since: a configuration that names them does not bring them back', async () => {
    using volume = mounted();
    await using signer = await volume.start({ a: newKey() }, 'keys: { a: }');
    await untilNames(signer, 'a');
    volume.putKeys({ leaked: newKey() });
    await untilProblem(signer, '"a" has no file of its name');
    volume.putKeys({});
    await untilProblem(signer, 'the volume holds no file');
    volume.putConfig('keys: { leaked: }');
    await untilProblem(signer, '"leaked" has no file of its name');
    expect(await names(signer)).toBe('a');
  });

  it('are keys: they do not hold up the next configuration', async () => {
    using volume = mounted();
    const key = newKey();
    await using signer = await volume.start({ a: key }, 'keys: { a: }');
    await untilNames(signer, 'a');
    volume.putKeys({ a: 'short' });
    await untilProblem(signer, '"a" is 5 bytes long');
    volume.putKeys({ a: key });
    await untilHealthy(signer);
    volume.putConfig('keys: { a: { maxMessageBytes: 10 } }');
    await waitFor(async () => (await listed(signer))[0]?.policy.maxMessageBytes === 10 || undefined);
    expect(await signatureOf(signer, 'a')).toBe(tag('HS256', key));
  });
});

describe('a key that somebody has written into the configuration', () => {
  // Printable, and different each time.
  const marker = `marker+${randomBytes(12).toString('base64url')}/"'`;
  const text = JSON.stringify(marker);
  it.each([
    ['as a file', 'keys: { k: { file: MARKER } }'],
    ['as a variable', 'keys: { k: { env: MARKER } }'],
    ['as an encoding and a number', `keys: { k: { encoding: ${text}, maxMessageBytes: ${text} } }`],
    ['as a name', `keys: { ${text}: , k: { ${text}: 1 } }`],
    ['as the whole document', text],
    ['as broken YAML', `keys: { k: ${text}\n`],
  ])('is nowhere in the log, the status or the output of check: %s', async (_, yaml) => {
    using volume = mounted();
    const word = marker.replaceAll(/[^A-Za-z0-9]/g, '');
    await using signer = await volume.start({ ok: newKey() }, yaml.replaceAll('MARKER', word));
    await untilProblem(signer, '');
    const checked = await run(['check', ...volume.args]);
    const json = await run(['check', ...volume.args, '--json']);
    const status = await (await fetch(`${signer.opsUrl}/status`)).text();
    const shown = [signer.output(), checked.stdout, checked.stderr, json.stdout, json.stderr, status].join(
      '\n',
    );
    expect(shown.length).toBeGreaterThan(300);
    expect([...leaks(shown, Buffer.from(marker)), ...leaks(shown, Buffer.from(word))]).toEqual([]);
  });
});

describe('check', () => {
  const secret = (body: string) => `apiVersion: v1\nkind: Secret\nmetadata: { name: s }\n${body}\n`;
  const manifest = (directory: { readonly path: string }, yaml: string) => {
    const path = join(directory.path, 'secret.yaml');
    writeFileSync(path, yaml);
    return path;
  };

  it('says of a good configuration what would be served', async () => {
    using volume = mounted();
    volume.putKeys({ a: newKey(), b: newKey().toString('hex'), unlisted: '' });
    volume.putConfig('keys: { a: { algorithm: HS512, allow: [sign] }, b: { encoding: hex } }');
    const { code, stdout, stderr } = await run(['check', ...volume.args]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^✓ a {2}raw {2}HS512 {2}sign {2}key id [0-9a-f]{16}\n✓ b {2}raw {2}HS256 {2}sign, verify {2}key id [0-9a-f]{16}\n/,
    );
    expect(stdout).toContain('2 key sets, ready to serve\n');
  });

  it('says of a bad configuration everything that is wrong, as text and as JSON', async () => {
    using volume = mounted();
    volume.putKeys({ a: newKey() });
    volume.putConfig('keys:\n  a: { encodin: hex }\n  b: { allow: [] }\n');
    const { code, stdout } = await run(['check', ...volume.args]);
    expect(code).toBe(1);
    expect(stdout.match(/^✗ .*/gm)).toEqual([
      expect.stringMatching(
        /signer\.yaml: keys\.a\.encodin: unknown field; did you mean "encoding"\? \(line 2\)$/,
      ),
      expect.stringMatching(/signer\.yaml: keys\.b\.allow: must have at least 1 element \(line 3\)$/),
    ]);
    const json = await run(['check', ...volume.args, '--json']);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({ valid: false, keys: [], problems: { length: 2 } });
  });

  it('notes what a person should know', async () => {
    using volume = mounted();
    volume.putKeys({ weak: 'partner', text: 'correct horse battery staple\n' });
    volume.putConfig(
      'keys: { weak: { allowWeakKey: true }, text: { encoding: text }, skipped: { env: 1NOT } }',
    );
    const { code, stdout } = await run(['check', ...volume.args, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).notes).toEqual(
      expect.arrayContaining([
        '"weak" holds a weak key, accepted because of allowWeakKey; replace it',
        expect.stringMatching(/^"text" ends with a newline, which is not part of the key/),
        expect.stringMatching(/^keys\.skipped\.env: is not a name that a variable can have/),
      ]),
    );
  });

  it('reads a Secret manifest, from a file and from a pipe', async () => {
    using directory = temporaryDirectory();
    const yaml = `kind: ConfigMap\n---\n${secret(`data: { a: ${randomBytes(32).toString('base64')} }`)}---\n${secret('stringData: { b: battery correct horse }')}`;
    const { code, stdout } = await run(['check', '--secret', manifest(directory, yaml), '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      valid: true,
      keys: [{ name: 'a' }, { name: 'b' }],
      problems: [],
    });
    expect(await run(['check', '--secret', '-', '--json'], { input: yaml })).toEqual({
      code,
      stdout,
      stderr: '',
    });
  });

  it('reads a Secret manifest with the configuration that is to be used', async () => {
    using volume = mounted();
    volume.putConfig('keys: { k: { encoding: hex, algorithm: HS512 } }');
    const [, , , config = ''] = volume.args;
    const good = manifest(volume, secret(`stringData: { k: "${randomBytes(64).toString('hex')}" }`));
    const { stdout } = await run(['check', '--secret', good, '--config', config, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ valid: true, keys: [{ name: 'k', algorithm: 'HS512' }] });
    const bad = manifest(volume, secret('stringData: { k: not hex }'));
    const refused = await run(['check', '--secret', bad, '--config', config, '--json']);
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.stdout).problems).toEqual([expect.stringContaining('"k" is not hex')]);
  });

  it('refuses a Secret manifest with all its mistakes', async () => {
    using directory = temporaryDirectory();
    const yaml = secret('data: { a: "!" }\nstringData: { c: 5 }');
    const { code, stdout, stderr } = await run(['check', '--secret', manifest(directory, yaml), '--json']);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      valid: false,
      problems: [
        'data.a: is not base64; use stringData for plain text',
        'stringData.c: must be text; put it in quotes',
      ],
    });
  });

  it('says which file cannot be read', async () => {
    using directory = temporaryDirectory();
    const missing = join(directory.path, 'missing.yaml');
    const good = manifest(directory, secret('stringData: { k: correct horse battery }'));
    for (const args of [
      ['--secret', missing],
      ['--secret', good, '--config', missing],
    ]) {
      const { code, stderr } = await run(['check', ...args]);
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: `sidecar-signer: ${missing} cannot be read; check the path and its permissions\n`,
      });
    }
  });
});
