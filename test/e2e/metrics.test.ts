/** What Prometheus is told by a signer that has been used, refused and given bad keys. */

import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import { run } from '../support/command.ts';
import { leaks } from '../support/leaks.ts';
import { type Signer, startSigner, temporaryDirectory, waitFor } from '../support/signer.ts';

const key = randomBytes(32).toString('hex');
const message = 'hello';

/** Every value by the metric's name without the common prefix, with its labels as they are written. Those of the process are left out. */
async function scrape(signer: Signer): Promise<Readonly<Record<string, number>>> {
  const response = await fetch(`${signer.opsUrl}/metrics`);
  expect(response.status).toBe(200);
  const lines = (await response.text()).split('\n').filter((line) => /^(?!#|process_)./.test(line));
  return Object.fromEntries(
    lines.map((line) => {
      const [, name = '', value] = /^sidecar_signer_(\S+) (\S+)$/.exec(line) ?? [];
      expect([line, Number.isFinite(Number(value))]).toEqual([line, true]);
      return [name, Number(value)];
    }),
  );
}

/** Those of a metric that counts. */
function counts(values: Readonly<Record<string, number>>, name: string): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(values).filter(([each]) => each.startsWith(`${name}{`)));
}

describe('/metrics', () => {
  it('counts what each key set was asked for, and how it ended', async () => {
    using directory = temporaryDirectory();
    writeVolume(directory.path, { demo: key, other: randomBytes(32) });
    await using signer = await startSigner(['--keys', directory.path]);
    await signer.ready();
    expect(counts(await scrape(signer), 'operations_total')).toEqual({});

    const { signature } = (await (await signer.call('/v1/keys/demo/sign', { message })).json()) as {
      signature: string;
    };
    await signer.call('/v1/keys/demo/verify', { message, signature });
    await signer.call('/v1/keys/demo/verify', { message: 'another', signature });
    await signer.call('/v1/keys/demo/sign', { message, algorithm: 'HS512' });
    await signer.call('/v1/keys/demo/sign', undefined, {
      method: 'POST',
      body: message,
      headers: { 'content-type': 'application/octet-stream' },
    });
    await signer.call('/v1/keys/other/sign-batch', { items: [{ message }, { message }, { text: message }] });

    const values = await scrape(signer);
    expect(counts(values, 'operations_total')).toEqual({
      'operations_total{key_set="demo",operation="sign",outcome="ok"}': 2,
      'operations_total{key_set="demo",operation="sign",outcome="malformed_request"}': 1,
      'operations_total{key_set="demo",operation="verify",outcome="ok"}': 1,
      'operations_total{key_set="demo",operation="verify",outcome="invalid"}': 1,
      'operations_total{key_set="other",operation="sign",outcome="ok"}': 2,
      'operations_total{key_set="other",operation="sign",outcome="malformed_request"}': 1,
    });
    expect(counts(values, 'requests_total')).toEqual({
      'requests_total{status="200"}': 5,
      'requests_total{status="400"}': 1,
    });
  });

  it('counts each refusal, and nothing that a caller makes up becomes a label', async () => {
    using directory = temporaryDirectory();
    writeVolume(directory.path, { demo: key });
    await using signer = await startSigner(['--keys', directory.path]);
    await signer.ready();
    for (let number = 0; number < 50; number++) {
      await signer.call(`/v1/keys/made-up-${number}/sign`, { message });
    }
    await fetch(`${signer.url}/v1/keys/demo/sign`, { method: 'POST', body: '{}' });
    await signer.call('/v1/keys/demo/sign', { message }, { headers: { origin: 'https://evil.example' } });
    await signer.call('/v1/keys/demo/sign');
    await signer.call(`/v1/${'x'.repeat(3000)}`);

    const values = await scrape(signer);
    expect(counts(values, 'operations_total')).toEqual({});
    expect(counts(values, 'requests_total')).toEqual({
      'requests_total{status="403"}': 2,
      'requests_total{status="404"}': 50,
      'requests_total{status="405"}': 1,
      'requests_total{status="414"}': 1,
    });
  });

  it('tells of keys that could not be loaded, and that the last good ones serve', async () => {
    using directory = temporaryDirectory();
    writeVolume(directory.path, { demo: key });
    await using signer = await startSigner(['--keys', directory.path]);
    await signer.ready();
    const of = `{directory="${directory.path}",content="keys"}`;
    const good = await scrape(signer);
    expect(good).toMatchObject({ [`volume_degraded${of}`]: 0, [`volume_rejected_total${of}`]: 0 });

    writeVolume(directory.path, { demo: key, short: 'too short' });
    await waitFor(() => (signer.output().includes('keys not loaded') ? true : undefined));
    expect(await scrape(signer)).toMatchObject({
      ready: 1,
      generation: 1,
      key_sets: 1,
      loaded_timestamp_seconds: good['loaded_timestamp_seconds'],
      [`volume_degraded${of}`]: 1,
      [`volume_rejected_total${of}`]: 1,
    });

    writeVolume(directory.path, { demo: key, short: randomBytes(32) });
    await waitFor(async () => ((await scrape(signer))['generation'] === 2 ? true : undefined));
    expect(await scrape(signer)).toMatchObject({ key_sets: 2, [`volume_degraded${of}`]: 0 });
  });

  it('tells why signatures do not verify, and how long operations took', async () => {
    using directory = temporaryDirectory();
    writeVolume(directory.path, { demo: key });
    await using signer = await startSigner(['--keys', directory.path]);
    await signer.ready();
    const verify = (signature: string) => signer.call('/v1/keys/demo/verify', { message, signature });
    for (const signature of ['00'.repeat(32), '00'.repeat(32), '00', message]) await verify(signature);
    await signer.call('/v1/keys/demo/sign', { message, algorithm: 'HS512' });
    await signer.call('/v1/keys/demo/sign-batch', { items: [{ message }, { message }, {}] });

    const values = await scrape(signer);
    expect(counts(values, 'verification_failures_total')).toEqual({
      'verification_failures_total{key_set="demo",reason="mismatch"}': 2,
      'verification_failures_total{key_set="demo",reason="malformed"}': 2,
    });
    expect(counts(values, 'operation_duration_seconds_count')).toEqual({
      'operation_duration_seconds_count{operation="sign"}': 2,
      'operation_duration_seconds_count{operation="verify"}': 4,
    });
    const total = values['operation_duration_seconds_bucket{operation="verify",le="+Inf"}'];
    expect(total).toBe(4);
    expect(values['operation_duration_seconds_sum{operation="verify"}']).toBeGreaterThan(0);
  });

  it('keeps callers apart where there are several, and tells nothing of what is hidden from one', async () => {
    using directory = temporaryDirectory();
    const [keys, config] = ['keys', 'config'].map((name) => join(directory.path, name)) as [string, string];
    writeVolume(keys, { demo: key });
    writeVolume(config, { 'signer.yaml': 'keys: { demo: { callers: { web: [sign] } } }' });
    const file = join(config, 'signer.yaml');
    const socket = join(directory.path, 'web');
    await using signer = await startSigner(['--keys', keys, '--config', file, '--socket', `web=${socket}`]);
    await signer.ready();
    expect((await run(['sign', 'demo', '--socket', socket], { input: message })).code).toBe(0);
    expect((await signer.call('/v1/keys/demo/sign', { message })).status).toBe(404);
    const values = await scrape(signer);
    expect(counts(values, 'operations_total')).toEqual({
      'operations_total{key_set="demo",operation="sign",outcome="ok",caller="web"}': 1,
    });
    expect(counts(values, 'requests_total')).toEqual({
      'requests_total{status="200",caller="web"}': 1,
      'requests_total{status="404",caller="tcp"}': 1,
    });
  });

  it('tells when each role was last used, by the key that has it now', async () => {
    using directory = temporaryDirectory();
    const set = (primary: string, kids: readonly string[]) =>
      JSON.stringify({
        primary,
        keys: kids.map((kid) => ({ kty: 'oct', kid, k: Buffer.from(kid.repeat(8)).toString('base64url') })),
      });
    const put = (primary: string, kids: readonly string[]) =>
      writeVolume(directory.path, { 'demo.jwks.json': set(primary, kids) });
    put('2026-01', ['2026-01', '2026-02']);
    await using signer = await startSigner(['--keys', directory.path]);
    await signer.ready();
    const name = '/v1/keys/demo.jwks.json';
    const { signature } = (await (await signer.call(`${name}/sign`, { message })).json()) as {
      signature: string;
    };
    const used = async () => counts(await scrape(signer), 'key_last_used_timestamp_seconds');
    const series = (role: string, operation: string) =>
      `key_last_used_timestamp_seconds{key_set="demo.jwks.json",role="${role}",operation="${operation}"}`;
    const atFirst = await used();
    expect(Object.keys(atFirst)).toEqual([series('primary', 'sign')]);

    put('2026-02', ['2026-01', '2026-02']);
    await waitFor(async () => ((await scrape(signer))['generation'] === 2 ? true : undefined));
    // The use belongs to the key, which is no longer the primary.
    expect(await used()).toEqual({ [series('other', 'sign')]: atFirst[series('primary', 'sign')] });
    expect(counts(await scrape(signer), 'key_info')).toEqual({
      'key_info{key_set="demo.jwks.json",key_id="2026-02",role="primary"}': 1,
      'key_info{key_set="demo.jwks.json",key_id="2026-01",role="other"}': 1,
    });
    await signer.call(`${name}/verify`, { message, signature });
    expect(Object.keys(await used())).toEqual([series('other', 'sign'), series('other', 'verify')]);

    put('2026-02', ['2026-02']);
    await waitFor(async () => ((await scrape(signer))['generation'] === 3 ? true : undefined));
    expect(await used()).toEqual({});
  });

  it('of derived keys tells of the roots, and makes no series for each tenant', async () => {
    using directory = temporaryDirectory();
    const [keys, config] = ['keys', 'config'].map((name) => join(directory.path, name)) as [string, string];
    writeVolume(keys, { root: randomBytes(32) });
    writeVolume(config, { 'signer.yaml': 'keys: { customers: { deriveFrom: root } }' });
    await using signer = await startSigner(['--keys', keys, '--config', join(config, 'signer.yaml')]);
    await signer.ready();
    const before = Object.keys(await scrape(signer)).length;
    const sign = (tenant: string) => signer.call('/v1/keys/customers/sign', { tenant, message });
    expect((await sign('tenant-0')).status).toBe(200);
    const after = Object.keys(await scrape(signer));
    for (let number = 1; number < 50; number++) await sign(`tenant-${number}`);
    expect(Object.keys(await scrape(signer))).toEqual(after);
    expect(after.length).toBeGreaterThan(before);
    expect(after.join()).not.toContain('tenant-');
  });

  it('tells what the process uses, under the usual names', async () => {
    using directory = temporaryDirectory();
    writeVolume(directory.path, { demo: key });
    await using signer = await startSigner(['--keys', directory.path]);
    await signer.ready();
    const text = await (await fetch(`${signer.opsUrl}/metrics`)).text();
    const value = (name: string) => Number(new RegExp(`^process_${name} (\\S+)$`, 'm').exec(text)?.[1]);
    const { pid } = signer.process;
    const open = readdirSync(`/proc/${pid}/fd`).length;
    // The connection of the scrape is among them.
    expect(Math.abs(value('open_fds') - open)).toBeLessThanOrEqual(2);
    const [, limit] = /Max open files\s+(\d+)/.exec(readFileSync(`/proc/${pid}/limits`, 'utf8')) ?? [];
    expect(value('max_fds')).toBe(Number(limit));
    const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    expect(value('resident_memory_bytes') / (Number(kib) * 1024)).toBeCloseTo(1, 0);
    expect(value('cpu_seconds_total')).toBeGreaterThan(0);
    expect(Math.abs(value('start_time_seconds') - Date.now() / 1000)).toBeLessThan(60);
    expect(leaks(text, Buffer.from(key))).toEqual([]);
  });
});
