/** The signing key for a day, a region and a service, which is derived from the secret by four HMACs. */

import type { Mac } from '../../signing/mac.ts';

export const algorithm = 'AWS4-HMAC-SHA256';

/** The last part of a credential scope. */
export const scopeEnd = 'aws4_request';

/** The credential scope of a signature. */
export interface Scope {
  /** YYYYMMDD */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

/** Returns the signing key of a scope. @param today keys of this date are cached until the date changes */
export type SigningKeys = (secret: Mac, scope: Scope, today: string) => Mac;

/**
 * Caches the signing keys of today, and drops them with their secret. Callers must first check that the policy lists the
 * service and the region, which also bounds the size of the cache.
 */
export function createSigningKeys(): SigningKeys {
  const cache = new WeakMap<Mac, { readonly date: string; readonly keys: Map<string, Mac> }>();
  return (secret, scope, today) => {
    if (scope.date !== today) return deriveSigningKey(secret, scope);
    let day = cache.get(secret);
    if (day?.date !== today) {
      day = { date: today, keys: new Map() };
      cache.set(secret, day);
    }
    const name = `${scope.region}/${scope.service}`;
    const cached = day.keys.get(name);
    if (cached !== undefined) return cached;
    const key = deriveSigningKey(secret, scope);
    day.keys.set(name, key);
    return key;
  };
}

/** @param secret the HMAC whose key is "AWS4" followed by the secret access key */
export function deriveSigningKey(secret: Mac, { date, region, service }: Scope): Mac {
  return [date, region, service, scopeEnd].reduce((key, part) => key.derive(part), secret);
}

/** `<date>/<region>/<service>/aws4_request` */
export function credentialScope({ date, region, service }: Scope): string {
  return `${date}/${region}/${service}/${scopeEnd}`;
}

/** The string to sign. */
export function stringToSign(time: string, scope: Scope, requestHash: string): string {
  return [algorithm, time, credentialScope(scope), requestHash].join('\n');
}

/** Formats a time as YYYYMMDD'T'HHMMSS'Z'. @param now milliseconds since the epoch */
export function awsTime(now: number): string {
  return `${new Date(now).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

/** Parses a time in this form to milliseconds since the epoch; undefined if it is not one. */
export function parseAwsTime(text: string): number | undefined {
  const iso = text.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5');
  const time = Date.parse(iso);
  return iso !== text && !Number.isNaN(time) && awsTime(time) === text ? time : undefined;
}
