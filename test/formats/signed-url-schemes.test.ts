/** The schemes of other programs: what they publish, what a caller may choose, and what nobody can add to a URL. */

import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { inUse, refusalOf } from '../support/format.ts';

const now = '2026-11-24T12:00:00Z';
const later = (seconds: number) => new Date(Date.parse(now) + seconds * 1000).toISOString();
const expires = 1_795_525_200;
const secret = Buffer.from('943b421c9eb07c830af81030552c86009268de4e532ba2ee2eab8247c6da0881', 'hex');
const signer = (options: object, at = now) => inUse('signed-url', options, { secrets: [secret], now: at });
const tagOf = (...parts: readonly (string | Uint8Array)[]) => {
  const stream = createHmac('sha256', secret);
  for (const part of parts) stream.update(part);
  return stream.digest();
};
const limitedBy = (option: string) =>
  expect.stringMatching(`^operation_not_allowed: .* limits it by "${option}"$`);

describe('imgproxy', () => {
  const salt = '520f986b998545b4785e0defbc4f3c1203f22de2374a3d53cb7a7fe9fea309c5';
  const sources = ['https://images.example.com/public/', 's3://bucket/'];
  const images = (more: object = {}, at = now) =>
    signer({ scheme: 'imgproxy', hosts: ['img.example.com'], imgproxy: { salt, sources, ...more } }, at);
  const origin = 'https://img.example.com';
  const plain = '/rs:fill:300:400/g:sm/plain/https://images.example.com/public/a.jpg@webp';
  const encoded = (source: string) => Buffer.from(source).toString('base64url');
  const signedBy = (path: string) =>
    `${origin}/${tagOf(Buffer.from(salt, 'hex'), path).toString('base64url')}${path}`;

  it('writes the expiry and the signature into the path', () => {
    const path = `/exp:${expires}${plain}`;
    expect(images().sign({ url: `${origin}${plain}` })).toMatchObject({
      url: signedBy(path),
      expiresAt: later(3600),
    });
    expect(images().verify({ url: signedBy(path) })).toMatchObject({ valid: true, expiresAt: later(3600) });
  });

  it.each([
    ['plain', plain],
    ['without options', '/plain/s3://bucket/a/b.png'],
    ['percent-encoded', '/plain/https%3A%2F%2Fimages.example.com%2Fpublic%2Fa%20b%3Fv=1%402x.jpg@webp'],
    ['base64url', `/w:100/${encoded('https://images.example.com/public/a.jpg?v=1')}`],
    ['base64url with a format', `/w:100/${encoded('s3://bucket/a.jpg')}.avif`],
  ])('signs and verifies a source that is %s', (_, path) => {
    const { url } = images().sign({ url: origin + path });
    expect(url).toBe(signedBy(`/exp:${expires}${path}`));
    expect(images().verify({ url })).toMatchObject({ valid: true });
    expect(images({}, later(3600)).verify({ url })).toEqual({ valid: false, reason: 'expired' });
  });

  it.each([
    ['another host', '/plain/https://evil.example/public/a.jpg'],
    ['a host that only begins alike', '/plain/https://images.example.com.evil.example/public/a.jpg'],
    ['a user name before the host', '/plain/https://images.example.com%40evil.example/a.jpg'],
    ['another path', '/plain/https://images.example.com/private/a.jpg'],
    ['the metadata service', '/plain/http://169.254.169.254/latest/meta-data/'],
    ['a local file', '/plain/local:///etc/passwd'],
    ['another bucket', '/plain/s3://buckets/a.jpg'],
    ['a path without a host', '/plain/a.jpg'],
    ['dot segments', '/plain/https://images.example.com/public/../private/a.jpg'],
    ['encoded dot segments', '/plain/https://images.example.com/public/%2e%2e/private/a.jpg'],
    [
      'dot segments that are encoded twice',
      '/plain/https://images.example.com/public/%252e%252e/private/a.jpg',
    ],
    ['dot segments in base64', `/${encoded('https://images.example.com/public/../private/a.jpg')}`],
    ['another source in base64', `/${encoded('https://evil.example/a.jpg')}.png`],
    ['a source with another protocol', `/${encoded('HTTPS://images.example.com/public/a.jpg')}`],
  ])('refuses %s as the source', (_, path) => {
    expect(refusalOf(() => images().sign({ url: origin + path }))).toEqual(limitedBy('imgproxy.sources'));
    expect(images().verify({ url: signedBy(`/exp:${expires}${path}`) })).toMatchObject({
      reason: 'not_allowed',
    });
  });

  it.each([
    'watermark_url:aHR0cHM6Ly9ldmls',
    'wmu:aHR0cHM6Ly9ldmls',
    'fallback_image_url:aHR0cHM6Ly9ldmls',
    'fiu:aHR0cHM6Ly9ldmls',
    'watermark:1',
    'style:aa',
    'preset:huge',
    'pr:huge',
    'raw:1',
    'skip_processing:svg',
    'skp:svg',
    'filename:evil.html',
    'fn:evil.html',
    'return_attachment:1',
    'max_src_resolution:100',
    'msr:100',
    'max_src_file_size:1',
    'max_animation_frames:1000',
    'max_result_dimension:100000',
    'strip_metadata:0',
    'unknown:1',
  ])('refuses the option %s unless it is listed', (option) => {
    const url = `${origin}/${option}/plain/s3://bucket/a.jpg`;
    expect(refusalOf(() => images().sign({ url }))).toEqual(limitedBy('imgproxy.options'));
    const listing = images({ options: [option.replace(/:.*/, '')] });
    const signed = listing.sign({ url }).url;
    expect(listing.verify({ url: signed })).toMatchObject({ valid: true });
    expect(images().verify({ url: signed })).toMatchObject({ valid: false, reason: 'not_allowed' });
    expect(refusalOf(() => listing.sign({ url: `${origin}/w:1/plain/s3://bucket/a` }))).toEqual(
      limitedBy('imgproxy.options'),
    );
  });

  it.each([
    '/exp:1/plain/s3://bucket/a',
    '/w:1/expires:9999999999/plain/s3://bucket/a',
    '/enc/AAAA',
    '/w:1',
    '/',
    '/plain/',
    '/plain',
    '/w:1/plain/s3://bucket/a@b@c',
    '/w:1/plain/s3://bucket/a@../x',
    '/w:1/plain/s3://bucket/%ff',
    '/w:1/plain/s3://bucket/%0a',
    '/w:1/plain/s3://bucket/a%5Cb',
    '/w:1/plain/s3://bucket/caf%C3%A9',
    '/w:1/s3://bucket/a',
    `/w:1/${encoded('s3://bucket/a')}/${encoded('s3://bucket/b')}`,
    `/w:1/${encoded('s3://bucket/a')}.png.jpg`,
    `/w:1/${encoded('s3://bucket/a')}=`,
    '/w:1//plain/s3://bucket/a',
    '/W:1/plain/s3://bucket/a',
    '/w:1%2F2/plain/s3://bucket/a',
    '/w%3A1/plain/s3://bucket/a',
    '/plain/s3://bucket/a?v=1',
    '/fill/300/400/sm/0/aHR0cHM6Ly9leGFtcGxl.png',
  ])('refuses what imgproxy would read in another way: %s', (path) => {
    expect(refusalOf(() => images().sign({ url: origin + path }))).toMatch(
      /^malformed_request: field "url": must /,
    );
  });

  it('finds the signature that is missing, malformed, or of another path', () => {
    const { url } = images().sign({ url: origin + plain });
    const reasonOf = (received: string) => images().verify({ url: received });
    expect(reasonOf(origin + plain)).toMatchObject({ reason: 'missing' });
    expect(reasonOf(`${origin}/unsafe${plain}`)).toMatchObject({ reason: 'malformed' });
    expect(reasonOf(`${url}?x=1`)).toMatchObject({ reason: 'malformed' });
    expect(reasonOf(url.replace(/exp:\d+/, `exp:${expires + 1}`))).toEqual({
      valid: false,
      reason: 'mismatch',
    });
    expect(reasonOf(url.replace('300', '301'))).toEqual({ valid: false, reason: 'mismatch' });
    expect(reasonOf(url.replace('/rs:', '/exp:1/rs:'))).toMatchObject({ reason: 'malformed' });
    expect(reasonOf(signedBy(plain))).toMatchObject({
      reason: 'not_allowed',
      detail: 'the URL does not expire',
    });
    expect(reasonOf(signedBy(`/exp:0${plain}`))).toMatchObject({ reason: 'malformed' });
  });

  it('is served below a path, which is not signed', () => {
    const below = images({ pathPrefix: '/images' });
    const { url } = below.sign({ url: `${origin}/images${plain}` });
    expect(url).toBe(signedBy(`/exp:${expires}${plain}`).replace(origin, `${origin}/images`));
    expect(below.verify({ url })).toMatchObject({ valid: true });
    expect(refusalOf(() => below.sign({ url: origin + plain }))).toMatch(/^malformed_request.*pathPrefix/);
  });

  it('covers no method and no host', () => {
    expect(refusalOf(() => images().sign({ url: origin + plain, method: 'GET' }))).toMatch(
      /^malformed_request: field "method": must not be given/,
    );
    expect(refusalOf(() => images().sign({ url: `https://other.example${plain}` }))).toEqual(
      limitedBy('hosts'),
    );
  });
});

describe('laravel', () => {
  const laravel = (more: object = {}, at = now) => signer({ scheme: 'laravel', ...more }, at);
  const signedBy = (text: string) => `${text}&signature=${tagOf(text).toString('hex')}`;

  it('signs the URL with its sorted query and the expiry', () => {
    const { url } = laravel().sign({ url: 'https://app.example/unsubscribe/7?user=1&a=2' });
    expect(url).toBe(signedBy(`https://app.example/unsubscribe/7?a=2&expires=${expires}&user=1`));
    expect(laravel().verify({ url })).toMatchObject({ valid: true, expiresAt: later(3600) });
    expect(laravel({}, later(3600)).verify({ url })).toMatchObject({ reason: 'expired' });
  });

  it('signs the root without its slash, as Laravel does', () => {
    const { url } = laravel().sign({ url: 'https://app.example' });
    expect(url).toBe(signedBy(`https://app.example?expires=${expires}`));
    expect(laravel().verify({ url: url.replace('?', '/?') })).toMatchObject({ valid: true });
  });

  it('verifies the parameters in the order of the URL', () => {
    const url = signedBy(`https://app.example/a?expires=${expires}&b=1&a=2`);
    expect(laravel().verify({ url })).toMatchObject({ valid: true });
    expect(laravel().verify({ url: url.replace('b=1&a=2', 'a=2&b=1') })).toMatchObject({
      reason: 'mismatch',
    });
    const [base = '', signature = ''] = url.split('&signature=');
    expect(laravel().verify({ url: base.replace('?', `?signature=${signature}&`) })).toMatchObject({
      valid: true,
    });
  });

  it('covers the protocol, unless it signs relative URLs', () => {
    const { url } = laravel().sign({ url: 'https://app.example/a' });
    expect(laravel().verify({ url: url.replace('https', 'http') })).toMatchObject({ reason: 'mismatch' });
    const relative = laravel({ laravel: { absolute: false } });
    const path = relative.sign({ url: '/unsubscribe/7?user=1' }).url;
    expect(path).toBe(signedBy(`/unsubscribe/7?expires=${expires}&user=1`));
    expect(relative.verify({ url: path })).toMatchObject({ valid: true });
    for (const other of ['https://app.example/a', '//evil.example/a', '/', '', 'a']) {
      expect(refusalOf(() => relative.sign({ url: other }))).toMatch(/^malformed_request: field "url"/);
    }
  });

  it.each([
    ['a slash that Laravel removes', 'https://app.example/a/'],
    ['question marks that Laravel removes', 'https://app.example/a?b=c?'],
    ['an expiry', 'https://app.example/a?expires=1'],
    ['an expiry that is a list, which PHP compares as larger', 'https://app.example/a?expires[]=1'],
    ['an expiry that PHP reads', 'https://app.example/a?%20expires=1'],
    ['a signature', 'https://app.example/a?signature=1'],
    ['a signature in another case', 'https://app.example/a?Signature=1'],
    ['more parameters than PHP reads', `https://app.example/a?${'a&'.repeat(1000)}b`],
  ])('refuses %s', (_, url) => {
    expect(refusalOf(() => laravel().sign({ url }))).toMatch(/^malformed_request: field "url"/);
  });

  it.each([
    ['no signature', 'https://app.example/a?b=1', 'missing'],
    ['two signatures', `${signedBy(`https://app.example/a?expires=${expires}`)}&signature=00`, 'malformed'],
    ['two expiries', signedBy(`https://app.example/a?expires=${expires}&expires=9999999999`), 'malformed'],
    [
      'an expiry that is a list',
      signedBy(`https://app.example/a?expires=${expires}&expires[]=1`),
      'malformed',
    ],
    ['an expiry that is no time', signedBy('https://app.example/a?expires=soon'), 'malformed'],
    ['no expiry', signedBy('https://app.example/a?b=1'), 'not_allowed'],
    ['a question mark at its end', `${signedBy(`https://app.example/a?expires=${expires}`)}?`, 'malformed'],
    [
      'hex in upper case',
      signedBy(`https://app.example/a?expires=${expires}`)
        .toUpperCase()
        .replace(/^[^&]*/, (text) => text.toLowerCase()),
      'malformed',
    ],
  ])('does not accept a URL with %s', (_, url, reason) => {
    expect(laravel().verify({ url })).toMatchObject({ valid: false, reason });
  });
});

describe('akamai', () => {
  const akamai = (settings: object = {}, more: object = {}, at = now) =>
    signer({ scheme: 'akamai', akamai: settings, ...more }, at);
  const url = 'https://cdn.example.com/videos/a.mp4';
  const tokenOf = (fields: string, covered = '') =>
    `${fields}~hmac=${tagOf(fields + covered).toString('hex')}`;

  it('writes a token for the path', () => {
    const signed = akamai().sign({ url }).url;
    expect(signed).toBe(`${url}?__token__=${tokenOf(`exp=${expires}`, '~url=/videos/a.mp4')}`);
    expect(akamai().verify({ url: signed })).toMatchObject({ valid: true, expiresAt: later(3600) });
    expect(akamai({}, {}, later(3600)).verify({ url: signed })).toMatchObject({ reason: 'expired' });
    expect(akamai().verify({ url: signed.replace('a.mp4', 'b.mp4') })).toMatchObject({ reason: 'mismatch' });
    expect(akamai({ salt: 'x' }).verify({ url: signed })).toMatchObject({ reason: 'mismatch' });
  });

  it('writes the token with a salt, a name of its own and an escaped path', () => {
    const signed = akamai({ salt: 'a salt', tokenName: 'hdnts', escapeEarly: true }).sign({
      url: 'https://cdn.example.com/a%20b/c',
    }).url;
    const token = tokenOf(`exp=${expires}`, '~url=%2fa%2520b%2fc~salt=a salt');
    expect(signed).toBe(`https://cdn.example.com/a%20b/c?hdnts=${token}`);
  });

  it('writes a token for the list of the configuration, which the caller cannot choose', () => {
    const acl = ['/videos/*', '/poster.jpg'];
    const listed = akamai({ acl });
    const signed = listed.sign({ url }).url;
    expect(signed).toBe(`${url}?__token__=${tokenOf(`exp=${expires}~acl=/videos/*!/poster.jpg`)}`);
    expect(listed.verify({ url: signed })).toMatchObject({ valid: true });
    expect(listed.verify({ url: signed.replace('/videos/a.mp4', '/poster.jpg') })).toMatchObject({
      valid: true,
    });
    expect(listed.verify({ url: signed.replace('/videos/a.mp4', '/private') })).toMatchObject({
      reason: 'not_allowed',
    });
    expect(refusalOf(() => listed.sign({ url: 'https://cdn.example.com/private' }))).toEqual(
      limitedBy('akamai.acl'),
    );
    const all = `${url}?__token__=${tokenOf(`exp=${expires}~acl=/*`)}`;
    expect(listed.verify({ url: all })).toMatchObject({ valid: false, reason: 'not_allowed' });
    expect(akamai().verify({ url: all })).toMatchObject({ valid: false, reason: 'malformed' });
  });

  it.each([
    'https://cdn.example.com/a?b=1',
    'https://cdn.example.com/a?__token__=1',
    'https://cdn.example.com/a~url=/b',
    'https://cdn.example.com/a!b',
    'https://cdn.example.com/a(b)',
    'https://cdn.example.com/a/../b',
  ])('refuses %s', (target) => {
    expect(refusalOf(() => akamai().sign({ url: target }))).toMatch(/^malformed_request: field "url"/);
  });

  it.each([
    ['no token', url, 'missing'],
    [
      'another parameter',
      `${url}?a=1&__token__=${tokenOf(`exp=${expires}`, '~url=/videos/a.mp4')}`,
      'malformed',
    ],
    [
      'two tokens',
      `${url}?__token__=1&__token__=${tokenOf(`exp=${expires}`, '~url=/videos/a.mp4')}`,
      'malformed',
    ],
    [
      'a token in another case',
      `${url}?__TOKEN__=${tokenOf(`exp=${expires}`, '~url=/videos/a.mp4')}`,
      'malformed',
    ],
    [
      'an address',
      `${url}?__token__=${tokenOf(`ip=1.2.3.4~exp=${expires}`, '~url=/videos/a.mp4')}`,
      'unsupported',
    ],
    ['a session', `${url}?__token__=${tokenOf(`exp=${expires}~id=1`, '~url=/videos/a.mp4')}`, 'unsupported'],
    [
      'a field twice',
      `${url}?__token__=${tokenOf(`exp=1~exp=${expires}`, '~url=/videos/a.mp4')}`,
      'malformed',
    ],
    ['a path as a field', `${url}?__token__=${tokenOf(`exp=${expires}~url=/videos/a.mp4`)}`, 'malformed'],
    ['no expiry', `${url}?__token__=hmac=00`, 'malformed'],
    [
      'a start in the future',
      `${url}?__token__=${tokenOf(`st=${expires - 1}~exp=${expires}`, '~url=/videos/a.mp4')}`,
      'not_yet_valid',
    ],
  ])('does not accept a URL with %s', (_, received, reason) => {
    expect(akamai().verify({ url: received })).toMatchObject({ valid: false, reason });
  });

  it('accepts a start in the past', () => {
    const token = tokenOf(`st=${expires - 3600}~exp=${expires}`, '~url=/videos/a.mp4');
    expect(akamai().verify({ url: `${url}?__token__=${token}` })).toMatchObject({ valid: true });
  });
});
