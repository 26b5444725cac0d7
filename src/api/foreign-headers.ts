/** Headers that browsers and proxies add. The signer refuses them, so whoever passes on received headers leaves them out. */

const names = new Set(['origin', 'referer', 'sec-fetch-site', 'forwarded', 'via', 'x-real-ip']);

/** @param name in lower case */
export function isForeignHeader(name: string): boolean {
  return names.has(name) || name.startsWith('x-forwarded-');
}
