/** The demo's page, driven as a person would in the two minutes that they have for it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
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

const reason = obstacle();
const suffix = reason === undefined ? '' : ` (${reason})`;
const patienceMs = 300_000;
const sweep = readFileSync(join(import.meta.dirname, '../support/sweep.ts'), 'utf8');

const text = async (page: Page, selector: string) =>
  (await page.locator(selector).allInnerTexts()).join('\n');
/** Waits until it says this. */
const says = (page: Page, selector: string, what: string | RegExp) =>
  page.locator(selector).filter({ hasText: what }).waitFor();
const keyIds = (page: Page) => page.locator('#keys .key-id').allInnerTexts();

async function order(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Order' }).click();
  await says(page, '#order-verdict', 'Sent, and accepted');
}

async function signIn(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign in' }).click();
  await says(page, '#session-verdict', 'Signed in');
}

async function attack(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Attack' }).click();
  await says(page, '#attack-verdict', /no key|key is stolen/);
}

async function read(page: Page, path: string): Promise<string> {
  await page.getByLabel('Or read any file').fill(path);
  await page.getByRole('button', { name: 'Read', exact: true }).click();
  await says(page, '#content-label', path);
  return page.locator('#content').inputValue();
}

/** Changes one character in the middle of a field. */
async function tamper(page: Page, selector: string): Promise<void> {
  const field = page.locator(selector);
  const value = await field.inputValue();
  const middle = Math.floor(value.length / 2);
  const other = value[middle] === 'x' ? 'y' : 'x';
  await field.fill(value.slice(0, middle) + other + value.slice(middle + 1));
}

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
  const openExposed = (options = {}) => visit(browser, demo.exposedUrl, { ...screens.desktop, ...options });

  beforeAll(async () => {
    demo = await startDemo();
    browser = await startBrowser();
  }, patienceMs);

  afterAll(async () => {
    await browser?.close();
    await demo?.[Symbol.asyncDispose]();
  }, patienceMs);

  test('shows the keys in use by the ids that they were made with', async () => {
    await using visited = await open();
    const made = demo.compose('logs', '--no-log-prefix', 'keys').toString();
    const ids = await keyIds(visited.page);
    expect(ids).toHaveLength(2);
    for (const id of ids) expect(made).toContain(`new HS256 key ${id}`);
    expect(await text(visited.page, 'h1')).toBe('A shop that holds no key');
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

  test('attacked, gives away what the shop can read, and no key', async () => {
    await using visited = await open();
    const { page } = visited;
    await order(page);
    await signIn(page);
    await attack(page);
    expect(await text(page, '#attack-verdict')).toMatch(
      /^Looked at \d+ places and read \d+: no key in any of them\.$/,
    );
    const rows = await page.locator('#places button').allInnerTexts();
    const outcomes = new Map(rows.map((row) => row.split(/\n+/) as [string, string]));
    for (const place of ['/etc/signer/keys/orders', '/etc/signer/keys/session', '/etc/shop/keys/session']) {
      expect([place, outcomes.get(place)]).toEqual([place, 'not found']);
    }
    for (const place of [
      'shop.ts',
      '/proc/self/environ',
      '/proc/1/environ',
      '/proc/1/maps',
      '/proc/net/tcp',
    ]) {
      expect([place, outcomes.get(place)]).toEqual([place, 'no key']);
    }
    expect(await page.locator('#content').inputValue()).toContain('shopWithSigner');
    // What it reads is what is there: the signer, which it can call, is seen to listen on 127.0.0.1:8700.
    await page.getByRole('button', { name: '/proc/net/tcp' }).click();
    expect(await page.locator('#content').inputValue()).toMatch(/0100007F:21FC .* 0A /);
    expect(await read(page, 'server.ts')).toContain('The bug');
    expect(await read(page, '/proc/self/environ')).toContain('SHOP_PORT');
    expect(await read(page, '/no/such/file')).toBe('ENOENT: not found');
    expect(await text(page, '#read-verdict')).toBe('This cannot be read: not found.');
    // Nothing waits, and nothing is read without end.
    expect((await read(page, '/dev/zero')).length).toBeLessThan(40_000);
    const received = await visited.received();
    expect(received.length).toBeGreaterThan(10_000);
    for (const name of ['orders', 'session']) expect(traces(received, key('signer', name))).toEqual([]);
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

  test('shows the counter-example, where the same attack takes the key and is let in with it', async () => {
    await using visited = await open();
    const { page } = visited;
    await page.getByRole('link', { name: 'Keys in the shop' }).click();
    await says(page, 'h1', 'The same shop with its own keys');
    await page.locator('#keys li').first().waitFor();
    await order(page);
    await signIn(page);
    await attack(page);
    expect(await text(page, '#attack-verdict')).toBe(
      'The key is stolen. This page has just created a token for “admin” with it, and the shop accepts it.',
    );
    expect(await page.locator('#content').inputValue()).toBe(demo.keyText('exposed-shop', 'session'));
    expect(traces(await visited.received(), key('exposed-shop', 'session'))).toContain('hex');
    // The other shop's keys are others.
    expect(traces(await visited.received(), key('signer', 'session'))).toEqual([]);
    await page.getByRole('link', { name: 'Now attack the shop without keys' }).click();
    await says(page, 'h1', 'A shop that holds no key');
  });

  test('shows new keys without a reload once they are rotated, and still accepts what earlier ones signed', async () => {
    await using visited = await open();
    const { page } = visited;
    await order(page);
    await signIn(page);
    const before = await keyIds(page);
    await page.evaluate('window.notReloaded = true');
    const command = await text(page, '#rotate-command');
    expect(command).toBe('docker compose -f docker/compose.yaml run --rm rotate');
    await page.getByRole('button', { name: 'Copy' }).click();
    await says(page, '#copy-verdict', /^(?:Copied\.|The browser does not let this page copy\. .*)$/);
    const printed = demo.compose('run', '--rm', '-T', 'rotate').toString();
    await says(page, '#rotations', `session: `);
    await says(page, '#rotations', `orders: `);
    const after = await keyIds(page);
    expect(after).toHaveLength(2);
    for (const [index, id] of after.entries()) {
      expect(id).not.toBe(before[index]);
      expect(printed).toContain(id);
      expect(await text(page, '#rotations')).toContain(`${id} signs now, instead of ${before[index]}`);
      expect(await text(page, '#keys')).toContain(
        `earlier keys, valid until the signer restarts: ${before[index]}`,
      );
    }
    expect(await page.evaluate('window.notReloaded')).toBe(true);
    await page.getByRole('button', { name: 'Send it again' }).click();
    await says(page, '#order-verdict', `Accepted: signed by the earlier key ${before[0]}.`);
    await page.getByRole('button', { name: 'Who am I?' }).click();
    await says(page, '#session-verdict', `You are alice: signed by the earlier key ${before[1]}.`);
    await order(page);
    expect(await text(page, '#order-verdict')).toBe(`Sent, and accepted: signed by ${after[0]}.`);
    await picture(page, 'rotated');
    expect(visited.complaints).toEqual([]);
  });

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
    await tabTo('#item');
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
    await tabTo('#attack');
    await press('Space');
    await says(page, '#attack-verdict', 'no key');
    await tabTo('#places [data-path="/proc/self/environ"]');
    await press('Enter');
    expect(await page.locator('#content').inputValue()).toContain('SHOP_PORT');
    await tabTo('#path');
    await page.keyboard.type('server.ts');
    await press('Enter');
    await says(page, '#read-verdict', 'There is no key in this file.');
    await picture(page, 'keyboard');
  });

  test.for(
    (['desktop', 'phone'] as const).flatMap((screen) =>
      (['light', 'dark'] as const).map((colorScheme) => ({ screen, colorScheme })),
    ),
  )('is accessible and fits on a $screen, $colorScheme', async ({ screen, colorScheme }) => {
    const options = { ...screens[screen], colorScheme };
    for (const [name, opened] of [
      ['shop', open(options)],
      ['exposed-shop', openExposed(options)],
    ] as const) {
      await using visited = await opened;
      const { page, complaints } = visited;
      await picture(page, `${name}-${screen}-${colorScheme}-at-first`);
      expect(await accessibilityViolations(page)).toEqual([]);
      await order(page);
      await signIn(page);
      await tamper(page, '#token');
      await page.getByRole('button', { name: 'Who am I?' }).click();
      await says(page, '#session-verdict', 'Not let in');
      await attack(page);
      await picture(page, `${name}-${screen}-${colorScheme}`);
      expect(await accessibilityViolations(page)).toEqual([]);
      expect(await overflow(page)).toBe(0);
      expect(complaints).toEqual([]);
    }
  });

  test('asks nobody else for anything, forbids it, and is small', async () => {
    await using visited = await open();
    const { page, requested } = visited;
    await attack(page);
    expect(new Set(requested.map((url) => new URL(url).origin))).toEqual(new Set([demo.url]));
    const response = await fetch(demo.url);
    expect(response.headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    const resources = await page.evaluate<number[]>(
      `performance.getEntries().filter((each) => each.decodedBodySize > 0 && !/api|invoices/.test(each.name)).map((each) => each.decodedBodySize)`,
    );
    const bytes = resources.reduce((sum, each) => sum + each, 0);
    console.log(`the page: ${resources.length} files, ${bytes} bytes`);
    expect(bytes).toBeGreaterThan(5000);
    expect(bytes).toBeLessThan(60_000);
  });

  test('makes the picture of the README', async () => {
    await using visited = await open({ colorScheme: 'light' });
    await attack(visited.page);
    await pictureForReadme(visited.page, '#attack-section');
    expect(visited.complaints).toEqual([]);
  });
});
