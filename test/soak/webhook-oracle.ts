/**
 * What each webhook format signs, written from the documentation of the providers and not from the table of schemes. Lenient
 * in where a value stands: every text of the headers may be the id, and every time in them the time.
 */

import { createHmac } from 'node:crypto';
import { type FormatName, type Json, toleranceSeconds } from './samples.ts';

type Bytes = string | Uint8Array;

/** What a request says, in all the ways in which it can be meant. */
interface Meant {
  readonly body: Uint8Array;
  readonly url: string;
  readonly method: string;
  readonly texts: readonly string[];
  /** Those within the tolerance, as they are written. */
  readonly seconds: readonly string[];
  readonly milliseconds: readonly string[];
  readonly dates: readonly string[];
  readonly request: Json;
}

interface Recipe {
  /** Default: sha256. */
  readonly hash?: string;
  /** The strings that may be signed, each in parts. */
  signed(meant: Meant): readonly (readonly Bytes[])[];
}

const ofBody: Recipe = { signed: ({ body }) => [[body]] };
const dotted: Recipe = { signed: ({ seconds, body }) => seconds.map((time) => [time, '.', body]) };
const versioned: Recipe = { signed: ({ seconds, body }) => seconds.map((time) => ['v0:', time, ':', body]) };
const dottedMilliseconds: Recipe = {
  signed: ({ milliseconds, body }) => milliseconds.map((time) => [time, '.', body]),
};
const standard: Recipe = {
  signed: ({ texts, seconds, body }) =>
    texts.flatMap((id) => seconds.map((time) => [id, '.', time, '.', body])),
};

const recipes: Readonly<Partial<Record<FormatName, Recipe>>> = {
  'standard-webhooks': standard,
  svix: standard,
  gitlab: standard,
  bigcommerce: standard,
  stripe: dotted,
  calendly: dotted,
  mux: dotted,
  elevenlabs: dotted,
  sanity: dottedMilliseconds,
  workos: dottedMilliseconds,
  slack: versioned,
  zoom: versioned,
  paddle: { signed: ({ seconds, body }) => seconds.map((time) => [time, ':', body]) },
  cashfree: { signed: ({ milliseconds, body }) => milliseconds.map((time) => [time, body]) },
  zendesk: { signed: ({ dates, body }) => dates.map((time) => [time, body]) },
  box: { signed: ({ dates, body }) => dates.map((time) => [body, time]) },
  twitch: {
    signed: ({ texts, dates, body }) => texts.flatMap((id) => dates.map((time) => [id, time, body])),
  },
  paystack: { hash: 'sha512', ...ofBody },
  intercom: { hash: 'sha1', ...ofBody },
  vercel: { hash: 'sha1', ...ofBody },
  square: { signed: ({ url, body }) => [[url, body]] },
  trello: { hash: 'sha1', signed: ({ url, body }) => [[body, url]] },
  hubspot: {
    signed: ({ method, url, body, milliseconds }) =>
      milliseconds.map((time) => [method, unescaped(url), body, time]),
  },
  twilio: {
    hash: 'sha1',
    signed: ({ url, body }) => {
      const [, scheme = '', host, port, rest] = /^(https?):\/\/([^/?:]*)(:\d+)?(.*)$/.exec(url) ?? [];
      const otherPort = `${scheme}://${host}${port === undefined ? `:${ports[scheme]}` : ''}${rest}`;
      return [url, otherPort].map((each) => [each, pairsOf(body)]);
    },
  },
  // As the sample has it in its configuration.
  webhook: {
    signed: ({ request, method, url, texts, seconds, body }) => {
      const { host, path, query } = url === 'undefined' ? ownParts(request) : partsOf(url);
      const event = Object.entries(Object(request['headers'])).find(([name]) => /^x-event$/i.test(name));
      const target = `${method} ${host}${path}?${query} ${[event?.[1]].flat().join(', ')}\n`;
      const ids = texts.flatMap((each) => {
        const [, nonce, id] = /^n=(.*)&i=(.*)$/.exec(each) ?? [];
        return nonce === undefined ? [] : [`${nonce}:${id}`];
      });
      return seconds.flatMap((time) => ids.map((id) => ['v1:', time, ':', id, ':', target, body]));
    },
  },
};

const ports: Readonly<Record<string, string>> = { http: '80', https: '443' };

/** Whether the headers hold a tag that the key makes of what the format signs. */
export function isRightWebhook(format: FormatName, key: Buffer, request: Json, body: Uint8Array): boolean {
  const { hash = 'sha256', signed } = recipes[format] ?? ofBody;
  const texts = Object.values(Object(request['headers'])).map((value) => [value].flat().join(','));
  const isNear = (ms: number) => Math.abs(Date.now() - ms) <= toleranceSeconds * 1000;
  const found = (pattern: RegExp, toMs: (text: string) => number) =>
    texts.flatMap((each) => each.match(pattern) ?? []).filter((each) => isNear(toMs(each)));
  const meant: Meant = {
    body,
    url: String(request['url']),
    method: String(request['method']),
    texts,
    seconds: found(/(?<![0-9a-f])[1-9][0-9]{0,11}(?![0-9a-f])/g, (text) => Number(text) * 1000),
    milliseconds: found(/(?<![0-9a-f])[1-9][0-9]{12}(?![0-9a-f])/g, Number),
    dates: found(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/g, Date.parse),
    request,
  };
  const written = texts.join(' ');
  return signed(meant).some((parts) => {
    const stream = createHmac(hash, key);
    for (const part of parts) stream.update(part);
    const tag = stream.digest();
    return (['hex', 'base64', 'base64url'] as const).some((output) => written.includes(tag.toString(output)));
  });
}

interface Parts {
  readonly host: string;
  readonly path: string;
  readonly query: string;
}

function ownParts(request: Json): Parts {
  const text = (field: string) => String(request[field] ?? '');
  return { host: text('host'), path: text('path'), query: text('query') };
}

/** As they are written: nothing is decoded, and no letter changes its case. */
function partsOf(url: string): Parts {
  const [, host = '', path = '', query = ''] = /^[^:]+:\/\/([^/?]*)(\/[^?]*)?(?:\?(.*))?$/.exec(url) ?? [];
  return { host, path: path || '/', query };
}

/** HubSpot's page lists the characters whose escapes are decoded. */
function unescaped(url: string): string {
  return url.replace(/%[0-9A-Fa-f]{2}/g, (triplet) => {
    const character = decodeURIComponent(`${triplet}`);
    return ":/?@!$'()*,;".includes(character) ? character : triplet;
  });
}

/** Twilio sorts the parameters by name, and the different values of a name. */
function pairsOf(body: Uint8Array): string {
  const values = new Map<string, Set<string>>();
  for (const [name, value] of new URLSearchParams(Buffer.from(body).toString())) {
    values.set(name, (values.get(name) ?? new Set()).add(value));
  }
  return [...values.keys()]
    .toSorted()
    .flatMap((name) => [...(values.get(name) ?? [])].toSorted().map((value) => name + value))
    .join('');
}
