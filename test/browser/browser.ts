/** The browser of the suite: the system's own Chromium. Everything that its pages get is kept, to be searched. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import axe, { type AxeResults } from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { isRoot } from '../support/process.ts';
import { chromiumPath } from './obstacle.ts';

export function startBrowser(): Promise<Browser> {
  // Its sandbox wants a user who is not root.
  return chromium.launch({ executablePath: chromiumPath(), args: isRoot ? ['--no-sandbox'] : [] });
}

export const screens = {
  desktop: { viewport: { width: 1440, height: 900 } },
  tablet: { viewport: { width: 768, height: 1024 } },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
  'small phone': { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true },
  /** What a browser makes of the desktop at 200 %. */
  'desktop at 200 %': { viewport: { width: 720, height: 450 }, deviceScaleFactor: 2 },
} as const;

export interface Visit extends AsyncDisposable {
  readonly page: Page;
  /** The body of every answer so far. */
  received(): Promise<Buffer>;
  /** The URL of every request so far. */
  readonly requested: readonly string[];
  /** What the page has complained of, but for answers with an error status, so far. */
  readonly complaints: readonly string[];
}

/** Opens the shop's page without motion, and waits until it shows the signer's keys or why there are none. */
export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = screens.desktop,
): Promise<Visit> {
  const context = await browser.newContext({ locale: 'en-GB', reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const bodies: Promise<Buffer>[] = [];
  const requested: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => requested.push(request.url()));
  page.on('response', (response) => bodies.push(response.body().catch(() => Buffer.alloc(0))));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (!/^Failed to load resource: (?:the server responded|net::ERR_)/.test(message.text()))
      complaints.push(message.text());
  });
  await page.goto(url);
  const keys = ['.keys li', '.keys-problem:not(:empty)'].map((each) => `#signer-shop ${each}`);
  await page.locator(keys.join()).first().waitFor();
  return {
    page,
    received: async () => Buffer.concat(await Promise.all(bodies)),
    requested,
    complaints,
    [Symbol.asyncDispose]: () => context.close(),
  };
}

const folder = join(import.meta.dirname, 'screenshots');

/** Keeps a picture of the whole page, for people to look at. */
export async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true, animations: 'disabled' });
}

/** A picture for the README, down to the end of an element; those in docker/demo are copies. */
export async function pictureForReadme(page: Page, name: string, selector: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const box = await page.locator(selector).boundingBox();
  if (box === null) throw new Error(`${selector} is not on the page`);
  const session = await page.context().newCDPSession(page);
  const clip = {
    x: 0,
    y: 0,
    width: page.viewportSize()?.width ?? 0,
    height: box.y + box.height + 24,
    scale: 1,
  };
  const { data } = await session.send('Page.captureScreenshot', {
    format: 'webp',
    quality: 80,
    clip,
    captureBeyondViewport: true,
  });
  writeFileSync(join(folder, `${name}.webp`), Buffer.from(data, 'base64'));
}

/** What of WCAG 2.2 A and AA a page violates, as far as a program can tell: the rule, and where. */
export async function accessibilityViolations(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<AxeResults>('axe.run()');
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`));
}

/** How many pixels of the page are beyond its right edge. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
}
