/** AWS Signature Version 4: the published signatures, what the policy denies, and what a verifier must not fall for. */

import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { AwsRequest, AwsSignRequest } from '../../src/api/messages.ts';
import { hashRequest, parseParameters, signHeaders } from '../../src/formats/aws-sigv4/canonical-request.ts';
import {
  createSigningKeys,
  deriveSigningKey,
  type Scope,
  stringToSign,
} from '../../src/formats/aws-sigv4/signing-key.ts';
import { parseHttpRequest } from '../../src/formats/http-request.ts';
import { createMac, type Mac, tagOf } from '../../src/signing/mac.ts';
import { type Circumstances, inUse, refusalOf } from '../support/format.ts';
import { configurationProblems } from '../support/keys.ts';
import { readVectors } from '../support/vectors.ts';

const secret = randomBytes(30);
const now = '2026-11-24T12:00:00Z';
const later = (seconds: number) => new Date(Date.parse(now) + seconds * 1000).toISOString();
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

const policy = { accessKeyId: 'AKIDEXAMPLE', services: ['s3', 'sqs'], regions: ['eu-central-1'] };
const signer = (options: object = {}, circumstances: Circumstances = {}) =>
  inUse('aws-sigv4', { ...policy, ...options }, { secrets: [secret], now, ...circumstances });

type Headers = Readonly<Record<string, string | readonly string[]>>;
type Sent = AwsRequest & { readonly headers: Headers };

const put: AwsSignRequest & { readonly headers: Headers } = {
  method: 'PUT',
  url: 'https://bucket.s3.eu-central-1.amazonaws.com/a/b.txt?x=1',
  service: 's3',
  headers: { 'Content-Type': 'text/plain' },
  body: 'hello',
};
const get: AwsSignRequest = {
  method: 'GET',
  url: 'https://bucket.s3.eu-central-1.amazonaws.com/a.txt',
  service: 's3',
};

/** The request as it goes out with the headers that the signer answers. */
function sent(request: AwsSignRequest, options: object = {}, circumstances: Circumstances = {}): Sent {
  const answer = signer(options, circumstances).sign(request) as { headers: Headers };
  const { method, url, headers, body, bodySha256 } = request;
  return { method, url, headers: { ...(headers as Headers), ...answer.headers }, body, bodySha256 };
}

/** A request with this text in the place of the hash of its payload, as an AWS SDK signs it. */
function signedByHand(payloadHash: string): Sent {
  const scope = { date: '20261124', region: 'eu-central-1', service: 's3' };
  const time = '20261124T120000Z';
  const own = { 'X-Amz-Date': time, 'X-Amz-Content-Sha256': payloadHash };
  const request = { method: 'PUT', url: 'https://bucket.s3.eu-central-1.amazonaws.com/a.txt', headers: own };
  const message = parseHttpRequest(request);
  const headers = signHeaders(message, ['host', 'x-amz-content-sha256', 'x-amz-date']) ?? [];
  const hash = hashRequest(message, 's3', [], headers, payloadHash);
  const key = deriveSigningKey(
    createMac('HS256', Buffer.from(`AWS4${secret.toString('latin1')}`, 'latin1')),
    scope,
  );
  const tag = tagOf(key, stringToSign(time, scope, hash)).toString('hex');
  const Authorization = `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-central-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=${tag}`;
  return { ...request, headers: { ...own, Authorization } };
}

function presigned(request: AwsSignRequest, options: object = {}, circumstances: Circumstances = {}): string {
  const asked = { presign: { expiresSeconds: 600 }, ...request };
  return (signer(options, circumstances).sign(asked) as { url: string }).url;
}

interface HeaderVector {
  readonly name: string;
  readonly request: AwsRequest;
  readonly signedHeaders: string;
  readonly signature: string;
}

describe.each(readVectors<HeaderVector>('aws-sigv4-headers'))('the test suite of AWS: $name', (vector) => {
  const published = inUse(
    'aws-sigv4',
    {
      accessKeyId: 'AKIDEXAMPLE',
      services: ['service'],
      regions: ['us-east-1'],
      omitContentSha256: true,
    },
    { secrets: [Buffer.from('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY')], now: '2015-08-30T12:36:00Z' },
  );
  const headers = {
    Authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=${vector.signedHeaders}, Signature=${vector.signature}`,
    'X-Amz-Date': '20150830T123600Z',
  };

  it('is signed as published', () => {
    expect(published.sign(vector.request)).toMatchObject({ headers });
  });

  it('is verified', () => {
    const request = { ...vector.request, headers: { ...vector.request.headers, ...headers } };
    expect(published.verify(request)).toMatchObject({ valid: true });
  });
});

it('hashes the canonical request get-vanilla as published', () => {
  const message = parseHttpRequest({
    method: 'GET',
    url: 'https://example.amazonaws.com/',
    headers: { 'x-amz-date': '20150830T123600Z' },
  });
  const headers = signHeaders(message, ['x-amz-date', 'host']) ?? [];
  expect(hashRequest(message, 'service', [], headers, sha256(''))).toBe(
    'bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63',
  );
});

interface PresignedVector {
  readonly name: string;
  readonly accessKeyId: string;
  readonly secret: string;
  readonly now: string;
  readonly service: string;
  readonly region: string;
  readonly request: AwsSignRequest;
  readonly requestHash: string;
  readonly url: string;
}

describe.each(readVectors<PresignedVector>('aws-sigv4-presigned'))('a presigned URL: $name', (vector) => {
  const { accessKeyId, service, region } = vector;
  const published = inUse(
    'aws-sigv4',
    { accessKeyId, services: [service], regions: [region], maxExpiresSeconds: 86_400 },
    { secrets: [Buffer.from(vector.secret)], now: vector.now },
  );

  it('is signed as published', () => {
    expect(published.sign(vector.request)).toMatchObject({ url: vector.url });
  });

  it('is verified', () => {
    expect(published.verify({ method: 'GET', url: vector.url })).toMatchObject({ valid: true });
  });

  it('has the published hash of the canonical request', () => {
    const message = parseHttpRequest({ method: 'GET', url: vector.url });
    const parameters = parseParameters(message).filter(([name]) => name !== 'X-Amz-Signature');
    const headers = signHeaders(message, ['host']) ?? [];
    expect(hashRequest(message, service, parameters, headers, 'UNSIGNED-PAYLOAD')).toBe(vector.requestHash);
  });
});

describe('the signing key', () => {
  const message = Buffer.from('message');

  it.each(readVectors<{ name: string; secret: string; scope: Scope; key: string }>('aws-sigv4-signing-keys'))(
    'is as published: $name',
    (vector) => {
      const derived = deriveSigningKey(createMac('HS256', Buffer.from(`AWS4${vector.secret}`)), vector.scope);
      const published = createMac('HS256', Buffer.from(vector.key, 'hex'));
      expect(tagOf(derived, message)).toEqual(tagOf(published, message));
    },
  );

  /** A secret that counts how often a key is derived from it. */
  const counted = () => {
    const mac = createMac('HS256', secret);
    const count = { derived: 0 };
    const counting: Mac = {
      ...mac,
      derive: (part) => {
        count.derived++;
        return mac.derive(part);
      },
    };
    return { counting, count };
  };
  const scope = { date: '20261124', region: 'eu-central-1', service: 's3' };

  it('is derived once a day for each region and service', () => {
    const { counting, count } = counted();
    const signingKeys = createSigningKeys();
    const first = signingKeys(counting, scope, '20261124');
    expect(signingKeys(counting, scope, '20261124')).toBe(first);
    signingKeys(counting, { ...scope, region: 'us-east-1' }, '20261124');
    signingKeys(counting, { ...scope, service: 'sqs' }, '20261124');
    expect(count.derived).toBe(3);
  });

  it('is let go when the date changes', () => {
    const { counting, count } = counted();
    const signingKeys = createSigningKeys();
    const first = signingKeys(counting, scope, '20261124');
    signingKeys(counting, { ...scope, date: '20261125' }, '20261125');
    expect(signingKeys(counting, scope, '20261124')).not.toBe(first);
    expect(count.derived).toBe(3);
  });

  it('is not kept for another day than today', () => {
    const { counting, count } = counted();
    const signingKeys = createSigningKeys();
    const yesterday = { ...scope, date: '20261123' };
    expect(signingKeys(counting, yesterday, '20261124')).not.toBe(
      signingKeys(counting, yesterday, '20261124'),
    );
    expect(count.derived).toBe(2);
  });

  it('is of the secret: two secrets have two keys', () => {
    const signingKeys = createSigningKeys();
    const [one, other] = [createMac('HS256', secret), createMac('HS256', randomBytes(30))].map((mac) =>
      tagOf(signingKeys(mac, scope, '20261124'), message),
    );
    expect(one).not.toEqual(other);
  });
});

describe('signing by headers', () => {
  it('answers every header that AWS needs', () => {
    expect(signer().sign(put)).toEqual({
      headers: {
        Authorization: expect.stringMatching(
          /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20261124\/eu-central-1\/s3\/aws4_request, SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, Signature=[0-9a-f]{64}$/,
        ),
        'X-Amz-Date': '20261124T120000Z',
        'X-Amz-Content-Sha256': sha256('hello'),
      },
      keyId: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
  });

  it('writes the hash of the payload for every service, unless the configuration leaves it out', () => {
    const request = { ...put, service: 'sqs' };
    expect(sent(request).headers['X-Amz-Content-Sha256']).toBe(sha256('hello'));
    expect(sent(request).headers['Authorization']).toContain(
      'SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date',
    );
    const omit = { omitContentSha256: true };
    expect(sent(request, omit).headers).not.toHaveProperty('X-Amz-Content-Sha256');
    expect(signer().verify(sent(request, omit))).toMatchObject({ valid: true });
    const asked = { ...request, headers: { 'x-amz-content-sha256': sha256('hello') } };
    expect(sent(asked, omit).headers['Authorization']).toContain(
      'SignedHeaders=host;x-amz-content-sha256;x-amz-date',
    );
    expect(sent(put, omit).headers['X-Amz-Content-Sha256']).toBe(sha256('hello'));
    const open = { ...request, body: undefined, unsignedPayload: true };
    expect(sent(open, { ...omit, allowUnsignedPayload: true }).headers).toMatchObject({
      'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD',
    });
  });

  it('writes the scope as the configuration has it', () => {
    for (const region of ['RegionOne', 'us_east.1~x']) {
      const options = { regions: [region], services: ['s3', 'Object-Store'] };
      const request = { ...put, service: 'Object-Store' };
      expect(sent(request, options).headers['Authorization']).toContain(
        `/20261124/${region}/Object-Store/aws4_request,`,
      );
      expect(signer(options).verify(sent(request, options))).toMatchObject({ valid: true });
      const url = presigned({ ...get, region }, options);
      expect(signer(options).verify({ method: 'GET', url })).toMatchObject({ valid: true });
      expect(signer({ regions: [region.toLowerCase()] }).verify(sent(put, options))).toMatchObject(
        region === region.toLowerCase() ? { valid: true } : { reason: 'not_allowed' },
      );
    }
  });

  it('takes the hash of a body that it is not shown', () => {
    const { body: _, ...hidden } = put;
    expect(sent({ ...hidden, bodySha256: sha256('hello') }).headers).toEqual(sent(put).headers);
  });

  it('takes a body as bytes', () => {
    const request = { ...put, body: 'aGVsbG8=', encoding: 'base64' } as const;
    expect(sent(request).headers).toEqual(sent(put).headers);
  });

  it('signs no payload where the policy allows it', () => {
    const { body: _, ...open } = put;
    const { headers } = sent({ ...open, unsignedPayload: true }, { allowUnsignedPayload: true });
    expect(headers['X-Amz-Content-Sha256']).toBe('UNSIGNED-PAYLOAD');
  });

  it('does not sign what changes on the way', () => {
    const headers = {
      'User-Agent': 'a',
      Connection: 'close',
      'Proxy-Authorization': 'b',
      Date: 'c',
      Range: 'bytes=0-1',
    };
    expect(sent({ ...put, headers }).headers['Authorization']).toContain(
      'SignedHeaders=host;range;x-amz-content-sha256;x-amz-date',
    );
  });

  it('admits the length of the body, and of one that it is not shown none', () => {
    const { body: _, ...open } = put;
    const small = signer({ allowUnsignedPayload: true }, { maxMessageBytes: 4 });
    for (const payload of [{ body: 'hello' }, { bodySha256: sha256('') }, { unsignedPayload: true }]) {
      expect(refusalOf(() => small.sign({ ...open, ...payload }))).toMatch(/^message_too_large/);
    }
    expect(refusalOf(() => small.sign({ ...open, body: 'abcd' }))).toBe('not refused');
    expect(refusalOf(() => small.verify(sent(put)))).toMatch(/^message_too_large/);
  });

  const wrong: Readonly<Record<string, Record<string, object>>> = {
    'unknown field': {
      'a string to sign': { stringToSign: 'x' },
      'a canonical request': { canonicalRequest: 'x' },
      'a date': { date: '20261124' },
      'an access key id': { accessKeyId: 'AKIDOTHER' },
    },
    'field "bodySha256": must be a SHA-256': {
      'a hash that is none': { body: undefined, bodySha256: 'UNSIGNED-PAYLOAD' },
      'a hash in upper case': { body: undefined, bodySha256: sha256('').toUpperCase() },
    },
    'give only one of': {
      'a body and its hash': { bodySha256: sha256('hello') },
      'a body that is not signed': { unsignedPayload: true },
    },
    'must not have authorization or x-amz-date': {
      'a signature that is there already': { headers: { authorization: 'x' } },
      'a date header of its own': { headers: { 'X-Amz-Date': '20150830T123600Z' } },
    },
    'must not have another x-amz-content-sha256': {
      'another hash in a header': { headers: { 'X-Amz-Content-Sha256': sha256('x') } },
      'an unsigned payload in a header': { headers: { 'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD' } },
    },
    'must not have a host that differs': {
      'another host in a header': { headers: { Host: 'evil.example' } },
      'two hosts': { headers: { Host: ['bucket.s3.eu-central-1.amazonaws.com', 'a'] } },
    },
    'must not have the X-Amz- parameters': {
      'a presigned URL': { url: presigned(get) },
      'one of its parameters': { url: 'https://a.example/?x-amz-%65xpires=1' },
    },
    'must have no "+"': { 'a plus sign in the query': { url: 'https://a.example/?a=b+c' } },
    'one line of ASCII': {
      'a header with a line of its own': { headers: { a: 'b\nhost:evil.example' } },
      'a header that is not in ASCII': { headers: { a: 'caf\u00e9' } },
    },
    'field "service"': {
      'no service where there are several': { service: undefined },
      'a service that is a number': { service: 1 },
    },
    'field "presign.expiresSeconds"': {
      'no time to expire': { body: undefined, presign: {} },
      'a time to expire of nothing': { body: undefined, presign: { expiresSeconds: 0 } },
      'a time to expire over a week': { body: undefined, presign: { expiresSeconds: 604_801 } },
    },
    'dot segments': { 'dot segments': { url: 'https://a.example/a/../b' } },
  };
  const cases = Object.entries(wrong).flatMap(([message, changes]) =>
    Object.entries(changes).map(([what, change]) => ({ what, message, change })),
  );
  it.each(cases)('refuses $what: $message', ({ change, message }) => {
    const refusal = refusalOf(() => signer().sign({ ...put, ...change }));
    expect(refusal).toMatch(/^malformed_request: /);
    expect(refusal).toContain(message);
  });
});

describe('the policy', () => {
  const limits = {
    hosts: ['bucket.s3.eu-central-1.amazonaws.com', '*.internal.example', 'localhost:4566'],
    methods: ['GET', 'PUT'],
    pathPrefixes: ['/public/', '/caf%C3%A9/'],
    maxExpiresSeconds: 900,
  };
  const host = 'https://bucket.s3.eu-central-1.amazonaws.com';
  const request = (change: object) => ({ method: 'GET', url: `${host}/public/a`, service: 's3', ...change });

  it.each<[string, object]>([
    ['what it lists', {}],
    ['another region that it lists', { region: 'eu-central-1' }],
    ['another service that it lists', { service: 'sqs' }],
    ['another method that it lists', { method: 'PUT', body: 'x' }],
    ['a host in a domain', { url: 'https://a.b.internal.example/public/a' }],
    ['a host with a port', { url: 'http://localhost:4566/public/a' }],
    ['the default port', { url: `${host}:443/public/a` }],
    ['a host in upper case', { url: `${host.toUpperCase()}/public/a` }],
    ['a prefix that is percent-encoded without need', { url: `${host}/%70ublic/a` }],
    ['a prefix that is percent-encoded', { url: `${host}/caf%c3%a9/a` }],
    ['an empty segment where it goes', { service: 'sqs', url: `${host}//public//a` }],
    ['a URL for as long as it says', { presign: { expiresSeconds: 900 } }],
  ])('allows %s', (_, change) => {
    expect(refusalOf(() => signer(limits).sign(request(change)))).toBe('not refused');
  });

  it.each<[string, object, string]>([
    ['another region', { region: 'us-east-1' }, 'regions'],
    ['another service', { service: 'sts' }, 'services'],
    ['a service by another case', { service: 'S3' }, 'services'],
    ['a service that reaches further', { service: 's3/aws4_request' }, 'services'],
    ['another method', { method: 'DELETE' }, 'methods'],
    ['another host', { url: 'https://other.s3.eu-central-1.amazonaws.com/public/a' }, 'hosts'],
    ['a host that ends like one', { url: 'https://evilinternal.example/public/a' }, 'hosts'],
    ['a domain itself', { url: 'https://internal.example/public/a' }, 'hosts'],
    ['a host that goes on', { url: `${host}.evil.example/public/a` }, 'hosts'],
    ['a host with a dot', { url: `${host}./public/a` }, 'hosts'],
    ['another port', { url: `${host}:8443/public/a` }, 'hosts'],
    ['a path without the prefix', { url: `${host}/private/a` }, 'pathPrefixes'],
    ['the prefix without its slash', { url: `${host}/public` }, 'pathPrefixes'],
    ['a prefix in another case', { url: `${host}/Public/a` }, 'pathPrefixes'],
    ['an empty segment in S3, where it counts', { url: `${host}//public/a` }, 'pathPrefixes'],
    ['a slash that is percent-encoded', { url: `${host}/public%2Fa` }, 'pathPrefixes'],
    ['a URL for longer', { presign: { expiresSeconds: 901 } }, 'maxExpiresSeconds'],
    ['a payload that is not signed', { unsignedPayload: true }, 'allowUnsignedPayload'],
    [
      'a URL to send whatever to',
      { method: 'PUT', unsignedPayload: true, presign: { expiresSeconds: 1 } },
      'allowUnsignedPayload',
    ],
  ])('denies %s', (_, change, option) => {
    const refusal = refusalOf(() => signer(limits).sign(request(change)));
    expect(refusal).toBe(
      `operation_not_allowed: this key may not sign such a request; its configuration limits it by "${option}"`,
    );
  });

  const hidden = [
    '..;/private',
    '..;x=1/private',
    '..;',
    '%2e%2e;/private',
    '..%3b/private',
    '..%3B/private',
    '%252e%252e/private',
    '%25252e%25252e%25252fprivate',
    '%25%32%65%25%32%65/private',
    '..%252fprivate',
    '..%255cprivate',
    '..%00/private',
    '..%00',
    '..%09/private',
    '.%09./private',
    '%0d../private',
    '..%20/private',
    '..%7f/private',
    '..%3fx',
    '..%23x',
    '%c0%ae%c0%ae/private',
    '..%c0%afprivate',
    '%ef%bc%8e%ef%bc%8e/private',
    '%e2%80%a5/private',
    `${'%25'.repeat(1)}${'25'.repeat(7000)}2e`,
  ];
  it.each(hidden)('denies a path in which a server could find a dot segment: %j', (rest) => {
    for (const service of ['s3', 'sqs']) {
      const change = request({ service, url: `${host}/public/${rest}` });
      const limitedBy = (options: object) =>
        /limits it by "(\w+)"/.exec(refusalOf(() => signer(options).sign(change)))?.[1];
      expect(limitedBy(limits)).toBe('pathPrefixes');
      expect(limitedBy({ hosts: limits.hosts })).toBe('hosts');
      expect(refusalOf(() => signer().sign(change))).toBe('not refused');
      const { method, url } = change;
      const signed = sent({ method, url, service });
      expect(signer(limits).verify(signed)).toMatchObject({ valid: false, reason: 'not_allowed' });
    }
  });

  it.each([
    'a..;b',
    'a;..b',
    '..a/b',
    '...',
    'a%20..%20b',
    'a;v=1/b',
    '100%25/b',
    '%252e',
    'caf%c3%a9%20;x',
    '%ff%fe/b',
    '.%20a',
  ])('allows a path with similar characters and without dot segments: %j', (rest) => {
    const change = request({ url: `${host}/public/${rest}` });
    expect(refusalOf(() => signer(limits).sign(change))).toBe('not refused');
  });

  const copies: readonly string[] = [
    'x-amz-copy-source',
    'X-AMZ-COPY-SOURCE',
    'X-Amz-Copy-Source-Range',
    'x-amz-copy-source-if-match',
    'x-amz-copy-source-server-side-encryption-customer-key',
    'x_amz_copy_source',
    'x-amz-rename-source',
    'X-Amz-Rename-Source-If-Match',
    'x-goog-copy-source',
    'x-oss-copy-source',
    'x-obs-copy-source-range',
    'x-copy-from',
    'x-amz-meta-snowball-auto-extract',
    'X-Amz-Meta-Minio-Snowball-Prefix',
    'x-oss-symlink-target',
    'X-Symlink-Target',
    'x-symlink-target-account',
    'x_obs_symlink_target',
    'x-object-manifest',
    'x-image-save-object',
    'x-tos-save-bucket',
    'compose',
  ];
  const source = '/private-bucket/secret.txt';
  const denied =
    'operation_not_allowed: this key may not sign such a request; its configuration limits it by "allowCopy"';
  const asParameter = (name: string) => name.replace('-', '%2D');

  it.each(copies)(
    'denies a request with %s, in a header or in the query, unless it allows copies',
    (name) => {
      const inHeader = { headers: { [name]: source } };
      const inQuery = { url: `${host}/public/a?x=1&${asParameter(name)}=%2Fprivate-bucket%2Fsecret.txt` };
      for (const change of [inHeader, inQuery, { headers: { [name]: [source, source] } }]) {
        for (const options of [{}, limits]) {
          expect(refusalOf(() => signer(options).sign(request(change)))).toBe(denied);
          const presign = { ...change, presign: { expiresSeconds: 60 } };
          expect(refusalOf(() => signer(options).sign(request(presign)))).toBe(denied);
          expect(refusalOf(() => signer({ ...options, allowCopy: true }).sign(request(change)))).toBe(
            'not refused',
          );
        }
      }
    },
  );

  it.each(copies.filter((name) => !name.includes('_')))(
    'does not accept a request with %s either',
    (name) => {
      const allowing = { allowCopy: true };
      const refused = { valid: false, reason: 'not_allowed', detail: expect.stringContaining('"allowCopy"') };
      const inHeader = sent(request({ headers: { [name]: source } }), allowing);
      expect(signer().verify(inHeader)).toEqual(refused);
      expect(signer(allowing).verify(inHeader)).toMatchObject({ valid: true });
      const url = presigned(request({ url: `${host}/public/a?${asParameter(name)}=x` }), allowing);
      expect(signer().verify({ method: 'GET', url })).toEqual(refused);
      expect(signer(allowing).verify({ method: 'GET', url })).toMatchObject({ valid: true });
    },
  );

  it.each([
    'a=b;x-amz-copy-source=c',
    'a;x%2damz-copy-source=c',
    ';compose',
    'a=b;;compose=1',
    'a=b;c;x-symlink-target',
  ])('denies a request with a name that some servers find behind a semicolon: ?%s', (query) => {
    expect(refusalOf(() => signer().sign(request({ url: `${host}/public/a?${query}` })))).toBe(denied);
  });

  it.each([
    'a=b;c=d',
    'composed',
    'a=compose',
    'response-content-disposition=attachment%3B%20filename%3Dcompose',
  ])('allows a query that names no other object: ?%s', (query) => {
    expect(refusalOf(() => signer().sign(request({ url: `${host}/public/a?${query}` })))).toBe('not refused');
  });

  it('does not accept a copy that was added to a signed request', () => {
    const added = { 'x-goog-copy-source': source };
    const original = sent(request({}));
    expect(signer().verify({ ...original, headers: { ...original.headers, ...added } })).toMatchObject({
      reason: 'not_allowed',
    });
  });

  it.each(['x-amz-acl', 'x-amz-meta-copy-source', 'x-amz-source-expected-bucket-owner', 'copy-source'])(
    'allows %s, which names no other object',
    (name) => {
      expect(refusalOf(() => signer(limits).sign(request({ headers: { [name]: 'x' } })))).toBe('not refused');
    },
  );

  it('forbids presigned URLs with a longest time of 0', () => {
    expect(
      refusalOf(() => signer({ maxExpiresSeconds: 0 }).sign({ ...get, presign: { expiresSeconds: 1 } })),
    ).toContain('operation_not_allowed');
  });

  it('allows an hour and any host, method and path where it does not say', () => {
    expect(refusalOf(() => presigned({ ...get, presign: { expiresSeconds: 3600 } }))).toBe('not refused');
    expect(refusalOf(() => presigned({ ...get, presign: { expiresSeconds: 3601 } }))).toContain('maxExpires');
  });

  it('holds for verification too', () => {
    const made = sent({ ...put, url: `${host}/public/a` });
    expect(signer({ ...limits, methods: ['GET'] }).verify(made)).toMatchObject({
      valid: false,
      reason: 'not_allowed',
    });
    expect(signer({ ...limits, hosts: ['a'] }).verify(made)).toMatchObject({
      valid: false,
      reason: 'not_allowed',
    });
    expect(signer({ regions: ['a'] }).verify(made)).toMatchObject({ valid: false, reason: 'not_allowed' });
    expect(signer({ services: ['sqs'] }).verify(made)).toMatchObject({ valid: false, reason: 'not_allowed' });
    expect(signer(limits).verify(made)).toMatchObject({ valid: true });
    const url = presigned({ ...get, url: `${host}/public/a` });
    expect(signer({ maxExpiresSeconds: 599 }).verify({ method: 'GET', url })).toMatchObject({
      reason: 'not_allowed',
    });
  });
});

describe('a presigned URL', () => {
  it('keeps the parameters of the request in their order', () => {
    const url = presigned({ ...get, url: `${get.url}?b=2&a=1&b=1&versionId=%2B` });
    expect(url).toMatch(
      /^https:\/\/bucket\.s3\.eu-central-1\.amazonaws\.com\/a\.txt\?b=2&a=1&b=1&versionId=%2B&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261124%2Feu-central-1%2Fs3%2Faws4_request&X-Amz-Date=20261124T120000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature=[0-9a-f]{64}$/,
    );
    expect(signer().verify({ method: 'GET', url })).toMatchObject({ valid: true });
  });

  it('signs the headers that are to be sent along', () => {
    const url = presigned({ ...get, headers: { 'X-Amz-Server-Side-Encryption': 'AES256' } });
    expect(url).toContain('X-Amz-SignedHeaders=host%3Bx-amz-server-side-encryption&');
    const headers = { 'x-amz-server-side-encryption': 'AES256' };
    expect(signer().verify({ method: 'GET', url, headers })).toMatchObject({ valid: true });
    expect(signer().verify({ method: 'GET', url })).toEqual({ valid: false, reason: 'mismatch' });
  });

  it('takes the token of temporary credentials as a parameter', () => {
    const url = presigned({ ...get, url: `${get.url}?X-Amz-Security-Token=abc%2F` });
    expect(signer().verify({ method: 'GET', url })).toMatchObject({ valid: true });
    expect(signer().verify({ method: 'GET', url: url.replace('abc', 'abd') })).toMatchObject({
      reason: 'mismatch',
    });
  });

  it('covers the body for other services than S3', () => {
    const request = {
      method: 'POST',
      url: 'https://sqs.eu-central-1.amazonaws.com/',
      service: 'sqs',
      body: 'a=1',
    };
    const url = presigned(request);
    expect(signer().verify({ method: 'POST', url, body: 'a=1' })).toMatchObject({ valid: true });
    expect(signer().verify({ method: 'POST', url, body: 'a=2' })).toMatchObject({ reason: 'mismatch' });
  });

  it('covers no body for S3, which the caller has to say and the policy to allow', () => {
    const open = { ...put, body: undefined, presign: { expiresSeconds: 60 } };
    const allowing = signer({ allowUnsignedPayload: true });
    for (const payload of [{}, { body: 'hello' }, { bodySha256: sha256('hello') }]) {
      expect(refusalOf(() => allowing.sign({ ...open, ...payload }))).toContain(
        'field "unsignedPayload": must be true',
      );
    }
    expect(refusalOf(() => signer().sign(open))).toContain('must also have allowUnsignedPayload: true');
    const { url } = allowing.sign({ ...open, unsignedPayload: true }) as { url: string };
    const used = { method: 'PUT', url, headers: put.headers, body: 'whatever' };
    expect(allowing.verify(used)).toMatchObject({ valid: true });
    expect(signer().verify(used)).toMatchObject({ valid: false, reason: 'not_allowed' });
  });

  const url = presigned(get);
  const with2 = (name: string, value: string) => url.replace(new RegExp(`X-Amz-${name}=[^&]*`), value);
  it.each<[string, string, string]>([
    ['another path', url.replace('a.txt', 'b.txt'), 'mismatch'],
    ['another host', url.replace('bucket', 'other'), 'mismatch'],
    ['a parameter more', `${url}&a=1`, 'mismatch'],
    ['more time', with2('Expires', 'X-Amz-Expires=601'), 'mismatch'],
    ['another tag', with2('Signature', `X-Amz-Signature=${'0'.repeat(64)}`), 'mismatch'],
    ['another access key', url.replace('AKIDEXAMPLE', 'AKIDEXAMPLF'), 'mismatch'],
    ['another region', url.replace('%2Feu-central-1%2F', '%2Fus-east-1%2F'), 'not_allowed'],
    ['no signature', with2('Signature', 'a=1'), 'missing'],
    ['a name in lower case', with2('Signature', `x-amz-signature=${'0'.repeat(64)}`), 'missing'],
    ['no algorithm', with2('Algorithm', 'a=1'), 'malformed'],
    ['another algorithm', with2('Algorithm', 'X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256'), 'malformed'],
    ['a parameter twice', `${url}&X-Amz-Expires=600`, 'malformed'],
    ['a parameter twice in two cases', `${url}&x-amz-expires=600`, 'malformed'],
    ['a tag that is cut off', url.slice(0, -2), 'malformed'],
    ['a tag in upper case', with2('Signature', `X-Amz-Signature=${'A'.repeat(64)}`), 'malformed'],
    ['a time of more than a week', with2('Expires', 'X-Amz-Expires=604801'), 'malformed'],
    ['a time that is not written as a number', with2('Expires', 'X-Amz-Expires=6e2'), 'malformed'],
    ['a time of nothing', with2('Expires', 'X-Amz-Expires=0'), 'malformed'],
    ['another day in its scope', url.replace('%2F20261124', '%2F20261123'), 'malformed'],
    ['no day of the calendar', url.replaceAll('20261124', '20261131'), 'malformed'],
    ['no host among its headers', with2('SignedHeaders', 'X-Amz-SignedHeaders=range'), 'malformed'],
    ['its headers out of order', with2('SignedHeaders', 'X-Amz-SignedHeaders=range%3Bhost'), 'malformed'],
    ['a header twice', with2('SignedHeaders', 'X-Amz-SignedHeaders=host%3Bhost'), 'malformed'],
    ['a scope that goes on', url.replace('aws4_request', 'aws4_request%2Fx'), 'malformed'],
  ])('with %s: %s', (_, changed, reason) => {
    expect(signer().verify({ method: 'GET', url: changed })).toMatchObject({ valid: false, reason });
  });

  it('is for one method', () => {
    expect(signer().verify({ method: 'DELETE', url })).toEqual({ valid: false, reason: 'mismatch' });
  });

  it('is no use beside another signature', () => {
    const headers = { Authorization: 'AWS4-HMAC-SHA256 x' };
    expect(signer().verify({ method: 'GET', url, headers })).toEqual({ valid: false, reason: 'malformed' });
  });

  it.each([
    [0, { valid: true }],
    [600, { valid: true }],
    [601, { reason: 'expired' }],
    [-300, { valid: true }],
    [-301, { reason: 'not_yet_valid' }],
    [86_400, { reason: 'expired' }],
  ])('is judged after %i seconds: %j', (seconds, answer) => {
    expect(signer({}, { now: later(seconds) }).verify({ method: 'GET', url })).toMatchObject(answer);
  });

  it('may outlive its day', () => {
    const long = presigned({ ...get, presign: { expiresSeconds: 604_800 } }, { maxExpiresSeconds: 604_800 });
    const aged = signer({ maxExpiresSeconds: 604_800 }, { now: later(604_799) });
    expect(aged.verify({ method: 'GET', url: long })).toMatchObject({ valid: true });
  });
});

describe('verification by headers', () => {
  const original = sent(put);
  const change = (headers: Headers): Sent => ({ ...original, headers: { ...original.headers, ...headers } });
  const hashIs = (hash: string | readonly string[]) => ({ 'X-Amz-Content-Sha256': hash });
  const authorization = String(original.headers['Authorization']);
  const rewritten = (pattern: RegExp | string, text: string) =>
    change({ Authorization: authorization.replace(pattern, text) });

  it('accepts what was signed', () => {
    expect(signer().verify(original)).toMatchObject({ valid: true, primary: true });
  });

  it.each<[string, Sent, string]>([
    ['another method', { ...original, method: 'POST' }, 'mismatch'],
    ['another path', { ...original, url: original.url.replace('b.txt', 'c.txt') }, 'mismatch'],
    ['another query', { ...original, url: original.url.replace('x=1', 'x=2') }, 'mismatch'],
    ['another host', { ...original, url: original.url.replace('bucket', 'other') }, 'mismatch'],
    ['another body', { ...original, body: 'Hello' }, 'mismatch'],
    ['another hash of a body', { ...original, body: undefined, bodySha256: sha256('Hello') }, 'mismatch'],
    ['another body and its hash', { ...change(hashIs(sha256('x'))), body: 'x' }, 'mismatch'],
    ['two hashes of the body', change(hashIs([sha256('hello'), sha256('x')])), 'mismatch'],
    ['a payload that is not signed', change(hashIs('UNSIGNED-PAYLOAD')), 'mismatch'],
    ['another header', change({ 'Content-Type': 'text/html' }), 'mismatch'],
    ['a header gone', change({ 'Content-Type': [] }), 'mismatch'],
    ['a header with a line end', change({ 'Content-Type': 'text/plain\n' }), 'mismatch'],
    ['another access key', rewritten('AKIDEXAMPLE', 'AKIDEXAMPLF'), 'mismatch'],
    ['an access key with a slash', rewritten('AKIDEXAMPLE', 'AKID/EXAMPLE'), 'malformed'],
    ['another tag', rewritten(/[0-9a-f]{64}/, '0'.repeat(64)), 'mismatch'],
    ['another region', rewritten('/eu-central-1/', '/us-east-1/'), 'not_allowed'],
    ['a region with a line end', rewritten('/eu-central-1/', '/eu-\ncentral-1/'), 'malformed'],
    ['an X-Amz- header that is not signed', change({ 'X-Amz-Acl': 'public-read' }), 'not_allowed'],
    ['no signature', change({ Authorization: [] }), 'missing'],
    ['another scheme', change({ Authorization: 'Basic YTpi' }), 'malformed'],
    ['two signatures', change({ Authorization: [authorization, authorization] }), 'malformed'],
    ['no date', change({ 'X-Amz-Date': [] }), 'malformed'],
    ['two dates', change({ 'X-Amz-Date': ['20261124T120000Z', '20261124T120000Z'] }), 'malformed'],
    ['a date in another form', change({ 'X-Amz-Date': '2026-11-24T12:00:00Z' }), 'malformed'],
    ['another time', change({ 'X-Amz-Date': '20261124T120001Z' }), 'mismatch'],
    ['an hour too many', change({ 'X-Amz-Date': '20261124T240000Z' }), 'malformed'],
    ['another day than its scope', change({ 'X-Amz-Date': '20261125T120000Z' }), 'malformed'],
    ['a tag that is cut off', rewritten(/[0-9a-f]{2}$/, ''), 'malformed'],
    ['a tag in upper case', rewritten(/[0-9a-f]{64}/, 'A'.repeat(64)), 'malformed'],
    ['something behind it', rewritten(/$/, ', x=y'), 'malformed'],
    ['no host among its headers', rewritten('content-type;host;', 'content-type;'), 'malformed'],
    ['an empty list of headers', rewritten(/SignedHeaders=[^,]+/, 'SignedHeaders=;'), 'malformed'],
    ['its headers out of order', rewritten('content-type;host', 'host;content-type'), 'malformed'],
  ])('says of %s: %s', (_, changed, reason) => {
    expect(signer().verify(changed)).toMatchObject({ valid: false, reason });
  });

  it('says of a payload that is not signed, as it was signed: not_allowed, unless the policy allows it', () => {
    const open = sent({ ...put, body: undefined, unsignedPayload: true }, { allowUnsignedPayload: true });
    expect(signer().verify({ ...open, body: 'x' })).toMatchObject({ valid: false, reason: 'not_allowed' });
    expect(signer({ allowUnsignedPayload: true }).verify({ ...open, body: 'x' })).toMatchObject({
      valid: true,
    });
  });

  it.each([
    'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
  ])('accepts %s where the policy allows an unsigned payload', (literal) => {
    const streamedRequest = signedByHand(literal);
    for (const body of ['5\r\nhello\r\n0\r\n', 'whatever', undefined]) {
      expect(signer({ allowUnsignedPayload: true }).verify({ ...streamedRequest, body })).toMatchObject({
        valid: true,
      });
      expect(signer().verify({ ...streamedRequest, body })).toEqual({
        valid: false,
        reason: 'not_allowed',
        detail: expect.stringContaining('allowUnsignedPayload'),
      });
    }
    const other = { ...streamedRequest.headers, 'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD' };
    expect(
      signer({ allowUnsignedPayload: true }).verify({ ...streamedRequest, headers: other }),
    ).toMatchObject({ reason: 'mismatch' });
  });

  it.each([
    'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD',
    'streaming-unsigned-payload-trailer',
    'STREAMING-X',
    '',
  ])('does not know %j in the place of a hash', (literal) => {
    expect(signer({ allowUnsignedPayload: true }).verify(signedByHand(literal))).toEqual({
      valid: false,
      reason: 'mismatch',
    });
  });

  const queried = sent({ ...put, url: `${put.url}&a=2&a=1` });
  it.each<[string, Sent]>([
    ['the order of the query', { ...queried, url: put.url.replace('x=1', 'a=1&x=1&a=2') }],
    ['an escape without need', { ...original, url: original.url.replace('b.txt', '%62.txt') }],
    ['spaces in headers', change({ 'Content-Type': '  text/plain ' })],
    ['no spaces between the parts', rewritten(/, /g, ',')],
    ['headers that are not signed', change({ 'User-Agent': 'caf\u00e9', 'X-Amzn-Trace-Id': 'x' })],
  ])('does not mind %s', (_, changed) => {
    expect(signer().verify(changed)).toMatchObject({ valid: true });
  });

  it.each([
    [300, { valid: true }],
    [301, { reason: 'expired' }],
    [-300, { valid: true }],
    [-301, { reason: 'not_yet_valid' }],
    [86_400, { reason: 'expired' }],
    [-86_400, { reason: 'not_yet_valid' }],
  ])('is judged after %i seconds: %j', (seconds, answer) => {
    expect(signer({}, { now: later(seconds) }).verify(original)).toMatchObject(answer);
  });

  it('verifies with every key, and tells which', () => {
    const primary = randomBytes(30);
    expect(signer({}, { secrets: [primary, secret] }).verify(original)).toMatchObject({
      valid: true,
      primary: false,
    });
    expect(signer({}, { secrets: [primary] }).verify(original)).toEqual({ valid: false, reason: 'mismatch' });
  });
});

describe('a path', () => {
  const signatureOf = (service: string, path: string) =>
    String(sent({ method: 'GET', url: `https://a.example${path}`, service }).headers['Authorization']).slice(
      -64,
    );

  it('is taken as it is for S3, and normalised for other services', () => {
    expect(signatureOf('s3', '/a//b')).not.toBe(signatureOf('s3', '/a/b'));
    expect(signatureOf('sqs', '/a//b')).toBe(signatureOf('sqs', '/a/b'));
  });

  it('is encoded once for S3, and once more for other services', () => {
    expect(signatureOf('s3', '/%61%c3%a9')).toBe(signatureOf('s3', '/a%C3%A9'));
    expect(signatureOf('sqs', '/%61%c3%a9')).not.toBe(signatureOf('sqs', '/a%C3%A9'));
  });
});

describe('the configuration', () => {
  const problems = (options: string) =>
    configurationProblems(`keys: { a: { format: aws-sigv4, aws-sigv4: ${options} } }`).join('; ');
  const required = 'accessKeyId: AKIDEXAMPLE, services: [s3], regions: [eu-central-1]';

  it.each([
    [`{ ${required} }`],
    [`{ ${required}, hosts: ["*.s3.eu-central-1.amazonaws.com", "localhost:4566"], methods: [GET] }`],
    [`{ ${required}, pathPrefixes: [/a/], maxExpiresSeconds: 0, allowUnsignedPayload: true }`],
    [`{ ${required}, toleranceSeconds: 900, futureToleranceSeconds: 60 }`],
    [`{ ${required}, allowCopy: true, omitContentSha256: true }`],
    ['{ accessKeyId: AKIDEXAMPLE, services: [s3, Object_Store], regions: [RegionOne, us.east~1] }'],
  ])('allows %s', (options) => {
    expect(problems(options)).toBe('');
  });

  it.each([
    ['{ services: [s3], regions: [a] }', 'accessKeyId: is missing; it must be a string'],
    ['{ accessKeyId: AKIDEXAMPLE, regions: [a] }', 'services: is missing; it must be a list'],
    ['{ accessKeyId: AKIDEXAMPLE, services: [s3] }', 'regions: is missing; it must be a list'],
    ['{ accessKeyId: AKIDEXAMPLE, services: [], regions: [a] }', 'services: must have at least 1 element'],
    ['{ accessKeyId: a/bc, services: [s3], regions: [a] }', 'accessKeyId: must be an access key id'],
    ['{ accessKeyId: AKIDEXAMPLE, services: [a/b], regions: [a] }', 'services.0: must be like s3'],
    ['{ accessKeyId: AKIDEXAMPLE, services: [s3], regions: ["*"] }', 'regions.0: must be like s3'],
    ['{ accessKeyId: AKIDEXAMPLE, services: [S3], regions: [a] }', 'services.0: must be in lower case'],
    ['{ accessKeyId: AKIDEXAMPLE, services: [s3], regions: ["a b"] }', 'regions.0: must be like s3'],
    ['{ accessKeyId: AKIDEXAMPLE, services: [s3], regions: ["a,b"] }', 'regions.0: must be like s3'],
    ['{ accessKeyId: AKIDEXAMPLE, services: [s3], regions: ["a\\n"] }', 'regions.0: must be like s3'],
    [`{ ${required}, hosts: ["https://a"] }`, 'hosts.0: must be a host'],
    [`{ ${required}, hosts: ["*"] }`, 'hosts.0: must be a host'],
    [`{ ${required}, methods: [get] }`, 'methods.0: must be in upper case'],
    [`{ ${required}, pathPrefixes: [a] }`, 'pathPrefixes.0: must begin with a slash'],
    [`{ ${required}, maxExpiresSeconds: 604801 }`, 'maxExpiresSeconds: must be at most 604800'],
    [`{ ${required}, secretAccessKey: x }`, 'secretAccessKey: unknown field'],
  ])('denies %s', (options, problem) => {
    expect(problems(options)).toContain(`keys.a.aws-sigv4.${problem}`);
  });

  it('is required', () => {
    expect(configurationProblems('keys: { a: { format: aws-sigv4 } }').join()).toContain(
      'keys.a.aws-sigv4: is missing; it needs accessKeyId, services and regions',
    );
  });
});
