/**
 * `aws-sigv4` and the signer of the AWS SDK, @smithy/signature-v4: the same request has the same signature, character
 * by character, and what the SDK signs is verified. (The SDK has no verifier.)
 */

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AwsSignRequest } from '../../src/api/messages.ts';
import { type Signer, startSigner, temporaryDirectory } from '../support/signer.ts';

const accessKeyId = 'AKIDEXAMPLE';
const secret = randomBytes(30).toString('base64');
const region = 'eu-central-1';

const directory = temporaryDirectory();
let signer: Signer;

beforeAll(async () => {
  writeFileSync(join(directory.path, 'aws'), `${secret}\n`);
  const config = join(directory.path, 'signer.yaml');
  const options = `accessKeyId: ${accessKeyId}, services: [s3, sqs, execute-api, aoss], regions: [${region}, us-east-1, RegionOne]`;
  const keySet = (more: string) => `{ encoding: text, format: aws-sigv4, aws-sigv4: { ${options}${more} } }`;
  writeFileSync(join(directory.path, 'bare'), `${secret.split('').reverse().join('')}\n`);
  writeFileSync(
    config,
    `keys:\n  aws: ${keySet(', allowUnsignedPayload: true')}\n  bare: ${keySet(', omitContentSha256: true')}\n`,
  );
  signer = await startSigner(['--keys', directory.path, '--config', config]);
  await signer.ready();
});
afterAll(async () => {
  await signer?.stop();
  directory[Symbol.dispose]();
});

async function ask<A>(operation: 'sign' | 'verify', request: object, keySet = 'aws'): Promise<A> {
  const response = await signer.call(`/v1/keys/${keySet}/${operation}`, request);
  expect(response.status).toBe(200);
  return (await response.json()) as A;
}

interface Case {
  readonly method: string;
  readonly url: string;
  readonly service: string;
  readonly region?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const cases: Readonly<Record<string, Case>> = {
  'an object in S3': { method: 'GET', url: 'https://bucket.s3.amazonaws.com/a/b.txt', service: 's3' },
  'an object in S3 with a name of all kinds': {
    method: 'PUT',
    url: 'https://bucket.s3.amazonaws.com/a//caf%C3%A9%20%2B%26%3D%27%28%29%2A/~._-',
    service: 's3',
    headers: { 'Content-Type': 'text/plain; charset=utf-8', 'X-Amz-Meta-Note': '  two   words ' },
    body: 'w\u00f6rld',
  },
  'a list in S3': {
    method: 'GET',
    url: 'https://s3.eu-central-1.amazonaws.com/bucket?list-type=2&prefix=a%2Fb&delimiter=%2F&empty=&a-b=1&a=2&A=3',
    service: 's3',
  },
  'a query with a name that is repeated': {
    method: 'GET',
    url: 'https://bucket.s3.amazonaws.com/?x=2&x=10&x=1&y=%F0%9F%98%80',
    service: 's3',
  },
  'a form for SQS': {
    method: 'POST',
    url: 'https://sqs.eu-central-1.amazonaws.com/',
    service: 'sqs',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', 'User-Agent': 'not signed' },
    body: 'Action=SendMessage&MessageBody=hello%20world',
  },
  'temporary credentials': {
    method: 'POST',
    url: 'https://sqs.us-east-1.amazonaws.com/123/queue',
    service: 'sqs',
    region: 'us-east-1',
    headers: { 'X-Amz-Security-Token': 'abc//+==', 'X-Amz-Target': 'AmazonSQS.SendMessage' },
    body: '{}',
  },
  'an index of OpenSearch Serverless': {
    method: 'POST',
    url: 'https://abc.eu-central-1.aoss.amazonaws.com/my-index/_search',
    service: 'aoss',
    headers: { 'Content-Type': 'application/json' },
    body: '{"query":{"match_all":{}}}',
  },
  'a region with upper-case letters': {
    method: 'GET',
    url: 'https://objects.cloud.example/bucket/a.txt',
    service: 's3',
    region: 'RegionOne',
  },
  'a path that is normalised, and encoded twice': {
    method: 'DELETE',
    url: 'https://api.execute-api.eu-central-1.amazonaws.com:8443/prod//things/arn%3Aaws%3Ax%2Fy/a%20b/',
    service: 'execute-api',
  },
};

/** The request as the SDK has it; it wants the query decoded. */
function forSdk({ method, url, headers = {}, body }: Case) {
  const { protocol, hostname, port, host, pathname, searchParams } = new URL(url);
  const query = Object.fromEntries(
    [...new Set(searchParams.keys())].map((name) => [name, searchParams.getAll(name)]),
  );
  return {
    method,
    protocol,
    hostname,
    ...(port !== '' && { port: Number(port) }),
    path: pathname,
    query,
    headers: { ...headers, host },
    body,
  };
}

function sdk({ service, region: asked = region }: Case, secretAccessKey = secret, applyChecksum = true) {
  return new SignatureV4({
    service,
    region: asked,
    credentials: { accessKeyId, secretAccessKey },
    sha256: Sha256,
    uriEscapePath: service !== 's3',
    applyChecksum,
  });
}

/** The moment at which the signer signed. */
function dateOf(text: string | null): Date {
  const iso = text?.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5');
  return new Date(iso ?? '');
}

const signRequest = ({ region: asked = region, ...request }: Case): AwsSignRequest => ({
  ...request,
  region: asked,
});

describe.each(Object.entries(cases))('%s', (_, request) => {
  it('has the signature of the SDK in its headers', async () => {
    const { headers } = await ask<{ headers: Record<string, string> }>('sign', signRequest(request));
    const signingDate = dateOf(headers['X-Amz-Date'] ?? null);
    const expected = await sdk(request).sign(forSdk(request), { signingDate });
    expect(headers['Authorization']).toBe(expected.headers['authorization']);
    expect(headers['X-Amz-Content-Sha256']).toBe(expected.headers['x-amz-content-sha256']);
  });

  it('is verified with the headers of the SDK', async () => {
    const { headers } = await sdk(request).sign(forSdk(request));
    const { method, url, body } = request;
    expect(await ask('verify', { method, url, body, headers })).toMatchObject({ valid: true, primary: true });
    expect(await ask('verify', { method, url: `${url}x`, body, headers })).toEqual({
      valid: false,
      reason: 'mismatch',
    });
  });

  /** A URL of S3 covers no payload, which the SDK has to be told by a header that is not sent. */
  const presignedRequest = (): Case => ({
    ...request,
    headers: {
      ...request.headers,
      ...(request.service === 's3' && { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }),
    },
  });
  const presignOptions = {
    expiresIn: 600,
    unhoistableHeaders: new Set([
      'x-amz-content-sha256',
      ...Object.keys(request.headers ?? {}).map((name) => name.toLowerCase()),
    ]),
    unsignableHeaders: new Set(['x-amz-content-sha256']),
  };

  it('has the signature of the SDK in its URL', async () => {
    const { body, ...bodiless } = signRequest(request);
    const payload = request.service === 's3' ? body !== undefined && { unsignedPayload: true } : { body };
    const { url } = await ask<{ url: string }>('sign', {
      ...bodiless,
      ...payload,
      presign: { expiresSeconds: 600 },
    });
    const given = new URL(url).searchParams;
    const signingDate = dateOf(given.get('X-Amz-Date'));
    const expected = await sdk(request).presign(forSdk(presignedRequest()), {
      ...presignOptions,
      signingDate,
    });
    expect(given.get('X-Amz-Signature')).toBe(expected.query?.['X-Amz-Signature']);
    expect(given.get('X-Amz-SignedHeaders')).toBe(expected.query?.['X-Amz-SignedHeaders']);
  });

  it('is verified with the URL of the SDK', async () => {
    const { query = {} } = await sdk(request).presign(forSdk(presignedRequest()), presignOptions);
    const pairs = Object.entries(query).flatMap(([name, value]) =>
      [value].flat().map((each) => `${encodeURIComponent(name)}=${encodeURIComponent(each ?? '')}`),
    );
    const { method, headers, body } = request;
    const url = `${request.url.split('?')[0]}?${pairs.join('&')}`;
    expect(await ask('verify', { method, url, headers, body })).toMatchObject({ valid: true });
    expect(await ask('verify', { method, url: `${url}&a=1`, headers, body })).toEqual({
      valid: false,
      reason: 'mismatch',
    });
  });
});

describe('without the hash of the payload in a header', () => {
  const bareSecret = secret.split('').reverse().join('');
  const request = cases['a form for SQS'] as Case;

  it('has the signature of the SDK, which is verified', async () => {
    const { headers } = await ask<{ headers: Record<string, string> }>('sign', signRequest(request), 'bare');
    const signingDate = dateOf(headers['X-Amz-Date'] ?? null);
    const expected = await sdk(request, bareSecret, false).sign(forSdk(request), { signingDate });
    expect(headers['Authorization']).toBe(expected.headers['authorization']);
    expect(headers).not.toHaveProperty('X-Amz-Content-Sha256');
    for (const applyChecksum of [true, false]) {
      const theirs = await sdk(request, bareSecret, applyChecksum).sign(forSdk(request));
      const { method, url, body } = request;
      expect(await ask('verify', { method, url, body, headers: theirs.headers }, 'bare')).toMatchObject({
        valid: true,
      });
    }
  });
});

describe('a request that the SDK signs in another way', () => {
  const upload: Case = {
    method: 'PUT',
    url: 'https://bucket.s3.eu-central-1.amazonaws.com/a.txt',
    service: 's3',
  };
  const verify = async (headers: Record<string, string>, body: string, keySet: string, key: string) => {
    const signed = await sdk(upload, key).sign(forSdk({ ...upload, headers }));
    const { method, url } = upload;
    return ask('verify', { method, url, headers: signed.headers, body }, keySet);
  };
  const bareSecret = secret.split('').reverse().join('');

  it('is accepted with a streamed payload where the configuration allows an unsigned one', async () => {
    const headers = {
      'content-encoding': 'aws-chunked',
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length': '5',
      'x-amz-trailer': 'x-amz-checksum-crc32',
    };
    const body = '5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n';
    expect(await verify(headers, body, 'aws', secret)).toMatchObject({ valid: true });
    expect(await verify(headers, body, 'bare', bareSecret)).toMatchObject({ reason: 'not_allowed' });
  });

  it('is not accepted with the source of a copy', async () => {
    const headers = { 'x-amz-copy-source': '/private-bucket/secret.txt' };
    expect(await verify(headers, '', 'aws', secret)).toMatchObject({ valid: false, reason: 'not_allowed' });
  });

  it('is not accepted with the source of a copy in a presigned URL', async () => {
    const headers = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'x-amz-copy-source': '/private-bucket/a' };
    const { query = {} } = await sdk(upload).presign(forSdk({ ...upload, headers }), {
      expiresIn: 600,
      unhoistableHeaders: new Set(['x-amz-content-sha256']),
      unsignableHeaders: new Set(['x-amz-content-sha256']),
    });
    expect(Object.keys(query)).toContain('x-amz-copy-source');
    const search = new URLSearchParams(query as Record<string, string>).toString().replaceAll('+', '%20');
    const answer = await ask('verify', { method: 'PUT', url: `${upload.url}?${search}` });
    expect(answer).toMatchObject({ valid: false, reason: 'not_allowed' });
  });
});
