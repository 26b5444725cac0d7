/**
 * Signed URLs in both directions: with imgproxy's own URL builder, with the EdgeAuth library of Akamai's engineers, with
 * Laravel itself, and our own scheme with openssl alone.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';
import { load } from './clients.ts';

interface Imgproxy {
  generateImageUrl(image: object): string;
}
type EdgeAuth = new (options: {
  readonly key: string;
  readonly endTime: number;
  readonly salt?: string;
  readonly escapeEarly?: boolean;
}) => {
  generateURLToken(url: string): string;
  generateACLToken(acl: string | readonly string[]): string;
};

const { generateImageUrl } = load<Imgproxy>('@imgproxy/imgproxy-node');
const EdgeAuth = load<EdgeAuth>('akamai-edgeauth');

const keys = {
  links: randomBytes(32).toString('hex'),
  images: randomBytes(32).toString('hex'),
  laravel: `base64:${randomBytes(32).toString('base64')}`,
  relative: `base64:${randomBytes(32).toString('base64')}`,
  tokens: randomBytes(32).toString('hex'),
  escaped: randomBytes(32).toString('hex'),
  list: randomBytes(32).toString('hex'),
};
const salt = randomBytes(32).toString('hex');
const acl = ['/videos/*', '/poster.jpg'];
const inHex = { encoding: 'hex', format: 'signed-url' };
const inText = { encoding: 'text', format: 'signed-url' };
let running: ConfiguredSigner;
const keySet = (name: keyof typeof keys) => running.client.keySet(name, 'signed-url');
const expiryOf = ({ expiresAt }: { readonly expiresAt: string }) => Date.parse(expiresAt) / 1000;
const inTenMinutes = () => Math.floor(Date.now() / 1000) + 600;

beforeAll(async () => {
  running = await startConfigured(keys, {
    links: inHex,
    images: {
      ...inHex,
      'signed-url': {
        scheme: 'imgproxy',
        imgproxy: { salt, sources: ['https://src.example/', 's3://bucket/'] },
      },
    },
    laravel: { ...inText, 'signed-url': { scheme: 'laravel' } },
    relative: { ...inText, 'signed-url': { scheme: 'laravel', laravel: { absolute: false } } },
    tokens: { ...inHex, 'signed-url': { scheme: 'akamai', akamai: { salt: 'a salt', tokenName: 'hdnts' } } },
    escaped: { ...inHex, 'signed-url': { scheme: 'akamai', akamai: { escapeEarly: true } } },
    list: { ...inHex, 'signed-url': { scheme: 'akamai', akamai: { acl } } },
  });
});
afterAll(() => running[Symbol.asyncDispose]());

describe('our own scheme', () => {
  it('is signed by openssl as the specification says', async () => {
    const { url, expiresAt } = await keySet('links').sign({
      url: 'https://a.example/b?d=1&c=2',
      method: 'GET',
    });
    const lines = [
      'sidecar-signer-url-v1',
      'GET',
      'a.example',
      '/b',
      'c=2&d=1',
      `${expiryOf({ expiresAt })}`,
    ];
    const tag = execFileSync(
      'openssl',
      ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', `hexkey:${keys.links}`, '-binary'],
      { input: lines.join('\n') },
    );
    expect(url.endsWith(`&signature=${tag.toString('base64url')}`)).toBe(true);
  });
});

describe('imgproxy', () => {
  const endpoint = 'https://img.example';
  const build = (value: string, displayAs: 'plain' | 'base64', options: object, resultImageFormat = 'webp') =>
    generateImageUrl({
      endpoint,
      url: { value, displayAs, resultImageFormat },
      options,
      ...(Object.hasOwn(options, 'expires') && { key: keys.images, salt }),
    });
  const cases = [
    ['https://src.example/a.jpg', { resizing_type: 'fill', width: 300, height: 400 }],
    ['https://src.example/a%20b.jpg?v=1', { quality: 80, gravity: { type: 'sm' } }],
    ['s3://bucket/a/b.png', { blur: 10, dpr: 2, background: 'aabbcc' }],
  ] as const;

  it.each(cases)('has what we sign and what it signs alike: %s', async (source, options) => {
    for (const displayAs of ['plain', 'base64'] as const) {
      // The builder writes a plain source as it is.
      const value = displayAs === 'plain' ? encodeURIComponent(source) : source;
      const unsigned = build(value, displayAs, options).replace('/insecure/', '/');
      const signed = await keySet('images').sign({ url: unsigned });
      const theirs = build(value, displayAs, { ...options, expires: expiryOf(signed) });
      expect(await keySet('images').verify({ url: theirs })).toMatchObject({ valid: true });
      // The builder writes the same options in an order of its own.
      const sorted = (url: string) =>
        url
          .replace(/^.*\/[\w-]{43}\//, '')
          .split('/')
          .sort();
      expect(sorted(signed.url)).toEqual(sorted(theirs));
      expect(await keySet('images').verify({ url: theirs.replace(/exp:\d/, 'exp:9') })).toMatchObject({
        reason: 'mismatch',
      });
    }
  });
});

const program = join(import.meta.dirname, 'callers/laravel.php');
const php = spawnSync('php', [program]).status === 0;
describe(`Laravel${php ? '' : " (skipped: Debian's php-illuminate-routing is not installed)"}`, () => {
  const laravel = (operation: string, url: string, name: 'laravel' | 'relative', now = Date.now()) =>
    execFileSync('php', [
      program,
      operation,
      url,
      keys[name],
      `${Math.floor(now / 1000)}`,
      name === 'laravel' ? 'absolute' : 'relative',
    ]).toString();

  it.skipIf(!php).each([
    ['laravel', 'https://app.example/unsubscribe/7?user=1&b=x%20y&list[]=1&list[]=2'],
    ['laravel', 'https://app.example'],
    ['laravel', 'http://app.example:8080/a;v=1/b%20c?z=%3F&a=+'],
    ['relative', '/unsubscribe/7?user=1'],
    ['relative', '/a'],
  ] as const)('accepts what we sign with the key %s: %s', async (name, url) => {
    const signed = await keySet(name).sign({ url });
    expect(laravel('verify', signed.url, name)).toBe('valid');
    expect(laravel('verify', signed.url, name, (expiryOf(signed) + 1) * 1000)).toBe('not valid');
    expect(laravel('verify', signed.url.replace(/expires=\d/, 'expires=9'), name)).toBe('not valid');
    expect(laravel('verify', `${signed.url}&x=1`, name)).toBe('not valid');
  });

  it.skipIf(!php).each([
    ['laravel', 'https://app.example/unsubscribe/7?user=1&b=x%20y'],
    ['relative', '/unsubscribe/7?user=1'],
  ] as const)('signs what we accept with the key %s: %s', async (name, url) => {
    const expires = inTenMinutes();
    const signed = laravel('sign', `${url}&expires=${expires}`, name);
    const expiresAt = new Date(expires * 1000).toISOString();
    expect(await keySet(name).verify({ url: signed })).toMatchObject({ valid: true, expiresAt });
    expect(await keySet(name).verify({ url: signed.replace('user=1', 'user=2') })).toMatchObject({
      reason: 'mismatch',
    });
    expect(await keySet(name).verify({ url: laravel('sign', url, name) })).toMatchObject({
      reason: 'not_allowed',
    });
  });
});

describe('the EdgeAuth library', () => {
  const names = { tokens: 'hdnts', escaped: '__token__', list: '__token__' } as const;
  const edge = (name: keyof typeof names, endTime: number) =>
    new EdgeAuth({
      key: keys[name],
      endTime,
      ...(name === 'tokens' && { salt: 'a salt' }),
      ...(name === 'escaped' && { escapeEarly: true }),
    });
  const tokenOf = (name: keyof typeof names, path: string, endTime: number) =>
    name === 'list' ? edge(name, endTime).generateACLToken(acl) : edge(name, endTime).generateURLToken(path);

  it.each([
    ['tokens', '/videos/a.mp4'],
    ['tokens', "/a%20b/$&'*+,;=:@c"],
    ['escaped', '/videos/a.mp4'],
    ['escaped', "/a%20b/C%C3%A9/$&'*+,;=:@c"],
    ['list', '/videos/a.mp4'],
  ] as const)('has the same token as we with the key %s: %s', async (name, path) => {
    const url = `https://cdn.example${path}`;
    const signed = await keySet(name).sign({ url });
    expect(signed.url).toBe(`${url}?${names[name]}=${tokenOf(name, path, expiryOf(signed))}`);
    const theirs = tokenOf(name, path, inTenMinutes());
    expect(await keySet(name).verify({ url: `${url}?${names[name]}=${theirs}` })).toMatchObject({
      valid: true,
    });
    const longer = theirs.replace(/exp=\d/, 'exp=9');
    expect(await keySet(name).verify({ url: `${url}?${names[name]}=${longer}` })).toMatchObject({
      reason: 'mismatch',
    });
  });
});
