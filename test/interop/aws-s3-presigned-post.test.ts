/**
 * Presigned POST and @aws-sdk/s3-presigned-post: the same inputs at the same time give the same form, byte for byte, and
 * its signature is the one that S3 computes.
 */

import { createHmac, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AwsPost, AwsPostForm } from '../../src/api/aws-post.ts';
import { type Signer, startSigner, temporaryDirectory } from '../support/signer.ts';
import { load } from './clients.ts';

interface S3ClientConfig {
  readonly region?: string;
  readonly endpoint?: string;
  readonly forcePathStyle?: boolean;
}
interface Sdk {
  readonly S3Client: new (config: object) => object;
}
interface PresignedPost {
  createPresignedPost(
    client: object,
    options: object,
  ): Promise<{ url: string; fields: Record<string, string> }>;
}

const { S3Client } = load<Sdk>('@aws-sdk/client-s3');
const { createPresignedPost } = load<PresignedPost>('@aws-sdk/s3-presigned-post');

const accessKeyId = 'AKIDEXAMPLE';
type KeySet = 'aws' | 'compatible' | 'local';
const secrets: Readonly<Record<KeySet, string>> = {
  aws: randomBytes(30).toString('base64'),
  compatible: randomBytes(30).toString('base64'),
  local: randomBytes(30).toString('base64'),
};
/** What S3 replaces by the name of the file that was uploaded. */
const variable = '\u0024{filename}';

const directory = temporaryDirectory();
let signer: Signer;

beforeAll(async () => {
  const allowed = { accessKeyId, services: ['s3'], maxPostBytes: 1000 };
  const regions = ['eu-central-1', 'us-east-1', 'us-gov-west-1', 'cn-north-1', 'mx-central-1'];
  const keySets = {
    aws: { ...allowed, regions },
    compatible: { ...allowed, regions: ['RegionOne'], postEndpoint: 'https://objects.cloud.example:9000' },
    local: { ...allowed, regions: ['us-east-1'], postEndpoint: 'http://127.0.0.1:9000' },
  };
  for (const [name, key] of Object.entries(secrets)) writeFileSync(join(directory.path, name), `${key}\n`);
  const config = join(directory.path, 'signer.yaml');
  const settings = Object.entries(keySets).map(
    ([name, options]) =>
      `  ${name}: ${JSON.stringify({ encoding: 'text', format: 'aws-sigv4', 'aws-sigv4': options })}\n`,
  );
  writeFileSync(config, `keys:\n${settings.join('')}`);
  signer = await startSigner(['--keys', directory.path, '--config', config]);
  await signer.ready();
});
afterAll(async () => {
  await signer?.stop();
  directory[Symbol.dispose]();
});

async function formOf(keySet: KeySet, post: AwsPost, region: string): Promise<AwsPostForm> {
  const response = await signer.call(`/v1/keys/${keySet}/sign`, { post, region });
  expect(response.status).toBe(200);
  return (await response.json()) as AwsPostForm;
}

/** The form of the SDK, at the time at which the signer signed. */
async function formOfSdk(
  keySet: KeySet,
  { fields }: AwsPostForm,
  config: S3ClientConfig,
  options: Readonly<Record<'Bucket' | 'Key', string>> & Readonly<Record<string, unknown>>,
  sessionToken?: string,
) {
  const iso = fields['X-Amz-Date']?.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5');
  const client = new S3Client({
    ...config,
    systemClockOffset: Date.parse(iso ?? '') - Date.now(),
    credentials: { accessKeyId, secretAccessKey: secrets[keySet], ...(sessionToken && { sessionToken }) },
  });
  return createPresignedPost(client, options);
}

/** The signature as S3 computes it from the fields that arrive. */
function signatureOf(keySet: KeySet, { fields }: AwsPostForm): string {
  const [, ...scope] = (fields['X-Amz-Credential'] ?? '').split('/');
  const key = scope.reduce<string | Buffer>(
    (derived, part) => createHmac('sha256', derived).update(part).digest(),
    `AWS4${secrets[keySet]}`,
  );
  return createHmac('sha256', key)
    .update(fields['Policy'] ?? '')
    .digest('hex');
}

interface Case {
  /** Default: `aws`. */
  readonly keySet?: KeySet;
  readonly post: AwsPost;
  readonly config?: S3ClientConfig;
  readonly Key?: string;
  readonly Fields?: Readonly<Record<string, string>>;
  readonly Expires?: number;
}
const upload = { bucket: 'uploads', key: 'reports/may.pdf', maxBytes: 1000 };

const cases: Readonly<Record<string, Case>> = {
  'the bucket in the host': { post: upload },
  'the bucket in the path': { post: { ...upload, pathStyle: true }, config: { forcePathStyle: true } },
  'a bucket with dots': { post: { ...upload, bucket: 'my.bucket' } },
  'us-east-1': { post: upload, config: { region: 'us-east-1' } },
  'us-east-1 in the path': {
    post: { ...upload, pathStyle: true },
    config: { region: 'us-east-1', forcePathStyle: true },
  },
  'the government': { post: upload, config: { region: 'us-gov-west-1' } },
  China: { post: upload, config: { region: 'cn-north-1' } },
  Mexico: { post: upload, config: { region: 'mx-central-1' } },
  'another service': {
    keySet: 'compatible',
    post: upload,
    config: { region: 'RegionOne', endpoint: 'https://objects.cloud.example:9000' },
  },
  'the path of another service': {
    keySet: 'compatible',
    post: { ...upload, pathStyle: true },
    config: {
      region: 'RegionOne',
      endpoint: 'https://objects.cloud.example:9000',
      forcePathStyle: true,
    },
  },
  'an address': {
    keySet: 'local',
    post: upload,
    config: { region: 'us-east-1', endpoint: 'http://127.0.0.1:9000' },
  },
  'a prefix': {
    post: { bucket: 'uploads', keyPrefix: 'users/7/', maxBytes: 1 },
    Key: `users/7/${variable}`,
  },
  'a prefix in the path': {
    post: { bucket: 'uploads', keyPrefix: 'users/caf\u00e9/', maxBytes: 1, pathStyle: true },
    config: { forcePathStyle: true },
    Key: `users/caf\u00e9/${variable}`,
  },
  'a name of all kinds': { post: { ...upload, key: 'caf\u00e9 "a"\\b/\u{1f4c4}+%2F$x' } },
  'another time': { post: { ...upload, expiresSeconds: 60 }, Expires: 60 },
  'a session token': { post: { ...upload, sessionToken: 'FwoGZXIvYXdzEBYaD//abc+==' } },
  'a type and a status': {
    post: { ...upload, contentType: 'image/png', successActionStatus: 201 },
    Fields: { 'Content-Type': 'image/png', success_action_status: '201' },
  },
  'a redirect': {
    post: { ...upload, successActionRedirect: 'https://shop.example/done?a=1&b=%20' },
    Fields: { success_action_redirect: 'https://shop.example/done?a=1&b=%20' },
  },
  'encryption by S3': {
    post: { ...upload, serverSideEncryption: 'AES256' },
    Fields: { 'x-amz-server-side-encryption': 'AES256' },
  },
  'encryption by KMS': {
    post: { ...upload, serverSideEncryption: 'aws:kms', kmsKeyId: 'alias/uploads', bucketKeyEnabled: true },
    Fields: {
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'alias/uploads',
      'x-amz-server-side-encryption-bucket-key-enabled': 'true',
    },
  },
  metadata: {
    post: { ...upload, metadata: { user: '7', note: 'two  "words"' } },
    Fields: { 'x-amz-meta-user': '7', 'x-amz-meta-note': 'two  "words"' },
  },
};

describe.each(Object.entries(cases))(
  '%s',
  (_, { keySet = 'aws', post, config = {}, Key, Fields = {}, Expires }) => {
    const region = typeof config.region === 'string' ? config.region : 'eu-central-1';

    it('is the form of the SDK', async () => {
      const { keyId, ...form } = await formOf(keySet, post, region);
      const expected = await formOfSdk(
        keySet,
        { keyId, ...form },
        { ...config, region },
        {
          Bucket: post.bucket,
          Key: Key ?? post.key ?? '',
          Conditions: [['content-length-range', 0, post.maxBytes]],
          Fields: { ...Fields },
          ...(Expires !== undefined && { Expires }),
        },
        post.sessionToken,
      );
      const read = (policy = '') => JSON.parse(Buffer.from(policy, 'base64').toString());
      expect(read(form.fields['Policy'])).toEqual(read(expected.fields['Policy']));
      expect(form).toEqual(expected);
      expect(Object.keys(form.fields)).toEqual(Object.keys(expected.fields));
    });

    it('has the signature that S3 computes', async () => {
      const form = await formOf(keySet, post, region);
      expect(form.fields['X-Amz-Signature']).toBe(signatureOf(keySet, form));
    });
  },
);
