/** manifests/two-callers on a cluster: neither application reaches the socket or the key sets of the other. */

import { createHmac, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNamespace, eventually, type Namespace } from './kubernetes.ts';
import { copyManifests } from './manifests.ts';
import { isSignedBy, shopIn } from './shop.ts';

const pod = 'two-callers';
const keys = { orders: randomBytes(32), payouts: randomBytes(32) };

interface Answer {
  readonly status: number;
  readonly body: string;
}

describe('manifests/two-callers', () => {
  const manifests = copyManifests();
  let namespace: Namespace;

  beforeAll(async () => {
    namespace = await createNamespace();
    for (const [name, key] of Object.entries(keys)) manifests.putKey(pod, key, name);
    namespace.kubectl(['apply', '--kustomize', manifests.withTestImages(pod)]);
    await namespace.ready(pod);
  });

  afterAll(async () => {
    manifests[Symbol.dispose]();
    await namespace?.[Symbol.asyncDispose]();
  });

  /** Runs code of an attacker in a container; it prints what it has found as JSON. */
  const inContainer = <T>(container: string, code: string): T =>
    JSON.parse(namespace.exec(pod, container, ['/shop/bun', '--eval', code]).toString());
  const ask = (container: string, path: string, body?: object) =>
    inContainer<Answer>(
      container,
      `const answer = await fetch('http://localhost/v1/keys${path}', {
        unix: process.env.SIGNER_SOCKET,
        headers: { 'Sec-Signer': '1', 'Content-Type': 'application/json' },
        ...${JSON.stringify(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) })},
      });
      console.log(JSON.stringify({ status: answer.status, body: await answer.text() }));`,
    );
  const namesFor = (container: string) => {
    const { caller, keys: listed } = JSON.parse(ask(container, '').body);
    return {
      caller,
      keys: listed.map(({ name, allow }: { name: string; allow: string[] }) => [name, ...allow]),
    };
  };
  const tag = createHmac('sha256', keys.payouts).update('payout').digest('hex');

  test('lets each application do its own', async () => {
    expect(isSignedBy(keys.orders, await shopIn(namespace, pod).order())).toBe(true);
    expect(JSON.parse(ask('worker', '/payouts/sign', { message: 'payout' }).body)).toMatchObject({
      signature: tag,
    });
    const verified = ask('web', '/payouts/verify', { message: 'payout', signature: tag });
    expect(JSON.parse(verified.body)).toMatchObject({ valid: true });
    // What stands in the place of a worker has signed by itself.
    await eventually(
      async () => /"signature":"[0-9a-f]{64}"/.test(await namespace.logs(pod, 'worker')) || undefined,
    );
  });

  test('tells each application who it is, and of its own key sets', () => {
    expect(namesFor('web')).toEqual({
      caller: 'web',
      keys: [
        ['orders', 'sign', 'verify'],
        ['payouts', 'verify'],
      ],
    });
    expect(namesFor('worker')).toEqual({ caller: 'worker', keys: [['payouts', 'sign']] });
  });

  test('does not sign with the key of the worker for the web application, nor shows the worker what is not its own', () => {
    const refused = ask('web', '/payouts/sign', { message: 'payout' });
    expect(refused.status).toBe(403);
    expect(refused.body).not.toContain(tag);
    const hidden = ask('worker', '/orders/sign', { message: 'm' });
    expect(hidden.status).toBe(404);
    expect(hidden).toEqual(ask('worker', '/nobody/sign', { message: 'm' }));
  });

  test('tells in the audit of the signer who had a signature made, and when', async () => {
    const file = '/var/log/signer/audit.log';
    const audit = (command: string, ...more: readonly string[]) =>
      namespace
        .exec(pod, 'signer', ['/sidecar-signer', 'audit', command, '--json', file, ...more], stolen)
        .toString();
    const begun = Date.now();
    const { signature } = JSON.parse(ask('web', '/orders/sign', { message: 'a stolen order' }).body);
    const ended = Date.now();
    const stolen = `found in a chat: signature=${signature}, order=...`;
    const { count, matches } = JSON.parse(audit('find', '-'));
    expect([count, matches[0].event]).toMatchObject([
      1,
      {
        ...{ instance: pod, caller: 'web', keySet: 'orders', operation: 'sign', outcome: 'ok' },
        about: { bytes: 14 },
      },
    ]);
    const time = Date.parse(matches[0].event.time);
    // The clock of the node may be another one.
    expect(time).toBeGreaterThan(begun - 5000);
    expect(time).toBeLessThan(ended + 5000);
    // What the web application tried to have signed with the key of the worker has a line, too.
    const before = JSON.parse(audit('verify'));
    expect(ask('web', '/payouts/sign', { message: 'mine' }).status).toBe(403);
    const after = JSON.parse(audit('verify'));
    expect(after).toMatchObject({ valid: true, chains: 1, first: 1 });
    expect(after.head.seq).toBeGreaterThan(before.head.seq);
    const status = JSON.parse(
      namespace.exec(pod, 'signer', ['/sidecar-signer', 'status', '--json']).toString(),
    );
    expect(status.audit).toMatchObject({ file, problem: null, failures: 0 });
  });

  test('shows no other container the audit', () => {
    const search = `
      const { readdirSync, readFileSync, statSync } = require('node:fs');
      const found = [];
      let read = 0;
      const walk = (path, depth) => {
        let entries = [];
        try { entries = readdirSync(path, { withFileTypes: true }); } catch {}
        for (const entry of entries) {
          const at = path + (path === '/' ? '' : '/') + entry.name;
          if (/^\\/(?:proc|sys|dev)$/.test(at) || depth > 12) continue;
          if (entry.isDirectory()) walk(at, depth + 1);
          else if (entry.isFile() && statSync(at).size < 2 ** 20) {
            try { if (readFileSync(at, 'latin1').includes('{"audit":' + '1,')) found.push(at); read++; } catch {}
          }
        }
      };
      walk('/', 0);
      const tries = ['/var/log/signer/audit.log', '/run/signer/audit.log', '/run/signer/../../var/log/signer/audit.log'];
      for (const pid of readdirSync('/proc').filter((name) => /^\\d+$/.test(name)))
        tries.push('/proc/' + pid + '/root/var/log/signer/audit.log');
      for (const path of tries) try { readFileSync(path); found.push(path); } catch {}
      console.log(JSON.stringify({ found, enough: read > 20 }));`;
    for (const container of ['web', 'worker']) {
      expect(inContainer(container, search)).toEqual({ found: [], enough: true });
    }
  });

  test('gives the web application no way to the socket of the worker', () => {
    const search = `
      const { readdirSync } = require('node:fs');
      const { connect } = require('node:net');
      const found = [], seen = new Set();
      const walk = (path, depth) => {
        let entries = [];
        try { entries = readdirSync(path, { withFileTypes: true }); } catch {}
        for (const entry of entries) {
          const at = path + (path === '/' ? '' : '/') + entry.name;
          if (entry.isSocket()) found.push(at);
          else if (entry.isDirectory() && depth < 8 && !/^\\/(?:proc|sys)$/.test(at)) walk(at, depth + 1);
        }
      };
      walk('/', 0);
      const reaches = (path) => new Promise((resolve) => {
        const socket = connect(path, () => resolve(true));
        socket.on('error', () => resolve(false));
      });
      const tries = ['/run/signer/worker/signer.sock', '/run/signer/web/signer.sock', '/run/worker/signer.sock'];
      for (const pid of readdirSync('/proc').filter((name) => /^\\d+$/.test(name)))
        tries.push('/proc/' + pid + '/root/run/signer/worker/signer.sock');
      const reached = [];
      for (const path of tries) if (await reaches(path)) reached.push(path);
      const tcp = await fetch('http://127.0.0.1:8700/v1/keys', { headers: { 'Sec-Signer': '1' } }).then(() => true, () => false);
      console.log(JSON.stringify({ found, reached, tcp, own: await reaches(process.env.SIGNER_SOCKET) }));
      process.exit();`;
    for (const container of ['web', 'worker']) {
      expect(inContainer(container, search)).toEqual({
        found: ['/run/signer/signer.sock'],
        reached: [],
        tcp: false,
        own: true,
      });
    }
  });
});
