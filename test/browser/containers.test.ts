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

  const services = ['shop', 'signer', 'exposed-shop', 'keys', 'exposed-keys'] as const;

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

  test('the shop has no volume, the signer only reads its own, and both are other users', () => {
    expect(demo.inspect('shop').Mounts).toEqual([]);
    const { Mounts } = demo.inspect('signer');
    expect(Mounts.map(({ Destination, RW }) => `${Destination} ${RW}`).sort()).toEqual([
      '/etc/signer/config false',
      '/etc/signer/keys false',
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
    expect(published).toEqual(['shop 8080/tcp 127.0.0.1', 'exposed-shop 8080/tcp 127.0.0.1']);
    expect(demo.inspect('signer').HostConfig.NetworkMode).toBe(`container:${demo.inspect('shop').Id}`);
    for (const maker of ['keys', 'exposed-keys'])
      expect(demo.inspect(maker).HostConfig.NetworkMode).toBe('none');
  });

  test('a second "up" changes nothing, not the keys either', async () => {
    const state = () => [
      ...['shop', 'signer', 'exposed-shop'].map((service) => demo.inspect(service).Id),
      demo.keyText('signer', 'orders'),
      demo.keyText('exposed-shop', 'session'),
    ];
    const before = state();
    demo.compose('up', '--detach', '--no-build');
    expect(state()).toEqual(before);
    expect(demo.compose('logs', '--no-log-prefix', 'keys').toString()).toContain(
      '/keys/orders: exists already, left unchanged',
    );
  });

  test('without its signer the page says so, and goes on by itself once it is back', async () => {
    await using visited = await visit(browser, demo.url);
    const { page } = visited;
    demo.compose('kill', 'signer');
    const unreachable = /the signer cannot be reached at \S+; check that it runs/;
    await page.locator('#keys-problem').filter({ hasText: unreachable }).waitFor();
    for (const [button, verdict] of [
      ['Order', '#order-verdict'],
      ['Sign in', '#session-verdict'],
      ['Attack', '#attack-verdict'],
    ] as const) {
      await page.getByRole('button', { name: button }).click();
      await page.locator(verdict).filter({ hasText: unreachable }).waitFor();
    }
    await picture(page, 'without-signer');
    demo.compose('up', '--detach', '--no-build');
    await page.locator('#keys li').first().waitFor();
    await expect.poll(() => page.locator('#keys-problem').textContent(), patient).toBe('');
    await page.getByRole('button', { name: 'Order' }).click();
    await page.locator('#order-verdict').filter({ hasText: 'Sent, and accepted' }).waitFor();
    expect(visited.complaints).toEqual([]);
  });

  test('stops when it is told to, before it is killed', () => {
    demo.compose('stop');
    const codes = ['shop', 'signer', 'exposed-shop'].map((service) => demo.inspect(service).State.ExitCode);
    expect(codes).toEqual([0, 0, 0]);
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
      await using demo = await startDemo({ override, services: ['signer'] });
      await using visited = await visit(browser, demo.url);
      const { page } = visited;
      const told = (selector: string) => expect.poll(() => page.locator(selector).textContent(), patient);
      await told('#keys-problem').toMatch(/^No signatures now: .*key/);
      await page.getByRole('button', { name: 'Order' }).click();
      await told('#order-verdict').toMatch(/^That did not work: .*key/);
      await picture(page, 'without-keys');
      demo.compose('run', '--rm', '-T', 'rotate');
      await expect.poll(() => page.locator('#keys li').count(), patient).toBe(2);
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
      await using demo = await startDemo({ override, services: ['signer'] });
      await using visited = await visit(browser, demo.url);
      const { page } = visited;
      await page.locator('#keys li').first().waitFor();
      expect(await page.locator('#keys .name').allInnerTexts()).toEqual(['orders']);
      await page.getByRole('button', { name: 'Order' }).click();
      await page.locator('#order-verdict').filter({ hasText: 'Sent, and accepted' }).waitFor();
      expect(await page.locator('#headers dt').allInnerTexts()).toEqual(['shop-signature']);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page
        .locator('#session-verdict')
        .filter({ hasText: /That did not work: .*key/ })
        .waitFor();
      await page.getByRole('button', { name: 'Attack' }).click();
      await page.locator('#attack-verdict').filter({ hasText: 'no key in any of them' }).waitFor();
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
