/** Presigned POST: what the signer writes into the policy document, what it denies, and what it takes for no request. */

import { createHmac, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AwsPost, AwsPostForm } from '../../src/api/aws-post.ts';
import { SignerError } from '../../src/api/errors.ts';
import { type Circumstances, inUse, refusalOf } from '../support/format.ts';
import { configurationOf, configurationProblems } from '../support/keys.ts';
import { readVectors } from '../support/vectors.ts';

const secret = randomBytes(30).toString('base64');
const now = '2026-11-24T12:00:00Z';
const mebibyte = 2 ** 20;
/** What S3 replaces by the name of the file that was uploaded. */
const variable = '\u0024{filename}';
const required = { accessKeyId: 'AKIDEXAMPLE', services: ['s3'], regions: ['eu-central-1'] };
const open = { ...required, maxPostBytes: 10 * mebibyte };
const upload = { bucket: 'uploads', key: 'reports/may.pdf', maxBytes: mebibyte };

const signer = (options: object = open, circumstances: Circumstances = {}) =>
  inUse('aws-sigv4', options, { secrets: [secret], now, ...circumstances });
const formOf = (post: AwsPost, options?: object, more: object = {}) =>
  signer(options).sign({ post, ...more }) as AwsPostForm;
const refusal = (post: unknown, options?: object, more: object = {}, circumstances: Circumstances = {}) =>
  refusalOf(() => signer(options, circumstances).sign({ post, ...more }));
const denied = (option: string) =>
  `operation_not_allowed: this key may not sign such a request; its configuration limits it by "${option}"`;

/** The signature as S3 computes it. */
function signatureOf(secretAccessKey: string, scope: string, policy: string): string {
  const key = scope
    .split('/')
    .reduce<string | Buffer>(
      (derived, part) => createHmac('sha256', derived).update(part).digest(),
      `AWS4${secretAccessKey}`,
    );
  return createHmac('sha256', key).update(policy).digest('hex');
}

interface Document {
  readonly expiration: string;
  readonly conditions: readonly (Readonly<Record<string, string>> | readonly [string, ...unknown[]])[];
}
const documentOf = ({ fields }: AwsPostForm): Document =>
  JSON.parse(Buffer.from(fields['Policy'] ?? '', 'base64').toString());

/** Whether S3 takes a form: every condition holds, and every field has a condition. */
function isTaken(document: Document, fields: Readonly<Record<string, string>>, bytes: number): boolean {
  const names = new Set<string>();
  const holds = document.conditions.every((condition) => {
    const [operator, operand, value] = Array.isArray(condition)
      ? condition
      : ['eq', ...Object.entries(condition).flat()];
    if (operator === 'content-length-range') return bytes >= operand && bytes <= value;
    const name = operator === 'starts-with' ? operand.slice(1) : operand;
    names.add(name);
    return operator === 'starts-with' ? fields[name]?.startsWith(value) : fields[name] === value;
  });
  const unchecked = ['Policy', 'X-Amz-Signature'];
  return holds && Object.keys(fields).every((name) => names.has(name) || unchecked.includes(name));
}

interface Vector {
  readonly secret: string;
  readonly scope: string;
  readonly policy: string;
  readonly signature: string;
}

it.each(readVectors<Vector>('aws-sigv4-post'))('AWS has the same signature of its example', (vector) => {
  expect(signatureOf(vector.secret, vector.scope, vector.policy)).toBe(vector.signature);
});

describe('the form', () => {
  it('has a policy of its own fields alone, and the signature of that', () => {
    const form = formOf(upload);
    const credential = 'AKIDEXAMPLE/20261124/eu-central-1/s3/aws4_request';
    const signed = {
      bucket: 'uploads',
      'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
      'X-Amz-Credential': credential,
      'X-Amz-Date': '20261124T120000Z',
    };
    expect(documentOf(form)).toEqual({
      expiration: '2026-11-24T13:00:00Z',
      conditions: [
        ['content-length-range', 0, mebibyte],
        ...Object.entries(signed).map(([name, value]) => ({ [name]: value })),
        { key: 'reports/may.pdf' },
      ],
    });
    const { Policy = '', 'X-Amz-Signature': signature, ...others } = form.fields;
    expect(others).toEqual({ ...signed, key: 'reports/may.pdf' });
    expect(signature).toBe(signatureOf(secret, credential.split('/').slice(1).join('/'), Policy));
    expect(form.url).toBe('https://uploads.s3.eu-central-1.amazonaws.com/');
    expect(form.keyId).toBe(signer().use.keys[0].id);
  });

  it('is signed by the primary alone', () => {
    const other = randomBytes(30).toString('base64');
    const of = (...secrets: [string, ...string[]]) =>
      (signer(open, { secrets }).sign({ post: upload }) as AwsPostForm).fields['X-Amz-Signature'];
    expect(of(secret, other)).toBe(of(secret));
    expect(of(other, secret)).not.toBe(of(secret));
  });

  it('holds everything that a caller may choose, in fields that the policy fixes', () => {
    const form = formOf({
      ...upload,
      contentType: 'text/plain; charset=utf-8',
      expiresSeconds: 60,
      sessionToken: 'FwoGZXIvYXdzEBY//+==',
      successActionRedirect: 'https://shop.example/done?order=7&x=%20',
      successActionStatus: 201,
      serverSideEncryption: 'aws:kms',
      kmsKeyId: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
      bucketKeyEnabled: true,
      metadata: { user: '7', note: ' two  words, "quoted" $5 ' },
    });
    expect(form.fields).toMatchObject({
      'Content-Type': 'text/plain; charset=utf-8',
      'X-Amz-Security-Token': 'FwoGZXIvYXdzEBY//+==',
      success_action_redirect: 'https://shop.example/done?order=7&x=%20',
      success_action_status: '201',
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id':
        'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
      'x-amz-server-side-encryption-bucket-key-enabled': 'true',
      'x-amz-meta-user': '7',
      'x-amz-meta-note': ' two  words, "quoted" $5 ',
    });
    const document = documentOf(form);
    expect(document.expiration).toBe('2026-11-24T12:01:00Z');
    expect(isTaken(document, form.fields, mebibyte)).toBe(true);
    for (const name of Object.keys(form.fields).filter(
      (each) => !/^(?:Policy|X-Amz-Signature)$/.test(each),
    )) {
      expect(isTaken(document, { ...form.fields, [name]: `${form.fields[name]}x` }, 1), name).toBe(false);
      const { [name]: _, ...fewer } = form.fields;
      expect(isTaken(document, fewer, 1), name).toBe(false);
    }
    for (const name of ['acl', 'x-amz-acl', 'x-amz-copy-source', 'x-amz-tagging', 'x-amz-meta-more']) {
      expect(isTaken(document, { ...form.fields, [name]: 'x' }, 1), name).toBe(false);
    }
    expect(isTaken(document, form.fields, mebibyte + 1)).toBe(false);
  });

  it('lets the browser choose the rest of the name behind a prefix, as the SDK writes it', () => {
    const form = formOf({ bucket: 'uploads', keyPrefix: 'users/7/', maxBytes: 1 });
    expect(form.fields['key']).toBe(`users/7/${variable}`);
    const document = documentOf(form);
    expect(document.conditions.at(-1)).toEqual(['starts-with', '$key', 'users/7/']);
    expect(isTaken(document, { ...form.fields, key: 'users/7/a.txt' }, 1)).toBe(true);
    expect(isTaken(document, { ...form.fields, key: 'users/70/a.txt' }, 1)).toBe(false);
  });

  it.each<[string, object, object, string]>([
    ['in the host', {}, {}, 'https://uploads.s3.eu-central-1.amazonaws.com/'],
    ['in the path', { pathStyle: true }, {}, 'https://s3.eu-central-1.amazonaws.com/uploads'],
    ['in the path for its dots', { bucket: 'a.b' }, {}, 'https://s3.eu-central-1.amazonaws.com/a.b'],
    ['in China', {}, { regions: ['cn-north-1'] }, 'https://uploads.s3.cn-north-1.amazonaws.com.cn/'],
    [
      'at an endpoint',
      {},
      { postEndpoint: 'https://minio.example:9000' },
      'https://uploads.minio.example:9000/',
    ],
    ...['http://127.0.0.1:9000', 'https://10.0.0.7', 'http://[::1]:9000'].map(
      (postEndpoint): [string, object, object, string] => [
        `in the path of ${postEndpoint}`,
        {},
        { postEndpoint },
        `${postEndpoint}/uploads`,
      ],
    ),
    [
      'in the path of an endpoint',
      { pathStyle: true },
      { postEndpoint: 'http://localhost:4566', regions: ['RegionOne'] },
      'http://localhost:4566/uploads',
    ],
  ])('goes to the bucket: %s', (_, change, options, url) => {
    expect(formOf({ ...upload, ...change }, { ...open, ...options }).url).toBe(url);
  });

  it('works for an hour, or for as long as the policy allows if that is less', () => {
    const expirationFor = (options: object, post: object = {}) =>
      documentOf(formOf({ ...upload, ...post }, { ...open, ...options })).expiration;
    expect(expirationFor({})).toBe('2026-11-24T13:00:00Z');
    expect(expirationFor({ maxExpiresSeconds: 604_800 })).toBe('2026-11-24T13:00:00Z');
    expect(expirationFor({ maxExpiresSeconds: 90 })).toBe('2026-11-24T12:01:30Z');
    expect(expirationFor({ maxExpiresSeconds: 604_800 }, { expiresSeconds: 604_800 })).toBe(
      '2026-12-01T12:00:00Z',
    );
  });

  it('is for the service and the region that the request names, or the only ones', () => {
    const many = { ...open, services: ['sqs', 's3'], regions: ['us-east-1', 'eu-west-1'] };
    expect(refusal(upload, many)).toContain('field "service": is required');
    expect(refusal(upload, many, { service: 's3' })).toContain('field "region": is required');
    expect(formOf(upload, many, { service: 's3', region: 'eu-west-1' }).fields['X-Amz-Credential']).toBe(
      'AKIDEXAMPLE/20261124/eu-west-1/s3/aws4_request',
    );
    expect(refusal(upload, many, { service: 'sqs', region: 'eu-west-1' })).toBe(
      'malformed_request: field "service": must be s3, because only S3 takes forms',
    );
    expect(refusal(upload, { ...open, services: ['s3express'] })).toContain('field "service": must be s3');
    expect(refusal(upload, open, { service: 'sqs' })).toBe(denied('services'));
    expect(refusal(upload, open, { region: 'us-east-1' })).toBe(denied('regions'));
  });
});

describe('the policy', () => {
  it.each<[string, object]>([
    ['as it was before', {}],
    [
      'with everything else allowed',
      { methods: ['POST', 'PUT'], allowUnsignedPayload: true, allowCopy: true },
    ],
    ['for presigned URLs', { methods: ['GET', 'POST'], maxExpiresSeconds: 604_800, pathPrefixes: ['/'] }],
  ])('signs no form without maxPostBytes: %s', (_, options) => {
    expect(refusal(upload, { ...required, ...options })).toBe(
      'operation_not_allowed: this key may not sign forms for uploads; its configuration would have to set "maxPostBytes"',
    );
  });

  it('allows nothing but forms by maxPostBytes', () => {
    const put = { method: 'PUT', url: 'https://uploads.s3.eu-central-1.amazonaws.com/reports/may.pdf' };
    const presign = { expiresSeconds: 60 };
    expect(refusalOf(() => signer().sign({ ...put, unsignedPayload: true, presign }))).toBe(
      denied('allowUnsignedPayload'),
    );
  });

  it('bounds the length', () => {
    const longest = { ...upload, maxBytes: 10 * mebibyte };
    expect(documentOf(formOf(longest)).conditions[0]).toEqual(['content-length-range', 0, 10 * mebibyte]);
    expect(refusal({ ...upload, maxBytes: 10 * mebibyte + 1 })).toBe(denied('maxPostBytes'));
    expect(refusal({ ...upload, maxBytes: Number.MAX_SAFE_INTEGER })).toBe(denied('maxPostBytes'));
    const limited = { maxMessageBytes: mebibyte };
    expect(refusal(upload, open, {}, limited)).toBe('not refused');
    expect(refusal({ ...upload, maxBytes: mebibyte + 1 }, open, {}, limited)).toContain('message_too_large');
  });

  it('bounds the time', () => {
    const short = { ...open, maxExpiresSeconds: 60 };
    expect(refusal({ ...upload, expiresSeconds: 60 }, short)).toBe('not refused');
    expect(refusal({ ...upload, expiresSeconds: 61 }, short)).toBe(denied('maxExpiresSeconds'));
    expect(refusal({ ...upload, expiresSeconds: 3601 })).toBe(denied('maxExpiresSeconds'));
    expect(refusal(upload, { ...open, maxExpiresSeconds: 0 })).toBe(denied('maxExpiresSeconds'));
  });

  it('has to list the method POST', () => {
    expect(refusal(upload, { ...open, methods: ['POST'] })).toBe('not refused');
    expect(refusal(upload, { ...open, methods: ['GET', 'PUT'] })).toBe(denied('methods'));
  });

  const hostStyle = {
    ...open,
    hosts: ['uploads.s3.eu-central-1.amazonaws.com'],
    pathPrefixes: ['/reports/', '/caf%C3%A9/'],
  };
  const pathStyle = {
    ...open,
    hosts: ['s3.eu-central-1.amazonaws.com'],
    pathPrefixes: ['/uploads/reports/', '/a.b/reports/'],
  };
  const inPath = { pathStyle: true };

  it.each<[string, object, object]>([
    ['a name', {}, hostStyle],
    ['a name with other letters', { key: 'caf\u00e9/\u{1f4c4} a+b&c;d=e%2F' }, hostStyle],
    ['a prefix', { key: undefined, keyPrefix: 'reports/' }, hostStyle],
    ['a prefix below', { key: undefined, keyPrefix: 'reports/7/' }, hostStyle],
    ['a name in a path', inPath, pathStyle],
    ['a prefix in a path', { ...inPath, key: undefined, keyPrefix: 'reports/' }, pathStyle],
    ['a bucket with a dot, which is in the path', { bucket: 'a.b' }, pathStyle],
    [
      'any bucket of a wildcard',
      { bucket: 'other' },
      { ...hostStyle, hosts: ['*.s3.eu-central-1.amazonaws.com'] },
    ],
  ])('allows %s', (_, change, options) => {
    expect(refusal({ ...upload, ...change }, options)).toBe('not refused');
  });

  it.each<[string, object, object, string]>([
    ['another bucket in the host', { bucket: 'private' }, hostStyle, 'hosts'],
    ['another bucket in the path', { ...inPath, bucket: 'private' }, pathStyle, 'pathPrefixes'],
    ['the bucket in the path, where hosts name the other style', inPath, hostStyle, 'hosts'],
    ['the bucket in the host, where hosts name the other style', {}, pathStyle, 'hosts'],
    ['a bucket with a dot that ends like the host', { bucket: 'x.uploads' }, hostStyle, 'hosts'],
    ['a bucket that goes on', { bucket: 'uploads.s3' }, hostStyle, 'hosts'],
    [
      'a bucket that goes on in the path',
      { ...inPath, bucket: 'uploads-private' },
      pathStyle,
      'pathPrefixes',
    ],
    ['a bucket that is the beginning', { ...inPath, bucket: 'upload' }, pathStyle, 'pathPrefixes'],
    ['a name beside the prefix', { key: 'private/x' }, hostStyle, 'pathPrefixes'],
    ['a name that begins like the prefix', { key: 'reports' }, hostStyle, 'pathPrefixes'],
    ['a name in another case', { key: 'Reports/x' }, hostStyle, 'pathPrefixes'],
    ['an encoded slash', { key: 'reports%2Fx' }, hostStyle, 'pathPrefixes'],
    ['an encoded letter, which is one of the name', { key: '%72eports/x' }, hostStyle, 'pathPrefixes'],
    ['the encoded form of the prefix', { key: 'caf%C3%A9/x' }, hostStyle, 'pathPrefixes'],
    ['the prefix in another normal form', { key: 'cafe\u0301/x' }, hostStyle, 'pathPrefixes'],
    ['a backslash for the slash', { key: 'reports\\x' }, hostStyle, 'pathPrefixes'],
    ['a prefix beside the allowed one', { key: undefined, keyPrefix: 'private/' }, hostStyle, 'pathPrefixes'],
    ['a prefix that begins like it', { key: undefined, keyPrefix: 'reports-/' }, hostStyle, 'pathPrefixes'],
    [
      'a prefix above the allowed one',
      { key: undefined, keyPrefix: 'a/' },
      { ...open, pathPrefixes: ['/a/b/'] },
      'pathPrefixes',
    ],
    ['a name in the bucket of the path', { ...inPath, key: 'private/x' }, pathStyle, 'pathPrefixes'],
  ])('denies %s', (_, change, options, option) => {
    expect(refusal({ ...upload, ...change }, options)).toBe(denied(option));
  });

  it.each([
    '..;/x',
    '..;',
    '%252e%252e/x',
    '..%252fx',
    '..%00/x',
    '. ./x',
    '.. /x',
    '..?x',
    '..#x',
    '\uff0e\uff0e/x',
    '\u2025/x',
  ])('denies a name in which a server could find a dot segment: %j', (rest) => {
    for (const post of [{ key: `reports/${rest}` }, { key: undefined, keyPrefix: `reports/${rest}/` }]) {
      const asked = { ...upload, ...post };
      const isHidden = rest !== '. ./x';
      expect(refusal(asked, hostStyle)).toBe(isHidden ? denied('pathPrefixes') : 'not refused');
      const { pathPrefixes, ...onlyHosts } = hostStyle;
      expect(refusal(asked, onlyHosts)).toBe(isHidden ? denied('hosts') : 'not refused');
      expect(refusal(asked)).toBe('not refused');
    }
  });

  it.each(['snowball-auto-extract', 'minio-snowball-prefix', 'snowball_x'])(
    'denies the metadata %s, which names other objects, unless it allows copies',
    (name) => {
      const post = { ...upload, metadata: { [name]: 'true' } };
      expect(refusal(post)).toBe(denied('allowCopy'));
      expect(refusal(post, { ...open, allowCopy: true })).toBe('not refused');
    },
  );

  it('lets no form through that S3 would take for an object elsewhere, whatever is asked for', () => {
    const piece = fc.constantFrom(
      'reports',
      'private',
      'uploads',
      '/',
      '..',
      '.',
      '%2f',
      '%2e',
      '\\',
      ';',
      '-',
      ' ',
      'é',
      '?',
    );
    const parts = fc.array(piece, { minLength: 1, maxLength: 5 }).map((each) => each.join(''));
    const name = fc.oneof(
      parts,
      parts.map((rest) => `reports/${rest}`),
    );
    const bucket = fc.constantFrom(
      'uploads',
      'uploads',
      'reports',
      'private',
      'uploads.s3',
      's3.uploads',
      'a.b',
    );
    const to = (named: fc.Arbitrary<object>) =>
      fc
        .tuple(fc.record({ bucket, pathStyle: fc.boolean() }), named)
        .map(([at, called]) => ({ ...at, ...called }));
    const post = fc.oneof(to(fc.record({ key: name })), to(name.map((text) => ({ keyPrefix: `${text}/` }))));
    let signed = 0;
    fc.assert(
      fc.property(post, fc.constantFrom(hostStyle, pathStyle), (asked, options) => {
        let form: AwsPostForm;
        try {
          form = formOf({ maxBytes: 1, ...asked } as AwsPost, options);
        } catch (error) {
          if (error instanceof SignerError) return;
          throw error;
        }
        signed++;
        const key = (form.fields['key'] ?? '').replace(variable, 'x.txt');
        expect(isTaken(documentOf(form), { ...form.fields, key }, 1)).toBe(true);
        expect(key).toMatch(/^reports\//);
        expect(form.fields['bucket']).toMatch(options === hostStyle ? /^uploads$/ : /^(?:uploads|a\.b)$/);
        expect(new URL(`https://x/${encodeURI(key)}`).pathname).toMatch(/^\/reports\//);
      }),
      { numRuns: 3000 },
    );
    expect(signed).toBeGreaterThan(50);
  });
});

describe('a request', () => {
  const control = String.fromCharCode(0);
  const long = (length: number) => 'a'.repeat(length);
  const cases: Readonly<Record<string, readonly [field: string, ...values: unknown[]]>> = {
    'a bucket': [
      'bucket',
      ...[
        '',
        'ab',
        long(64),
        'Uploads',
        'up_loads',
        'up loads',
        'a..b',
        '.ab',
        'ab.',
        '-ab',
        'ab-',
        'a.-b',
        'a-.b',
      ],
      ...[
        'uploads/private',
        'uploads\\private',
        'uploads%2Fx',
        '..',
        'a@evil.example',
        'evil.example:80',
        'evil?x',
      ],
      ...[
        'evil#x',
        '192.168.5.4',
        '127.0.0.1',
        '[::1]',
        'x--euw1-az1--x-s3',
        'abc--ol-s3',
        `uploads${control}`,
      ],
      ...['uploads\n', 'b\u00fccher', variable, 'arn:aws:s3:::uploads', '*', 7, null, ['uploads'], undefined],
    ],
    'a name': [
      'key',
      ...['', long(1025), '\u00e9'.repeat(513), '\ud800', 'a\nb', 'a\rb', `a${control}`, 'a\x7fb', 'a\x85b'],
      ...[
        variable,
        `a/${variable}`,
        'a${',
        '${',
        'a/$${x}',
        '/a',
        '//a',
        '/',
        '.',
        '..',
        './a',
        '../a',
        'a/..',
      ],
      ...[
        'a/../b',
        'a/./b',
        'a/.',
        'a\\..\\b',
        '..\\a',
        'a/%2e%2e/b',
        'a/.%2E',
        '%2e',
        'a%2f..%2fb',
        'a%5c..',
        7,
        {},
      ],
    ],
    'a prefix': [
      'keyPrefix',
      ...[
        '',
        '/',
        'a',
        'a/b',
        'reports',
        '/a/',
        '../',
        'a/../',
        './',
        `a/${variable}`,
        'a/\u0024{x}/',
        'a\\',
        'a%2F',
        7,
      ],
      ...[`${long(1024)}/`, 'a/\n/'],
    ],
    'a length': ['maxBytes', 0, -1, 1.5, '1', 2 ** 53, Number.POSITIVE_INFINITY, null, undefined, [1]],
    'a type': [
      'contentType',
      ...[
        '',
        'image',
        'image/',
        '/png',
        'image/*, text/html',
        'image/png,text/html',
        'a/b; c="d,e"',
        'a/b\r\nx: y',
      ],
      ...[
        'a/b;',
        '["starts-with"]',
        'image/png ',
        `a/${variable}`,
        `a/b; c="${variable}"`,
        `a/${long(254)}`,
        7,
      ],
      ['starts-with', 'image/'],
    ],
    'a time': ['expiresSeconds', 0, -1, 604_801, 1.5, '60', null],
    'a style': ['pathStyle', 'true', 1, null],
    'a token': ['sessionToken', '', 'a b', 'a\n', variable, 'a"', long(8193), 7],
    'an address': [
      'successActionRedirect',
      ...[
        '',
        '/done',
        'javascript:alert(1)',
        'data:text/html,x',
        '//evil.example',
        'https://',
        'HTTPS://x.example',
      ],
      ...[`https://x.example/${variable}`, 'https://x.example/a b', 'https://x.example/\n', 'https://[x/', 7],
      `https://x.example/${long(2040)}`,
    ],
    'a status': ['successActionStatus', 302, '201', 0, null],
    'an encryption': ['serverSideEncryption', 'aes256', '', 'none', 7],
    'a key of KMS': ['kmsKeyId', '', 'a b', variable, 'a,b', long(2049), 7],
    'a bucket key': ['bucketKeyEnabled', 'true', 1],
    metadata: [
      'metadata',
      ...[
        'x',
        [],
        null,
        { A: 'x' },
        { '': 'x' },
        { 'a b': 'x' },
        { 'a:b': 'x' },
        { a: 7 },
        { a: ['x'] },
        { a: 'x\ny' },
      ],
      ...[{ a: 'caf\u00e9' }, { a: variable }, { [variable]: 'x' }, { a: long(2048) }, { a: null }],
    ],
  };
  const kms = { serverSideEncryption: 'aws:kms' };
  it.each(
    Object.entries(cases).flatMap(([what, [field, ...values]]) =>
      values.map((value) => ({ what, field, value, shown: JSON.stringify(value)?.slice(0, 40) })),
    ),
  )('is refused for $what: $field: $shown', ({ field, value }) => {
    const { key, ...nameless } = upload;
    const base = field === 'keyPrefix' ? nameless : upload;
    const given = refusal({ ...base, ...(field === 'kmsKeyId' && kms), [field]: value });
    expect(given).toMatch(/^malformed_request: /);
    expect(given).toContain(`field "post.${field}"`);
    if (typeof value === 'string' && value.length > 8) expect(given).not.toContain(value);
  });

  it.each([
    ['acl', 'public-read'],
    ['policy', '{}'],
    ['conditions', []],
    ['fields', {}],
    ['copySource', '/private/x'],
    ['tagging', '<Tagging/>'],
    ['Key', 'x'],
    ['url', 'https://evil.example'],
    ['endpoint', 'https://evil.example'],
    ['host', 'evil.example'],
    ['expiration', '2099-01-01T00:00:00Z'],
    ['contentTypePrefix', ''],
  ])('is refused for the field %s, which nobody chooses', (field, value) => {
    expect(refusal({ ...upload, [field]: value })).toMatch(
      /^malformed_request: field "post" has an unknown field; its fields are: bucket, key, /,
    );
  });

  it.each<[string, object, string]>([
    [
      'with a method',
      { method: 'POST' },
      'the body has an unknown field; its fields are: post, service, region',
    ],
    ['with a URL', { url: 'https://x.example/' }, 'the body has an unknown field'],
    ['with headers', { headers: { 'x-amz-acl': 'public-read' } }, 'the body has an unknown field'],
    ['to presign, too', { presign: { expiresSeconds: 1 } }, 'the body has an unknown field'],
    ['of no service', { service: 7 }, 'field "service": must be a string'],
  ])('is refused %s', (_, more, detail) => {
    expect(refusal(upload, open, more)).toContain(detail);
  });

  it.each([null, 'x', [], 7, true, undefined])('is refused for a post that is %j', (post) => {
    expect(refusal(post)).toMatch(/^malformed_request: field "post"/);
  });

  it('names one of key and keyPrefix', () => {
    expect(refusal({ bucket: 'uploads', maxBytes: 1 })).toContain('field "post.key": is missing; give "key"');
    expect(refusal({ ...upload, keyPrefix: 'a/' })).toContain('field "post.key": give only one of');
  });

  it.each([
    { kmsKeyId: 'alias/a' },
    { bucketKeyEnabled: true },
    { serverSideEncryption: 'AES256', kmsKeyId: 'alias/a' },
    { serverSideEncryption: 'AES256', bucketKeyEnabled: false },
  ])('asks for KMS wherever its settings are: %j', (change) => {
    expect(refusal({ ...upload, ...change })).toContain('needs "serverSideEncryption" to be aws:kms');
  });

  it.each<object>([
    { bucket: 'a-b' },
    { bucket: '123' },
    { bucket: 'my.bucket.example' },
    { bucket: long(63) },
    { key: long(1024) },
    { key: 'a/...' },
    { key: '..a/b..' },
    { key: 'a/.hidden' },
    { key: 'a//b' },
    { key: 'a/' },
    { key: 'price $5 {x}' },
    { contentType: 'application/vnd.oasis.opendocument.text' },
    { contentType: 'multipart/form-data; boundary="a b"' },
    { maxBytes: 1 },
    { metadata: {} },
    { metadata: { 'file-name_1.x': '' } },
    { metadata: JSON.parse('{"__proto__":"x","constructor":"y"}') },
    { ...kms, kmsKeyId: 'alias/a' },
    { serverSideEncryption: 'aws:kms:dsse', bucketKeyEnabled: false },
  ])('is signed with %j', (change) => {
    expect(refusal({ ...upload, ...change })).toBe('not refused');
  });

  it('keeps metadata of any name', () => {
    const form = formOf({ ...upload, metadata: JSON.parse('{"__proto__":"x","constructor":"y"}') });
    expect(form.fields).toMatchObject({ 'x-amz-meta-__proto__': 'x', 'x-amz-meta-constructor': 'y' });
  });

  it('is not one to verify', () => {
    expect(refusalOf(() => signer().verify({ post: upload }))).toMatch(/^malformed_request: /);
  });
});

describe('the configuration', () => {
  const needed = 'accessKeyId: AKIDEXAMPLE, services: [s3], regions: [eu-central-1]';
  const keySet = (options: string) =>
    `keys:\n  a: { encoding: text, format: aws-sigv4, aws-sigv4: { ${options} } }\n`;

  it.each([
    `${needed}, maxPostBytes: 1`,
    `${needed}, maxPostBytes: 5368709120, methods: [GET, POST]`,
    `${needed}, maxPostBytes: 1, postEndpoint: "https://minio.example:9000"`,
    `${needed}, postEndpoint: "http://[::1]:9000"`,
    'accessKeyId: AKIDEXAMPLE, services: [s3], regions: [RegionOne, us-gov-west-1]',
    'accessKeyId: AKIDEXAMPLE, services: [s3], regions: [RegionOne], maxPostBytes: 1, postEndpoint: "https://s3.cloud.example"',
    'accessKeyId: AKIDEXAMPLE, services: [sqs, s3], regions: [us-gov-west-1, cn-north-1], maxPostBytes: 1',
  ])('is accepted: %s', (options) => {
    expect(configurationProblems(keySet(options))).toEqual([]);
  });

  it('shows the limit among the options in use', () => {
    const settings = configurationOf(keySet(`${needed}, maxPostBytes: 7`))
      .keySets([])
      .get('a');
    expect(settings?.format.options).toMatchObject({ maxPostBytes: 7 });
  });

  it.each<[string, string]>([
    [`${needed}, maxPostBytes: 0`, 'maxPostBytes: must be at least 1'],
    [`${needed}, maxPostBytes: 5368709121`, 'maxPostBytes: must be at most 5368709120'],
    [`${needed}, maxPostBytes: true`, 'maxPostBytes: must be a number'],
    [`${needed}, maxPostBytes: 1, methods: [PUT]`, 'maxPostBytes: needs POST among the methods'],
    [`${needed}, maxPostBytes: 1, maxExpiresSeconds: 0`, 'maxPostBytes: needs a maxExpiresSeconds'],
    [
      'accessKeyId: AKIDEXAMPLE, services: [sqs], regions: [eu-central-1], maxPostBytes: 1',
      'maxPostBytes: needs s3 among the services',
    ],
    [
      'accessKeyId: AKIDEXAMPLE, services: [s3], regions: [eu-central-1, RegionOne], maxPostBytes: 1',
      'maxPostBytes: needs postEndpoint',
    ],
    [
      'accessKeyId: AKIDEXAMPLE, services: [s3], regions: [us-iso-east-1], maxPostBytes: 1',
      'maxPostBytes: needs postEndpoint',
    ],
    ...['minio.example', 'https://minio.example/', 'https://minio.example/a', 'https://MINIO.example'].map(
      (each) => [`${needed}, postEndpoint: "${each}"`, 'postEndpoint: must be https://'] as [string, string],
    ),
    ...[
      'https://a@minio.example',
      'https://minio.example?x',
      'ftp://minio.example',
      'https://a:443',
      'https://',
    ].map(
      (each) => [`${needed}, postEndpoint: "${each}"`, 'postEndpoint: must be https://'] as [string, string],
    ),
  ])('is refused: %s', (options, problem) => {
    expect(configurationProblems(keySet(options))[0]).toContain(`keys.a.aws-sigv4.${problem}`);
  });
});
