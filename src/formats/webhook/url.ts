/** What some providers do with a URL before they sign it. */

import type { Scheme } from './scheme.ts';

const defaultPorts: Readonly<Record<string, string>> = { http: '80', https: '443' };

/** The URL that is signed, and others that the sender may have signed in its place. */
export function signedUrls({ urlPort, decodedInUrl }: Scheme, url: string): readonly [string, ...string[]] {
  const decoded = url.replace(/%[0-9A-Fa-f]{2}/g, (triplet) => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
    return decodedInUrl.includes(character) ? character : triplet;
  });
  return urlPort === undefined ? [decoded] : [decoded, otherPort(decoded)];
}

/** The same URL with the default port in place of none, or without its port. */
function otherPort(url: string): string {
  return url.replace(/^([a-z]+):\/\/([^/?#]*?)(:\d+)?(?=[/?#]|$)/, (_, scheme, host, port) =>
    port === undefined ? `${scheme}://${host}:${defaultPorts[scheme] ?? ''}` : `${scheme}://${host}`,
  );
}
