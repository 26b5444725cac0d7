/** Who may speak to the signer, a table for each rule of the guard. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/api/errors.ts';
import { SignerError } from '../../src/api/errors.ts';
import { createGuard } from '../../src/http/guard.ts';
import { pathOf } from '../../src/http/paths.ts';

const host = '127.0.0.1:8700';
const hosts = new Set([host, 'localhost:8700', '[::1]:8700', 'signer.local']);
const guardOfTcp = createGuard(hosts);
const guardOfSocket = createGuard();

interface Call {
  readonly method?: string;
  readonly host?: string | null;
  readonly path?: string;
  /** As the runtime gives it, where that is no URL that `Request` would make. */
  readonly url?: string;
  /** Besides those that the guard requires; undefined leaves one of them out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

function request({ method = 'POST', path = '/v1/keys/k/sign', ...call }: Call): Request {
  const name = call.host === undefined ? host : call.host;
  const headers = new Headers();
  const required = { host: name ?? undefined, 'sec-signer': '1', 'content-type': 'application/json' };
  for (const [header, value] of Object.entries({ ...required, ...call.headers })) {
    if (value !== undefined) headers.set(header, value);
  }
  const made = new Request(`http://${host}/`, { method, headers });
  return Object.defineProperty(made, 'url', { value: call.url ?? `http://${name ?? host}${path}` });
}

function admit(call: Call, guard = guardOfTcp): void {
  const given = request(call);
  guard(given, pathOf(given));
}

/** The code of the refusal; undefined when the request is let through. */
function refusal(call: Call, guard = guardOfTcp): ErrorCode | undefined {
  try {
    admit(call, guard);
    return undefined;
  } catch (error) {
    if (error instanceof SignerError) return error.code;
    throw error;
  }
}

function allow(what: string, call: Call): void {
  it(`allows ${what}`, () => {
    expect(refusal(call)).toBeUndefined();
  });
}

function deny(code: ErrorCode, what: string, call: Call): void {
  it(`denies ${what}: ${code}`, () => {
    expect(refusal(call)).toBe(code);
  });
}

describe('the Host', () => {
  for (const name of hosts) allow(name, { host: name });

  deny('malformed_request', 'a missing one', { host: null });
  deny('malformed_request', 'an empty one', { host: '' });
  deny('malformed_request', 'one with a space', { host: 'a b' });
  deny('malformed_request', 'one with user information', { host: '127.0.0.1@evil.test' });
  deny('malformed_request', 'two, which the runtime joins', { host: `${host}, ${host}` });
  deny('malformed_request', 'one with a path', { host: `${host}/v1` });
  deny('malformed_request', 'one with a port that is no number', { host: 'localhost:8700.evil.test' });
  deny('malformed_request', 'one that is not ASCII', { host: 'löcalhost:8700' });
  for (const name of [
    'evil.test',
    'evil.test:8700',
    '127.0.0.1',
    'localhost',
    '[::1]',
    '127.0.0.1:',
    '127.0.0.1:80',
    '127.0.0.1:87000',
    '127.0.0.1:08700',
    'localhost.:8700',
    'LOCALHOST:8700',
    '127.1:8700',
    '2130706433:8700',
    '0x7f000001:8700',
    '0.0.0.0:8700',
    '[::ffff:127.0.0.1]:8700',
    'signer.local:8700',
    'Signer.local',
  ]) {
    deny('forbidden_caller', name, { host: name });
  }

  it('denies whatever differs from a listed one by a character', () => {
    const character = fc.string({ unit: 'grapheme-ascii', minLength: 0, maxLength: 1 });
    fc.assert(
      fc.property(
        fc.constantFrom(...hosts),
        fc.nat(),
        fc.nat({ max: 1 }),
        character,
        (name, at, cut, put) => {
          const index = at % (name.length + 1);
          const other = (name.slice(0, index) + put + name.slice(index + cut)).trim();
          fc.pre(!hosts.has(other));
          expect(['malformed_request', 'forbidden_caller']).toContain(refusal({ host: other }));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('the Host on a Unix socket', () => {
  const code = (name: string | null) => refusal({ host: name, url: '/v1/keys/k/sign' }, guardOfSocket);

  it.each([
    null,
    '',
    ...hosts,
    'localhost',
    'LOCALHOST:80',
    'signer',
    'unix',
    'unix:8700',
    'signer.example.',
    'a_b',
    "a!$&'()*+;=~",
    '%2Frun%2Fsigner.sock',
    '127.0.0.1:',
    '[::ffff:10.0.0.1]:80',
  ])('allows %j', (name) => {
    expect(code(name)).toBeUndefined();
  });

  it.each([
    'a b',
    'a,b',
    'signer, signer',
    ', signer',
    'signer,',
    'a/b',
    '/run/signer.sock',
    'a?b',
    'a#b',
    'a\\b',
    'a@b',
    'a:b',
    'a:1:2',
    'a%2',
    'a%zz',
    '[::1',
    '::1',
    '[::1]a',
    'a[::1]',
    'l\u00f6calhost',
  ])('denies %j', (name) => {
    expect(code(name)).toBe('malformed_request');
  });
});

describe('the target', () => {
  allow('the path of a key', { path: '/v1/keys/orders-webhook/sign' });
  allow('a key name with a dot, an underscore and upper case', { path: '/v1/keys/my-group.Key_1/verify' });
  allow('the list of keys', { method: 'GET', path: '/v1/keys' });

  deny('not_found', 'what a router would find another path in', { url: '/AAA/v1/keys/k/sign' });
  deny('not_found', 'nothing but an authority', { url: `http://${host}` });
  allow('a path without an authority, as where the URL of the Host cannot be parsed', {
    url: '/v1/keys/k/sign',
  });
  allow('a path after an authority without the default port', { url: 'http://localhost/v1/keys/k/sign' });
  deny('malformed_request', 'a query', { path: '/v1/keys/k/sign?x=1' });
  deny('malformed_request', 'a query that names an open path', { path: '/v1/keys/k/sign?x=/livez' });
  deny('malformed_request', 'an empty query', { path: '/v1/keys/k/sign?' });
  deny('malformed_request', 'a fragment', { path: '/v1/keys/k/sign#x' });
  deny('malformed_request', 'an escaped NUL', { path: '/v1/keys/k%00/sign' });
  deny('malformed_request', 'an escape that is none', { path: '/v1/keys/k%zz/sign' });
  deny('malformed_request', 'an escape that is cut off', { path: '/v1/keys/k%2' });
  deny('malformed_request', 'an escaped byte that is not ASCII', { path: '/v1/keys/%D0%BA/sign' });
  deny('not_found', 'an escaped letter', { path: '/v1/%6Beys/k/sign' });
  deny('not_found', 'an escaped slash', { path: '/v1/keys/a%2Fb/sign' });
  deny('not_found', 'escaped dots', { path: '/v1/keys/%2e%2e/sign' });
  deny('not_found', 'a parameter', { path: '/v1/keys/k/sign;x=1' });
  deny('not_found', 'a space', { path: '/v1/keys/k sign' });
  deny('not_found', 'upper case', { path: '/V1/keys/k/sign' });
  deny('not_found', 'a doubled slash', { path: '//v1/keys/k/sign' });
  deny('not_found', 'another version', { path: '/v2/keys/k/sign' });
  deny('not_found', 'a prefix of the version', { path: '/v1' });
  deny('not_found', 'a path of the ops listener', { path: '/readyz', method: 'GET' });
  deny('not_found', 'the root', { path: '/' });
});

describe('the header Sec-Signer', () => {
  for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
    const path = '/v1/keys';
    deny('forbidden_caller', `${method} without it`, { method, path, headers: { 'sec-signer': undefined } });
    allow(`${method} with it`, { method, path });
  }
  for (const value of ['', '0', '2', 'true', 'signer', '11', '1, 1', '1;', '"1"', '01', '１']) {
    const text = JSON.stringify(value);
    // A header value is bytes; the full-width digit comes as Latin-1.
    const bytes = Buffer.from(value).toString('latin1');
    deny('forbidden_caller', `the value ${text}`, { headers: { 'sec-signer': bytes } });
  }
});

describe('a sign of a browser or a proxy', () => {
  const foreign: Readonly<Record<string, string>> = {
    origin: `http://${host}`,
    Origin: 'null',
    referer: `http://${host}/`,
    'sec-fetch-site': 'same-origin',
    forwarded: 'for=10.0.0.1',
    via: '1.1 proxy',
    'x-real-ip': '10.0.0.1',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-host': host,
    'x-forwarded-proto': 'http',
    'X-Forwarded-Anything': '',
  };
  for (const [name, value] of Object.entries(foreign)) {
    deny('forbidden_caller', `${name}: ${value}`, { headers: { [name]: value } });
    const get = { method: 'GET', path: '/v1/keys', headers: { [name]: value } };
    deny('forbidden_caller', `GET with ${name}: ${value}`, get);
  }

  allow('what an HTTP client sends of itself', {
    headers: {
      'sec-fetch-mode': 'cors',
      'user-agent': 'node',
      accept: '*/*',
      'accept-language': '*',
      'accept-encoding': 'gzip, deflate, br',
      connection: 'keep-alive',
      'content-length': '2',
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    },
  });
  allow('headers with the names of properties', { headers: { ['__proto__']: 'x', constructor: 'x' } });
});

describe('the content type', () => {
  allow('JSON', { headers: { 'content-type': 'application/json' } });
  deny('unsupported_media_type', 'text', { headers: { 'content-type': 'text/plain' } });
  deny('unsupported_media_type', 'none', { headers: { 'content-type': undefined } });
  allow('none where there is no body', {
    method: 'GET',
    path: '/v1/keys',
    headers: { 'content-type': undefined },
  });
});

describe('the body', () => {
  for (const encoding of ['gzip', 'br', 'deflate', 'zstd', 'identity', 'identity, identity', '']) {
    deny('unsupported_media_type', `Content-Encoding ${JSON.stringify(encoding)}`, {
      headers: { 'content-encoding': encoding },
    });
  }
  for (const length of ['0', '2', '999999999999999']) {
    allow(`Content-Length ${length}`, { headers: { 'content-length': length } });
  }
  for (const length of ['-1', '+2', '2, 2', '0x2', '2.0', '1e3', '', '9'.repeat(23)]) {
    deny('malformed_request', `Content-Length ${JSON.stringify(length)}`, {
      headers: { 'content-length': length },
    });
  }
});

describe('an upgrade', () => {
  for (const protocol of [
    'websocket',
    'WebSocket',
    'h2c, websocket',
    'h2c,\tWEBSOCKET',
    'websocket, h2c',
    ',websocket',
    'websocket/13',
    'h2c, websocket/13, TLS/1.0',
  ]) {
    deny('malformed_request', protocol, { headers: { upgrade: protocol } });
  }
  // These are ignored (RFC 9110 §7.8).
  for (const protocol of [
    'h2c',
    'H2C',
    'TLS/1.0',
    'HTTP/2.0, SHTTP/1.3',
    'websockets',
    'x-websocket',
    '',
    ',',
  ]) {
    allow(JSON.stringify(protocol), { headers: { upgrade: protocol } });
  }
  allow('as Java asks for HTTP/2', {
    headers: {
      connection: 'Upgrade, HTTP2-Settings',
      'http2-settings': 'AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
      upgrade: 'h2c',
    },
  });
});

describe('a refusal', () => {
  const marker = 'MARKER-8c1f';
  it.each<Call>([
    { host: `${marker}.test` },
    { host: `${marker} x` },
    { url: `/${marker}` },
    { path: `/v1/${marker}?x` },
    { path: `/${marker}` },
    { headers: { origin: marker } },
    { headers: { 'sec-signer': marker } },
    { headers: { 'content-type': marker } },
    { headers: { 'content-encoding': marker } },
    { headers: { 'content-length': marker } },
    { headers: { upgrade: `${marker}, websocket` } },
  ])('says what to do and repeats nothing of the request: %j', (call) => {
    expect(() => admit(call)).toThrow(
      expect.objectContaining({
        name: 'SignerError',
        message: expect.not.stringContaining(marker),
      }),
    );
    expect(() => admit(call)).toThrow(/^.{20,}[^.]$/);
  });
});
