/** The demo's page, driven as a person would in the two minutes that they have for it. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { traces } from '../support/traces.ts';
import {
  accessibilityViolations,
  overflow,
  picture,
  pictureForReadme,
  screens,
  startBrowser,
  visit,
} from './browser.ts';
import { type Demo, startDemo } from './demo.ts';
import { obstacle } from './obstacle.ts';
import { attack, keyIds, order, outcomes, read, says, signIn, tamper, text } from './story.ts';

const reason = obstacle();
const suffix = reason === undefined ? '' : ` (${reason})`;
const patienceMs = 300_000;
const sweep = readFileSync(join(import.meta.dirname, '../support/sweep.ts'), 'utf8');

describe.skipIf(reason !== undefined)(`the demo's page${suffix}`, { timeout: patienceMs }, () => {
  let demo: Demo;
  let browser: Browser;
  /** The bytes of a key of the demo, of now. */
  const key = (of: 'signer' | 'exposed-shop', name: string) => {
    const hex = demo.keyText(of, name);
    expect(hex).toMatch(/^[0-9a-f]{64}$/);
    return Buffer.from(hex, 'hex');
  };
  const open = (options = {}) => visit(browser, demo.url, { ...screens.desktop, ...options });
  /** Runs a command of the page, which begins as it should, on this demo. */
  const run = (command: string, begins: string) => {
    const compose = 'docker compose -f docker/compose.yaml ';
    expect(command.startsWith(`${compose}${begins}`)).toBe(true);
    const [subcommand = '', ...args] = command.slice(compose.length).split(' ');
    return demo.compose(subcommand, '-T', ...args).toString();
  };

  beforeAll(async () => {
    demo = await startDemo();
    browser = await startBrowser();
  }, patienceMs);

  afterAll(async () => {
    await browser?.close();
    await demo?.[Symbol.asyncDispose]();
  }, patienceMs);

  test('shows the keys in use of both shops by the ids that they were made with', async () => {
    await using visited = await open();
    const { page } = visited;
    await page.locator('#exposed-shop .keys li').first().waitFor();
    for (const [shop, maker] of [
      ['signer-shop', 'keys'],
      ['exposed-shop', 'exposed-keys'],
    ] as const) {
      const made = demo.compose('logs', '--no-log-prefix', maker).toString();
      const ids = await keyIds(page, shop);
      expect(ids).toHaveLength(2);
      for (const id of ids) expect(made).toContain(`new HS256 key ${id}`);
    }
  });

  test('first shows what the hole is meant for', async () => {
    await using visited = await open();
    const { page } = visited;
    await page.getByRole('button', { name: 'Download my invoice' }).click();
    await says(page, '#invoice-paper', '21.50');
    expect(await text(page, '#invoice-request')).toBe('GET /invoices?name=2026-0001.txt');
    await picture(page, 'invoice');
  });

  test('has both outcomes and both forged claims on the screen of a laptop, even after the invoice', async () => {
    await using visited = await open({ viewport: { width: 1280, height: 800 } });
    const { page } = visited;
    await page.getByRole('button', { name: 'Download my invoice' }).click();
    await says(page, '#invoice-paper', '21.50');
    await attack(page);
    const ends = await page
      .locator('.shop :is(.outcome, .claims)')
      .evaluateAll((all) => all.map((each) => each.getBoundingClientRect().bottom));
    expect(ends).toHaveLength(4);
    expect(Math.max(...ends)).toBeLessThan(800);
  });

  test('sends a signed order, and its receiver notices a changed letter', async () => {
    await using visited = await open();
    const { page } = visited;
    const [ordersKey = ''] = await keyIds(page);
    await page.getByLabel('What do you buy?').fill('1 × tea, Grüner Tee 🍵');
    await order(page);
    expect(await text(page, '#order-verdict')).toBe(`Sent, and accepted: signed by ${ordersKey}.`);
    expect(await page.locator('#headers dt').allInnerTexts()).toEqual([
      'webhook-id',
      'webhook-timestamp',
      'webhook-signature',
    ]);
    expect(await page.getByLabel('The webhook that was sent').inputValue()).toContain('Grüner Tee 🍵');
    await page.getByRole('button', { name: 'Send it again' }).click();
    await says(page, '#order-verdict', `Accepted: signed by ${ordersKey}.`);
    await tamper(page, '#body');
    await page.getByRole('button', { name: 'Send it again' }).click();
    await says(page, '#order-verdict', 'Refused: the signature does not match.');
  });

  test('issues a session token, and lets nobody in with a changed one', async () => {
    await using visited = await open();
    const { page } = visited;
    const [, sessionKey = ''] = await keyIds(page);
    await page.getByLabel('Who are you?').fill('bob');
    await signIn(page);
    expect(await text(page, '#session-verdict')).toBe(`Signed in: signed by ${sessionKey}.`);
    await page.getByRole('button', { name: 'Who am I?' }).click();
    await says(page, '#session-verdict', `You are bob: signed by ${sessionKey}.`);
    await tamper(page, '#token');
    await page.getByRole('button', { name: 'Who am I?' }).click();
    await says(page, '#session-verdict', /^Not let in: /);
    // No header can carry it.
    await page.locator('#token').fill('naïve …');
    await page.getByRole('button', { name: 'Who am I?' }).click();
    await says(page, '#session-verdict', 'Not let in: this is not a signature.');
  });

  test('attacks both shops at once: one has no key to steal, the other lets the thief in as admin', async () => {
    await using visited = await open();
    const { page, requested } = visited;
    await attack(page);

    expect(await text(page, '#signer-shop .outcome')).toMatch(
      /^Nothing to steal\s+16 places searched, \d+ files read, no key$/,
    );
    const inSigner = await outcomes(page, 'signer-shop');
    for (const place of ['/etc/signer/keys/orders', '/etc/signer/keys/session', '/etc/shop/keys/session'])
      expect([place, inSigner.get(place)]).toEqual([place, 'not found']);
    for (const place of ['shop.ts', '/proc/self/environ', '/proc/1/environ', '/proc/net/tcp'])
      expect([place, inSigner.get(place)]).toEqual([place, 'no key']);
    expect(await text(page, '#signer-shop .answer')).toMatch(
      /401\s+Not let in: the signature does not match\.$/,
    );
    expect(await page.locator('#signer-shop .stolen-key').isVisible()).toBe(false);

    const stolen = demo.keyText('exposed-shop', 'session');
    expect(await text(page, '#exposed-shop .outcome')).toMatch(
      /^Key stolen\s+from \/etc\/shop\/keys\/session$/,
    );
    expect((await outcomes(page, 'exposed-shop')).get('/etc/shop/keys/session')).toBe('the key');
    expect(await text(page, '#exposed-shop .stolen-key code')).toBe(stolen);
    expect(await text(page, '#exposed-shop .answer')).toMatch(/200\s+You are admin\.$/);
    for (const shop of ['signer-shop', 'exposed-shop']) {
      expect(await text(page, `#${shop} .token`)).toMatch(/"alg": "HS256".*"sub": "admin".*"exp": \d+/s);
    }

    // Nothing is staged: both shops were asked for each place, and the forged token was shown to both.
    for (const origin of [demo.url, demo.exposedUrl]) {
      const asked = requested.filter((url) => url.startsWith(`${origin}/`)).map((url) => new URL(url));
      const names = asked.filter(({ pathname }) => pathname === '/invoices').map(({ search }) => search);
      expect(new Set(names).size).toBe(16);
      expect(asked.map(({ pathname }) => pathname)).toContain('/api/session');
    }
    const received = await visited.received();
    expect(received.length).toBeGreaterThan(10_000);
    for (const name of ['orders', 'session']) expect(traces(received, key('signer', name))).toEqual([]);
    expect(traces(received, key('exposed-shop', 'session'))).toContain('hex');
    expect(visited.complaints).toEqual([]);
  });

  test('is the same page in the other shop', async () => {
    await using visited = await visit(browser, demo.exposedUrl);
    const { page } = visited;
    await attack(page);
    expect(await text(page, '#signer-shop .outcome')).toMatch(/^Nothing to steal/);
    expect(await text(page, '#exposed-shop .outcome')).toMatch(/^Key stolen/);
    expect(visited.complaints).toEqual([]);
  });

  test('each shop answers the page of the other one, and no other page', async () => {
    const allowed = async (url: string, origin: string) =>
      (await fetch(`${url}/api/keys`, { headers: { origin } })).headers.get('access-control-allow-origin');
    const port = new URL(demo.exposedUrl).port;
    for (const origin of [`http://localhost:${port}`, `http://127.0.0.1:${port}`])
      expect(await allowed(demo.url, origin)).toBe(origin);
    const own = new URL(demo.url).port;
    expect(await allowed(demo.exposedUrl, `http://localhost:${own}`)).toBe(`http://localhost:${own}`);
    for (const origin of [
      'http://localhost:1',
      'null',
      `http://evil.example:${port}`,
      `https://localhost:${port}`,
    ])
      expect(await allowed(demo.url, origin)).toBe(null);
  });

  test('reads any file, and stays quick with a large one', async () => {
    await using visited = await open();
    const { page } = visited;
    // What it reads is what is there: the signer, which it can call, is seen to listen on 127.0.0.1:8700.
    expect(await read(page, '/proc/net/tcp')).toMatch(/0100007F:21FC .* 0A /);
    expect(await read(page, 'shop.ts')).toContain('shopWithSigner');
    expect(await text(page, '#read-verdict')).toBe('There is no key in this file.');
    expect(await read(page, '/proc/self/environ')).toMatch(/^SHOP_PORT=\d+$/m);
    expect(await read(page, '/no/such/file')).toBe('ENOENT: not found');
    expect(await text(page, '#read-verdict')).toBe('This cannot be read: not found.');
    await page.evaluate(`(() => {
      let last = performance.now();
      window.longestPause = 0;
      setInterval(() => {
        window.longestPause = Math.max(window.longestPause, performance.now() - last);
        last = performance.now();
      }, 10);
    })()`);
    // The runtime has tens of megabytes, and the device has no end.
    for (const path of ['bun', '/dev/zero']) {
      expect((await read(page, path)).length).toBeLessThan(20_000);
      expect(await text(page, '#content-label')).toBe(`The beginning of ${path}`);
      expect(await text(page, '#read-verdict')).toBe('There is no key in the first megabyte of this file.');
    }
    expect(await page.evaluate('window.longestPause')).toBeLessThan(1000);
    await page.getByRole('radio', { name: 'Keys in the shop' }).check();
    expect(await read(page, '/etc/shop/keys/orders')).toBe(demo.keyText('exposed-shop', 'orders'));
    expect(await text(page, '#read-verdict')).toBe('This is the key.');
    const big = await fetch(`${demo.url}/invoices?name=../bun`);
    expect((await big.arrayBuffer()).byteLength).toBeGreaterThanOrEqual(10 * 2 ** 20);
  });

  test('gives away no key by any path, however it is asked', async () => {
    const keys = ['orders', 'session'].map((name) => key('signer', name));
    const processes = ['self', ...Array.from({ length: 64 }, (_, index) => `${index + 1}`)];
    const paths = processes.flatMap((pid) => [
      `/proc/${pid}/environ`,
      `/proc/${pid}/cmdline`,
      `/proc/${pid}/root/etc/signer/keys/orders`,
      `/proc/${pid}/cwd/etc/signer/keys/orders`,
      ...Array.from({ length: 24 }, (_, fd) => `/proc/${pid}/fd/${fd}`),
    ]);
    paths.push(
      '/etc/signer/keys/..data/orders',
      '/keys/orders',
      '/var/lib/docker/volumes',
      '/proc/kcore',
      '/proc/1/mem',
    );
    let answered = 0;
    for (let at = 0; at < paths.length; at += 50) {
      const batch = paths.slice(at, at + 50).map(async (path) => {
        const response = await fetch(`${demo.url}/invoices?name=${encodeURIComponent(`../../..${path}`)}`);
        const body = Buffer.from(await response.arrayBuffer());
        if (response.ok) answered++;
        return { path, found: keys.flatMap((each) => traces(body, each)) };
      });
      expect((await Promise.all(batch)).filter(({ found }) => found.length > 0)).toEqual([]);
    }
    expect(answered).toBeGreaterThan(3);
  });

  /** Everything that a process in the container can read, other processes' memory included. */
  const sweepOf = (service: string) => demo.compose('exec', '-T', service, '/shop/bun', '--eval', sweep);

  test('leaves no key in any file, process or memory within reach of the shop', () => {
    const swept = sweepOf('shop');
    expect(swept.length).toBeGreaterThan(2 ** 20);
    for (const name of ['orders', 'session']) {
      expect(traces(swept, key('signer', name))).toEqual([]);
      // As it is in the file: hexadecimal text.
      expect(swept.includes(demo.keyText('signer', name))).toBe(false);
    }
  });

  test('would be found out if it did (the control of the test above)', () => {
    expect(traces(sweepOf('exposed-shop'), key('exposed-shop', 'orders'))).toContain('hex');
  });

  test('notices new keys by itself; the stolen key works until its own shop gets new ones', async () => {
    await using visited = await open();
    const { page } = visited;
    await order(page);
    await signIn(page);
    await attack(page);
    const before = await keyIds(page);
    const [, exposedBefore] = await keyIds(page, 'exposed-shop');
    await page.evaluate('window.notReloaded = true');
    const [mine, theirs] = ['signer-shop', 'exposed-shop'].map((id) => `#rotate-section [data-shop="${id}"]`);
    await says(page, `${theirs} .attacker`, '200 You are admin. The stolen key works.');

    run(await text(page, '#rotate-command'), 'run --rm rotate');
    await says(page, `${mine} .rotations`, 'session: ');
    const after = await keyIds(page);
    for (const [index, id] of after.entries()) {
      expect(id).not.toBe(before[index]);
      expect(await text(page, `${mine} .rotations`)).toContain(
        `${id} signs now, instead of ${before[index]}`,
      );
    }
    await says(page, `${mine} .customer`, '200 You are mallory. The earlier key still verifies it.');
    await says(page, `${theirs} .attacker`, '200 You are admin. The stolen key works.');
    await page.getByRole('button', { name: 'Send it again' }).click();
    await says(page, '#order-verdict', `Accepted: signed by the earlier key ${before[0]}.`);
    await page.getByRole('button', { name: 'Who am I?' }).click();
    await says(page, '#session-verdict', `You are alice: signed by the earlier key ${before[1]}.`);
    await order(page);
    expect(await text(page, '#order-verdict')).toBe(`Sent, and accepted: signed by ${after[0]}.`);

    run(await text(page, '#rotate-exposed-command'), 'run --rm rotate-exposed');
    await says(page, `${theirs} .rotations`, `instead of ${exposedBefore}`);
    await says(page, `${theirs} .attacker`, /^401 .* The stolen key is worthless now\.$/);
    await says(page, `${theirs} .customer`, /^401 .* All customers are signed out\.$/);
    await says(page, `${mine} .customer`, '200 You are mallory.');
    expect(await page.evaluate('window.notReloaded')).toBe(true);
    await picture(page, 'rotated');
    expect(visited.complaints).toEqual([]);
  });

  test('gives the command that finds its token in the audit, which the shop cannot read', async () => {
    await using visited = await open();
    const { page } = visited;
    await attack(page);
    const command = await text(page, '#audit-command');
    const found = run(command, 'exec signer /sidecar-signer audit find /var/log/signer/audit.log');
    const events = found
      .split('\n')
      .flatMap((line) => line.match(/(?<="operation":).*?"outcome":"\w+"/g) ?? []);
    expect(events.slice(0, 2)).toEqual(['"sign","outcome":"ok"', '"verify","outcome":"ok"']);
    expect(found).toContain('"sub":"mallory"');
    const told = await page.locator('.expected dt').allInnerTexts();
    expect(told.map((each) => each.split(/\s+/))).toEqual([
      ['sign', 'ok'],
      ['verify', 'ok'],
    ]);
    expect(await read(page, '/var/log/signer/audit.log')).toBe('ENOENT: not found');
    // The counter-example's tokens are unknown to it.
    const stranger = await fetch(`${demo.exposedUrl}/api/session`, {
      method: 'POST',
      body: JSON.stringify({ user: 'mallory' }),
    });
    const { token } = (await stranger.json()) as { readonly token: string };
    expect(() => run(command.replace(/\S+$/, token), 'exec signer')).toThrow(
      'there is no line of this signature',
    );
  });

  test.each(['rotate-command', 'rotate-exposed-command'])(
    'copies %s, or selects it where it may not copy',
    async (id) => {
      await using visited = await open({ permissions: ['clipboard-read', 'clipboard-write'] });
      const { page } = visited;
      const command = await text(page, `#${id}`);
      await page.locator(`[data-copy="${id}"]`).click();
      await says(page, '#copied', 'Copied.');
      expect(await page.evaluate('navigator.clipboard.readText()')).toBe(command);
      // As on a page that is neither on HTTPS nor on localhost.
      await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })");
      await page.locator(`[data-copy="${id}"]`).click();
      await says(page, '#copied', 'The command is selected instead.');
      expect(await page.evaluate('getSelection().toString()')).toBe(command);
    },
  );

  test('is used by keyboard alone, and shows where the focus is', async () => {
    await using visited = await open();
    const { page } = visited;
    const press = (...keys: string[]) =>
      keys.reduce((before, each) => before.then(() => page.keyboard.press(each)), Promise.resolve());
    /** Presses Tab until an element has the focus; each stop on the way is seen. */
    const tabTo = async (selector: string) => {
      for (let stops = 0; stops < 60; stops++) {
        await press('Tab');
        const [at, outlined] = await page.evaluate<[boolean, boolean]>(`(() => {
          const style = getComputedStyle(document.activeElement);
          const outlined = style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) >= 2;
          return [document.activeElement.matches(${JSON.stringify(selector)}), outlined];
        })()`);
        expect(outlined).toBe(true);
        if (at) return;
      }
      throw new Error(`${selector} is not reached`);
    };
    await tabTo('#attack');
    await press('Space');
    await says(page, '#story', 'the key is stolen');
    await tabTo('#exposed-shop .search');
    await tabTo('[data-copy="rotate-command"]');
    await press('Enter');
    await says(page, '#copied', /./);
    await tabTo('#item');
    await press('ControlOrMeta+a');
    await page.keyboard.type('1 × cocoa');
    await press('Enter');
    await says(page, '#order-verdict', 'Sent, and accepted');
    await tabTo('#body');
    await press('End', 'Backspace');
    await tabTo('#send-again');
    await press('Enter');
    await says(page, '#order-verdict', 'Refused');
    await tabTo('#session [type="submit"]');
    await press('Enter');
    await says(page, '#session-verdict', 'Signed in');
    await tabTo('#who-am-i');
    await press('Space');
    await says(page, '#session-verdict', 'You are alice');
    await tabTo('#path');
    await press('ControlOrMeta+a');
    await page.keyboard.type('server.ts');
    await press('Enter');
    await says(page, '#read-verdict', 'There is no key in this file.');
    await picture(page, 'keyboard');
  });

  test.for(Object.entries(screens))(
    'is accessible and fits on a %s, light and dark',
    async ([name, screen]) => {
      await using visited = await open(screen);
      const { page, complaints } = visited;
      const look = async (stage: string, ...schemes: readonly ('light' | 'dark')[]) => {
        for (const colorScheme of schemes) {
          await page.emulateMedia({ colorScheme });
          await picture(page, `${name.replaceAll(/\W+/g, '-')}-${colorScheme}-${stage}`);
          expect(await accessibilityViolations(page)).toEqual([]);
        }
        expect(await overflow(page)).toBe(0);
      };
      await page.locator('#exposed-shop .keys li').first().waitFor();
      await look('at-first', 'dark');
      await page.getByRole('button', { name: 'Download my invoice' }).click();
      await says(page, '#invoice-paper', '21.50');
      await order(page);
      await signIn(page);
      await tamper(page, '#token');
      await page.getByRole('button', { name: 'Who am I?' }).click();
      await says(page, '#session-verdict', 'Not let in');
      await look('tried', 'light');
      await attack(page);
      await look('attacked', 'dark', 'light');
      expect(complaints).toEqual([]);
    },
  );

  test('has the attack on the first screen of a phone, and all of it on the first screen of a desktop', async () => {
    for (const [screen, selector] of [
      ['phone', '#attack'],
      ['desktop', '#exposed-shop'],
    ] as const) {
      await using visited = await open(screens[screen]);
      const { page } = visited;
      await attack(page);
      await page.evaluate('scrollTo(0, 0)');
      const box = await page.locator(selector).boundingBox();
      expect(box && box.y + box.height).toBeLessThanOrEqual(screens[screen].viewport.height);
    }
  });

  test('moves only for those who like it, one place after the other', async () => {
    const motions = async (reducedMotion: 'reduce' | 'no-preference') => {
      await using visited = await open({ reducedMotion });
      const { page } = visited;
      await page.evaluate(`(() => {
        window.most = { moving: 0, reading: 0 };
        const count = () => {
          const { most } = window;
          most.moving = Math.max(most.moving, document.getAnimations().length);
          most.reading = Math.max(most.reading, document.querySelectorAll('#exposed-shop .reading').length);
          requestAnimationFrame(count);
        };
        count();
      })()`);
      const started = performance.now();
      await attack(page);
      const took = performance.now() - started;
      return { took, ...(await page.evaluate<{ moving: number; reading: number }>('window.most')) };
    };
    expect(await motions('reduce')).toMatchObject({ moving: 0 });
    const { took, moving, reading } = await motions('no-preference');
    expect(moving).toBeGreaterThan(0);
    expect(reading).toBe(1);
    expect(took).toBeGreaterThan(16 * 100);
  });

  test('does not let a shop that is slow, or does not answer, hold up the other one', async () => {
    await using visited = await open();
    const { page } = visited;
    await page.route(`${demo.exposedUrl}/invoices*`, () => new Promise(() => {}));
    await page.getByRole('button', { name: 'Attack both shops' }).click();
    await says(page, '#signer-shop .outcome', 'Nothing to steal');
    expect(await text(page, '#exposed-shop .outcome')).toMatch(/^Searching…\s+1 of 16$/);
    await says(page, '#exposed-shop .outcome', 'the shop has not answered for ten seconds');
    await says(page, '#story', 'Keys in the shop: the attack did not work.');
    await picture(page, 'slow');
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await attack(page);
    expect(await text(page, '#exposed-shop .outcome')).toMatch(/^Key stolen/);
    expect(visited.complaints).toEqual([]);
  });

  /** The page, with a file of it that the browser gives up some times. Counts the loads of the page and of the file. */
  const openBroken = async (file: string, times: number) => {
    const context = await browser.newContext(screens.desktop);
    const page = await context.newPage();
    await page.route(`${demo.url}/${file}`, (route) => route.abort('failed'), { times });
    let loads = 0;
    let gotten = 0;
    page.on('request', (request) => request.isNavigationRequest() && loads++);
    page.on('requestfinished', (request) => request.url().endsWith(file) && gotten++);
    await page.goto(demo.url, { waitUntil: 'commit' });
    return { page, loads: () => loads, gotten: () => gotten, [Symbol.asyncDispose]: () => context.close() };
  };
  const patient = { timeout: 60_000 };

  test.each(['page.js', 'dom.js', 'shops.css'])(
    'loads itself again when the browser gives up %s, until it has it',
    async (file) => {
      await using broken = await openBroken(file, 2);
      const { page } = broken;
      await expect.poll(broken.gotten, patient).toBe(1);
      await page.locator('#signer-shop .keys li').first().waitFor();
      await attack(page);
      expect(broken.loads()).toBe(3);
    },
  );

  test('does not load itself again for ever', async () => {
    await using broken = await openBroken('page.js', 100);
    await expect.poll(broken.loads, patient).toBe(6);
    await broken.page.waitForTimeout(3000);
    expect(broken.loads()).toBe(6);
  });

  test('without JavaScript, tells the story with commands that work', async () => {
    const context = await browser.newContext({ ...screens.phone, javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(demo.url);
    const commands = await page.locator('.by-hand pre').allInnerTexts();
    await page.screenshot({ path: join(import.meta.dirname, 'screenshots/no-script.png'), fullPage: true });
    const [stolen, refused] = await Promise.all(
      commands.map((each) => fetch(/http[^']+/.exec(each)?.[0] ?? '').then((answer) => answer.text())),
    );
    expect(stolen).toBe(demo.keyText('exposed-shop', 'session'));
    expect(refused).toMatch(/^ENOENT/);
    expect(await page.locator('.by-hand').boundingBox()).not.toBe(null);
    const controls = await page.locator('button, input').all();
    expect(controls.length).toBeGreaterThan(5);
    for (const each of controls) expect(await each.boundingBox()).toBe(null);
    expect(await overflow(page)).toBe(0);
    await context.close();
  });

  test('asks nobody else for anything, forbids it, and is small', async () => {
    await using visited = await open();
    const { page, requested } = visited;
    await attack(page);
    expect(new Set(requested.map((url) => new URL(url).origin))).toEqual(
      new Set([demo.url, demo.exposedUrl]),
    );
    const response = await fetch(demo.url);
    const [, script = ''] = /<script>(.+?)<\/script>/s.exec(await response.text()) ?? [];
    const hash = createHash('sha256').update(script).digest('base64');
    const { port } = new URL(demo.exposedUrl);
    expect(response.headers.get('content-security-policy')).toBe(
      `default-src 'none'; script-src 'self' 'sha256-${hash}'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self' http://localhost:${port} http://127.0.0.1:${port}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    const resources = await page.evaluate<number[]>(
      `performance.getEntries().filter((each) => each.decodedBodySize > 0 && !/api|invoices/.test(each.name)).map((each) => each.decodedBodySize)`,
    );
    const bytes = resources.reduce((sum, each) => sum + each, 0);
    console.log(`the page: ${resources.length} files, ${bytes} bytes`);
    // More than half of it are the two fonts.
    expect(bytes).toBeGreaterThan(60_000);
    expect(bytes).toBeLessThan(120_000);
  });

  test('makes the pictures of the README', async () => {
    await using visited = await open({ deviceScaleFactor: 1.5 });
    const { page } = visited;
    await attack(page);
    await page.mouse.move(0, 0);
    // The ports of this run mean nothing to readers.
    for (const [shop, port] of [
      ['signer-shop', 8080],
      ['exposed-shop', 8081],
    ] as const)
      await page.evaluate(`document.querySelector('#${shop} .address').textContent = 'localhost:${port}'`);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await pictureForReadme(page, `readme-${colorScheme}`, '.shops');
    }
    expect(visited.complaints).toEqual([]);
  });
});
