/** The HTTP headers that belong to the connection with the signer, or that mark a caller which the signer refuses. */

/** Browsers and proxies add these, and `X-Forwarded-*`. */
export const foreignHeaders: ReadonlySet<string> = new Set([
  'origin',
  'referer',
  'sec-fetch-site',
  'forwarded',
  'via',
  'x-real-ip',
]);
const connectionHeaders: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'keep-alive',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'cookie',
]);

/**
 * Whether a request to the signer cannot carry a received header of this name: the header would describe that request
 * itself, or the guard would refuse it.
 * @param name in lower case
 */
export function cannotBePassedOn(name: string): boolean {
  return (
    foreignHeaders.has(name) ||
    connectionHeaders.has(name) ||
    /^(?:content|sec|proxy|x-forwarded)-/.test(name)
  );
}
