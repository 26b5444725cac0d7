/** What a person does on the demo's page. */

import type { Page } from 'playwright-core';

export type ShopId = 'signer-shop' | 'exposed-shop';

export const text = async (page: Page, selector: string): Promise<string> =>
  (await page.locator(selector).allInnerTexts()).join('\n');

/** Waits until it says this. */
export const says = (page: Page, selector: string, what: string | RegExp): Promise<void> =>
  page.locator(selector).filter({ hasText: what }).waitFor();

export const keyIds = (page: Page, shop: ShopId = 'signer-shop'): Promise<string[]> =>
  page.locator(`#${shop} .key-id`).allInnerTexts();

export async function order(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Order' }).click();
  await says(page, '#order-verdict', 'Sent, and accepted');
}

export async function signIn(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign in' }).click();
  await says(page, '#session-verdict', 'Signed in');
}

/** Attacks both shops, and waits until both are done. */
export async function attack(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Attack both shops' }).click();
  await says(page, '#story', /Keys in the signer: .*\. Keys in the shop: .*\./);
}

/** What the attack got at each place. */
export async function outcomes(page: Page, shop: ShopId): Promise<ReadonlyMap<string, string>> {
  const list = page.locator(`#${shop} .search li`);
  const [paths, results] = await Promise.all(
    ['code', 'span'].map((part) => list.locator(part).allInnerTexts()),
  );
  return new Map(paths?.map((path, index) => [path, results?.[index] ?? '']));
}

export async function read(page: Page, path: string): Promise<string> {
  await page.getByLabel('Which one?').fill(path);
  await page.getByRole('button', { name: 'Read', exact: true }).click();
  await says(page, '#content-label', path);
  return page.locator('#content').inputValue();
}

/** Changes one character in the middle of a field. */
export async function tamper(page: Page, selector: string): Promise<void> {
  const field = page.locator(selector);
  const value = await field.inputValue();
  const middle = Math.floor(value.length / 2);
  const other = value[middle] === 'x' ? 'y' : 'x';
  await field.fill(value.slice(0, middle) + other + value.slice(middle + 1));
}
