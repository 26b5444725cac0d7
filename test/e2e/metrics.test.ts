/** What Prometheus is told by a signer that has been used, refused and given bad keys. */

import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import { type Signer, startSigner, temporaryDirectory, waitFor } from '../support/signer.ts';

const key = randomBytes(32).toString('hex');
const message = 'hello';

/** Every value by the metric's name without the common prefix, with its labels as they are written. */
async function scrape(signer: Signer): Promise<Readonly<Record<string, number>>> {
  const response = await fetch(`${signer.opsUrl}/metrics`);
  expect(response.status).toBe(200);
  const lines = (await response.text()).split('\n').filter((line) => /^[^#]/.test(line));
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
});
