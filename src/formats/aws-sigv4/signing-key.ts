/** The signing key of a day, a region and a service, which the secret yields by four HMACs. */

import type { Mac } from '../../signing/mac.ts';

/** What a signature is for. */
export interface Scope {
  /** YYYYMMDD */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

/** @param today keys of this date are kept until the date changes */
export type SigningKeys = (secret: Mac, scope: Scope, today: string) => Mac;

/**
 * Keeps today's keys, no longer than the secret's own. Each is as good as the secret for a day, a region and a service:
 * what is kept is bounded by the services and regions of a key set, so only these may be asked for.
 */
export function createSigningKeys(): SigningKeys {
  const kept = new WeakMap<Mac, { readonly date: string; readonly keys: Map<string, Mac> }>();
  return (secret, scope, today) => {
    if (scope.date !== today) return deriveSigningKey(secret, scope);
    let day = kept.get(secret);
    if (day?.date !== today) {
      day = { date: today, keys: new Map() };
      kept.set(secret, day);
    }
    const name = `${scope.region}/${scope.service}`;
    const known = day.keys.get(name);
    if (known !== undefined) return known;
    const key = deriveSigningKey(secret, scope);
    day.keys.set(name, key);
    return key;
  };
}

/** @param secret the MAC by "AWS4" and the secret access key */
export function deriveSigningKey(secret: Mac, { date, region, service }: Scope): Mac {
  return [date, region, service, 'aws4_request'].reduce((key, part) => key.derive(Buffer.from(part)), secret);
}

/** `<date>/<region>/<service>/aws4_request` */
export function credentialScope({ date, region, service }: Scope): string {
  return `${date}/${region}/${service}/aws4_request`;
}

/** The string that is signed. */
export function stringToSign(time: string, scope: Scope, requestHash: string): Uint8Array {
  return Buffer.from(['AWS4-HMAC-SHA256', time, credentialScope(scope), requestHash].join('\n'));
}

/** YYYYMMDD'T'HHMMSS'Z' */
export function awsTime(now: number): string {
  return `${new Date(now).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

/** Milliseconds since the epoch; undefined for what is no time in this form. */
export function parseAwsTime(text: string): number | undefined {
  const iso = text.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5');
  const time = Date.parse(iso);
  return iso !== text && !Number.isNaN(time) && awsTime(time) === text ? time : undefined;
}
