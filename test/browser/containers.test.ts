/** What docker/compose.yaml makes of its containers, and what the page says when one of them is not there. */

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { waitFor } from '../support/signer.ts';
import { picture, startBrowser, visit } from './browser.ts';
import { type Demo, startDemo } from './demo.ts';
import { obstacle } from './obstacle.ts';
import { attack, order, says, text } from './story.ts';

const root = join(import.meta.dirname, '../..');
const reason = obstacle();
const suffix = reason === undefined ? '' : ` (${reason})`;
const patienceMs = 300_000;
const patient = { timeout: 20_000 };

describe.skipIf(reason !== undefined)(`the demo's containers${suffix}`, { timeout: patienceMs }, () => {
  let demo: Demo;
  let browser: Browser;

  beforeAll(async () => {
    demo = await startDemo();
    browser = await startBrowser();
  }, patienceMs);

  afterAll(async () => {
    await browser?.close();
    await demo?.[Symbol.asyncDispose]();
  }, patienceMs);

  const services = ['pod', 'shop', 'signer', 'exposed-shop', 'keys', 'exposed-keys', 'audit'] as const;

  test.each(services)(
    '%s can write nothing, has no capability and no way to get one, and its limits',
    (service) => {
      const { HostConfig } = demo.inspect(service);
      expect(HostConfig).toMatchObject({
        ReadonlyRootfs: true,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges:true'],
        PidsLimit: 64,
      });
      expect(HostConfig.Memory).toBeLessThanOrEqual(128 * 2 ** 20);
      expect(HostConfig.Memory).toBeGreaterThan(0);
    },
  );

  test('the shop has no volume, the signer writes only to its audit, and both are other users', () => {
    expect([demo.inspect('shop'), demo.inspect('pod')].flatMap(({ Mounts }) => Mounts)).toEqual([]);
    const { Mounts } = demo.inspect('signer');
    expect(Mounts.map(({ Destination, RW }) => `${Destination} ${RW}`).sort()).toEqual([
      '/etc/signer/config false',
      '/etc/signer/keys false',
      '/var/log/signer true',
    ]);
    expect([demo.inspect('shop'), demo.inspect('signer')].map(({ Config }) => Config.User)).toEqual([
      '65533:65533',
      '65532:65532',
    ]);
  });

  test('the image of the shop says by itself that it is run by another user than the signer, and has no shell', () => {
    const { Image } = demo.inspect('shop');
    const [image] = JSON.parse(spawnSync('docker', ['image', 'inspect', Image]).stdout.toString());
    expect(image.Config).toMatchObject({ User: '65533:65533', StopSignal: 'SIGTERM' });
    expect(() => demo.compose('exec', '-T', 'shop', '/bin/sh', '-c', 'true')).toThrow(/no such file/);
  });

  test('only the shops have a port, and only on this machine', () => {
    const published = services.flatMap((service) =>
      Object.entries(demo.inspect(service).HostConfig.PortBindings ?? {}).flatMap(([port, bindings]) =>
        bindings.map(({ HostIp }) => `${service} ${port} ${HostIp}`),
      ),
    );
    expect(published).toEqual(['pod 8080/tcp 127.0.0.1', 'exposed-shop 8080/tcp 127.0.0.1']);
    for (const service of ['shop', 'signer'])
      expect(demo.inspect(service).HostConfig.NetworkMode).toBe(`container:${demo.inspect('pod').Id}`);
    for (const maker of ['keys', 'exposed-keys', 'audit'])
      expect(demo.inspect(maker).HostConfig.NetworkMode).toBe('none');
  });

  test('a second "up" changes nothing, not the keys either', async () => {
    const state = () => [
      ...['pod', 'shop', 'signer', 'exposed-shop'].map((service) => demo.inspect(service).Id),
      demo.keyText('signer', 'orders'),
      demo.keyText('exposed-shop', 'session'),
    ];
    const before = state();
    await demo.up();
    expect(state()).toEqual(before);
    expect(demo.compose('logs', '--no-log-prefix', 'keys').toString()).toContain(
      '/keys/orders: exists already, left unchanged',
    );
  });

  test.each([
    ['stop', 'shop'],
    ['stop', 'signer'],
    ['kill', 'shop'],
    ['restart', 'pod'],
    ['rm', '--stop', '--force', 'shop'],
  ])('after "%s %s", "up" makes both reach each other again', async (...command) => {
    const signIn = () =>
      fetch(`${demo.url}/api/session`, { method: 'POST', body: '{"user":"bob"}' })
        .then(({ ok }) => ok || undefined)
        .catch(() => undefined);
    /** Of the signer's audit, whose chain is whole. */
    const auditLines = () => Number(/^\d+/.exec(audit('verify', '/var/log/signer/audit.log'))?.[0]);
    expect(await waitFor(signIn)).toBe(true);
    const before = auditLines();
    demo.compose(...command);
    await demo.up();
    expect(await waitFor(signIn)).toBe(true);
    expect(auditLines()).toBeGreaterThan(before);
  });

  const audit = (...args: string[]) =>
    demo.compose('exec', '-T', 'signer', '/sidecar-signer', 'audit', ...args).toString();

  test('without its signer the page says so, and goes on by itself once it is back', async () => {
    await using visited = await visit(browser, demo.url);
    const { page } = visited;
    demo.compose('kill', 'signer');
    const unreachable = /the signer cannot be reached at \S+; check that it runs/;
    await page.locator('#signer-shop .keys-problem').filter({ hasText: unreachable }).waitFor();
    for (const [button, verdict] of [
      ['Order', '#order-verdict'],
      ['Sign in', '#session-verdict'],
      ['Attack both shops', '#signer-shop .outcome'],
    ] as const) {
      await page.getByRole('button', { name: button }).click();
      await says(page, verdict, unreachable);
    }
    // The other shop needs no signer.
    await says(page, '#exposed-shop .outcome', 'Key stolen');
    await picture(page, 'without-signer');
    await demo.up();
    await page.locator('#signer-shop .keys li').first().waitFor();
    await expect.poll(() => text(page, '#signer-shop .keys-problem'), patient).toBe('');
    await order(page);
    await attack(page);
    expect(await text(page, '#signer-shop .outcome')).toMatch(/^Nothing to steal/);
    expect(visited.complaints).toEqual([]);
  });

  test('without the other shop the page says so, and attacks the one that is there', async () => {
    await using visited = await visit(browser, demo.url);
    const { page } = visited;
    demo.compose('stop', 'exposed-shop');
    await says(page, '#exposed-shop .keys-problem', 'the shop cannot be reached');
    expect(await page.locator('#exposed-shop .keys').isVisible()).toBe(false);
    await attack(page);
    expect(await text(page, '#signer-shop .outcome')).toMatch(/^Nothing to steal/);
    expect(await text(page, '#exposed-shop .outcome')).toMatch(
      /^That did not work\s+the shop cannot be reached; start it with /,
    );
    await picture(page, 'without-other-shop');
    await demo.up();
    await page.locator('#exposed-shop .keys li').first().waitFor();
    await attack(page);
    expect(await text(page, '#exposed-shop .outcome')).toMatch(/^Key stolen/);
    expect(visited.complaints).toEqual([]);
  });

  test('stops when it is told to, before it is killed', () => {
    demo.compose('stop');
    const codes = ['pod', 'shop', 'signer', 'exposed-shop'].map(
      (service) => demo.inspect(service).State.ExitCode,
    );
    expect(codes).toEqual([0, 0, 0, 0]);
  });
});

describe.skipIf(reason !== undefined)(
  `the demo with a mistake in it${suffix}`,
  { timeout: patienceMs },
  () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await startBrowser();
    }, patienceMs);
    afterAll(async () => {
      await browser?.close();
    });

    test('without keys the page says so, and goes on by itself once they are made', async () => {
      // The maker of keys makes none.
      const override = { services: { keys: { command: ['--version'] } } };
      await using demo = await startDemo({ override, services: ['shop', 'signer'] });
      await using visited = await visit(browser, demo.url);
      const { page } = visited;
      const told = (selector: string) => expect.poll(() => page.locator(selector).textContent(), patient);
      await told('#signer-shop .keys-problem').toMatch(/^No signatures now: .*key/);
      await page.getByRole('button', { name: 'Order' }).click();
      await told('#order-verdict').toMatch(/^That did not work: .*key/);
      await picture(page, 'without-keys');
      demo.compose('run', '--rm', '-T', 'rotate');
      await expect.poll(() => page.locator('#signer-shop .keys li').count(), patient).toBe(2);
    });

    test('with the key set of the manifests, over a socket: signs orders, and says that there is no key for sessions', async () => {
      const override = {
        services: {
          shop: {
            environment: { SIGNER_SOCKET: '/run/signer/signer.sock' },
            volumes: ['socket:/run/signer:ro'],
          },
          signer: {
            // The engine makes the volume root's.
            user: '0:0',
            environment: {
              SIGNER_LISTEN: 'none',
              SIGNER_SOCKET: '/run/signer/signer.sock',
              SIGNER_SOCKET_MODE: '0666',
            },
            volumes: [
              `${join(root, 'manifests/two-container-pod')}:/etc/signer/config:ro`,
              'socket:/run/signer',
            ],
          },
        },
        volumes: { socket: {} },
      };
      await using demo = await startDemo({ override, services: ['shop', 'signer'] });
      await using visited = await visit(browser, demo.url);
      const { page } = visited;
      await page.locator('#signer-shop .keys li').first().waitFor();
      expect(await page.locator('#signer-shop .keys .name').allInnerTexts()).toEqual(['orders']);
      await order(page);
      expect(await page.locator('#headers dt').allInnerTexts()).toEqual(['shop-signature']);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await says(page, '#session-verdict', /That did not work: .*key/);
      await attack(page);
      expect(await text(page, '#signer-shop .outcome')).toMatch(/^Nothing to steal/);
    });

    test('on a port that is taken, "up" fails and names it; another port will do', async () => {
      const taken = createServer().listen(await freePort(), '127.0.0.1');
      await once(taken, 'listening');
      const address = taken.address();
      const shopPort = address !== null && typeof address === 'object' ? address.port : 0;
      try {
        await expect(startDemo({ shopPort })).rejects.toThrow(
          new RegExp(`127\\.0\\.0\\.1:${shopPort}.*in use|port is already allocated`),
        );
      } finally {
        taken.close();
      }
      await using demo = await startDemo();
      expect(await waitFor(async () => ((await fetch(`${demo.url}/api/keys`)).ok ? true : undefined))).toBe(
        true,
      );
    });
  },
);
