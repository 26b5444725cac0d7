/** The description of the API: a valid document, and true of what the formats take and answer. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { errorCodes, SignerError } from '../../src/api/errors.ts';
import { maxJsonBytes } from '../../src/api/limits.ts';
import type { Formats } from '../../src/api/messages.ts';
import { type ProviderName, providers } from '../../src/api/providers.ts';
import type { Provider } from '../../src/api/webhook-scheme.ts';
import { defaultBodyLimits } from '../../src/http/body.ts';
import { describeApi } from '../../src/http/openapi.ts';
import { toProblem } from '../../src/http/problem.ts';
import { version } from '../../src/ops/status.ts';
import { page } from '../support/docs.ts';
import { inUse } from '../support/format.ts';
import { undescribed } from '../support/undescribed.ts';

const document = JSON.parse(JSON.stringify(describeApi('1.2.3')));
const ajv = new Ajv2020({ strict: false, schemas: { api: document } });

/** Whether a value fits the schema at a place of the document, and if not, why. */
function flaws(place: readonly string[], value: unknown): readonly string[] {
  const pointer = place.map((each) => each.replaceAll('~', '~0').replaceAll('/', '~1')).join('/');
  const schema = ajv.getSchema(`api#/${encodeURI(pointer)}`);
  if (schema === undefined) throw new Error(`nothing at ${pointer}`);
  return schema(value)
    ? []
    : (schema.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

type Path = 'sign' | 'verify' | 'sign-batch' | 'verify-batch';
const requestFlaws = (path: Path, value: unknown) =>
  flaws(
    ['paths', `/v1/keys/{name}/${path}`, 'post', 'requestBody', 'content', 'application/json', 'schema'],
    value,
  );
const answerFlaws = (path: Path, value: unknown) =>
  flaws(
    ['paths', `/v1/keys/{name}/${path}`, 'post', 'responses', '200', 'content', 'application/json', 'schema'],
    value,
  );

const http = {
  method: 'POST',
  url: 'https://shop.example/orders?a=1',
  headers: { 'X-A': ['1', '2'] },
  body: '{}',
};
/** The time of `inUse`. */
const now = '2026-11-24T12:00:00Z';
const aws = { service: 's3', region: 'eu-central-1' };
/** What a request of each provider holds follows from its scheme. */
const webhooks = Object.fromEntries(
  Object.entries<Provider>(providers).map(([name, { signed, bodyTimestamp }]) => {
    const has = (variable: string) => signed.includes(`{${variable}}`);
    const body = bodyTimestamp === undefined ? 'hello' : `{"${bodyTimestamp.slice(1)}":${Date.parse(now)}}`;
    const request = {
      body,
      encoding: 'utf8',
      ...(has('id') && { id: 'msg_1' }),
      ...(has('url') && { url: 'https://hooks.example/in' }),
      ...(has('method') && { method: 'POST' }),
    };
    return [name, { options: {}, request }];
  }),
) as Readonly<Record<ProviderName, { readonly options: object; readonly request: object }>>;

/** A request of each format, and what turns its answer into one to verify. */
const examples: {
  readonly [F in keyof Formats]: {
    readonly options: object;
    readonly request: object;
    readonly toVerify?: (signature: Formats[F]['signature'], request: object) => object;
  };
} = {
  raw: { options: {}, request: { message: 'hello', output: 'base64' } },
  jwt: {
    options: { maxLifetimeSeconds: 60 },
    request: { claims: { sub: 'me', n: [1] }, lifetimeSeconds: 30 },
    toVerify: ({ token }) => ({ token }),
  },
  ...webhooks,
  webhook: {
    options: {
      signed: '{method} {host}{path}\n{timestamp}.{body}',
      headers: { 'X-Time': '{timestamp}', 'X-Signature': '{signature}' },
    },
    request: { body: 'hello', method: 'POST', url: 'https://hooks.example/in' },
    toVerify: ({ headers }, request) => ({ ...request, headers }),
  },
  cookie: { options: {}, request: { value: 'hello' }, toVerify: ({ cookie }) => ({ cookie }) },
  'http-signature': {
    options: {},
    request: http,
    toVerify: ({ headers }) => ({ ...http, headers: { ...http.headers, ...headers } }),
  },
  'aws-sigv4': {
    options: { accessKeyId: 'AKIDEXAMPLE', services: ['s3'], regions: ['eu-central-1'] },
    request: { ...http, ...aws },
    toVerify: (signature) => ({
      ...http,
      headers: { ...http.headers, ...('headers' in signature && signature.headers) },
    }),
  },
  'signed-url': {
    options: {},
    request: { url: 'https://shop.example/orders?a=1', method: 'GET', expiresSeconds: 60 },
    toVerify: ({ url }) => ({ url, method: 'GET' }),
  },
};

/** Those whose time stands in the body, which has to be now. */
const providersWithTime = new Set(
  Object.entries<Provider>(providers).flatMap(([name, { bodyTimestamp }]) =>
    bodyTimestamp === undefined ? [] : [name],
  ),
);

it('is a valid OpenAPI document', async () => {
  const validator = new Validator();
  expect(await validator.validate(structuredClone(document))).toEqual({ valid: true });
  expect(validator.version).toBe('3.1');
  const broken = { ...structuredClone(document), paths: { 'v1/keys': { fetch: {} } } };
  expect(await validator.validate(broken)).toMatchObject({ valid: false });
});

it('has the routes that docs/http-api.md lists, with the version of the signer', () => {
  const listed = page('docs/http-api.md')
    .table('Paths', 'method and path')
    .rows.map(([cell]) => cell);
  const described = Object.entries<object>(document.paths).flatMap(([path, item]) =>
    Object.keys(item)
      .filter((member) => member !== 'parameters')
      .map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(described.sort()).toEqual(listed.sort());
  expect(document.info.version).toBe('1.2.3');
});

it('is docs/openapi.json, which npm run generate writes', () => {
  const file = JSON.parse(readFileSync(join(import.meta.dirname, '../../docs/openapi.json'), 'utf8'));
  expect(file).toEqual(JSON.parse(JSON.stringify(describeApi(version))));
});

it('describes every operation, parameter, header, body, answer, schema and member', () => {
  expect(undescribed(document)).toEqual([]);
  const broken = structuredClone(document);
  delete broken.components.schemas['aws-sigv4.sign'].anyOf[1].properties.post.properties.bucket.description;
  delete broken.components.parameters.guard.description;
  delete broken.components.responses['429'].headers['Retry-After'].description;
  delete broken.paths['/v1/keys/{name}/sign-batch'].post.responses['200'].description;
  expect(undescribed(broken)).toEqual([
    'paths./v1/keys/{name}/sign-batch.post.responses.200',
    'components.parameters.guard',
    'components.responses.429.headers.Retry-After',
    'components.schemas.aws-sigv4.sign.anyOf.1.properties.post.properties.bucket',
  ]);
});

it('has an example of every schema that is none of another name, and each fits', () => {
  const own = Object.entries<{ examples?: readonly unknown[]; $ref?: string }>(
    document.components.schemas,
  ).filter(([, { $ref }]) => $ref === undefined);
  expect(own.length).toBeGreaterThan(30);
  for (const [name, { examples: [example] = [] }] of own) {
    expect([name, flaws(['components', 'schemas', name], example)]).toEqual([name, []]);
  }
});

describe('how long a request may be', () => {
  const taking = (start: 'startSigning' | 'startVerification') =>
    Object.entries(examples)
      .filter(([name, { options }]) => inUse(name as keyof Formats, options).format[start] !== undefined)
      .map(([name]) => name);
  const bodyOf = (path: Path) => document.paths[`/v1/keys/{name}/${path}`].post.requestBody.description;
  const streamed = { sign: taking('startSigning'), verify: taking('startVerification') };

  it.each(['sign', 'verify'] as const)(
    'to %s stands with the formats that take the message itself',
    (path) => {
      expect(bodyOf(path)).toBe(
        `JSON of at most 1048576 bytes, or the message itself, of any length, as application/octet-stream. The format raw and the webhook formats accept that, unless the keys are derived.`,
      );
      expect(bodyOf(`${path}-batch`)).toBe('At most 1048576 bytes.');
    },
  );

  it('stands in docs/http-api.md', () => {
    const { table, tables } = page('docs/http-api.md');
    const messages = Object.fromEntries(table('Send the message itself', 'operation').rows);
    const everyWebhook = [...Object.keys(providers), 'webhook'];
    expect(streamed).toEqual({ sign: ['raw', ...everyWebhook], verify: ['raw', ...everyWebhook] });
    const shown = 'raw, webhook, and the format of every provider';
    expect(messages).toEqual({ sign: shown, verify: shown });
    const limits = Object.fromEntries(
      tables.flatMap(({ heading, rows }) => (heading === 'Limits' ? rows : [])),
    );
    const { timeoutMs, maxStreamMs, minBytesPerSecond, smallBytes, maxHeldBytes } = defaultBodyLimits;
    expect(limits).toMatchObject({
      'JSON of a request or of a batch': `1 MiB (${maxJsonBytes.toLocaleString('en')} bytes)`,
      'until the whole JSON body has arrived': `${timeoutMs / 1000} s`,
      'between two parts of an application/octet-stream': `${timeoutMs / 1000} s`,
      'average speed of an application/octet-stream, after 5 s': `${minBytesPerSecond / 1024} KiB a second`,
      'until the whole application/octet-stream has arrived': `${maxStreamMs / 60_000} minutes`,
      [`bodies of more than ${smallBytes / 1024} KiB, or of unknown length`]: `${maxHeldBytes / 2 ** 20} MiB; one body counts at most 1 MiB`,
    });
  });
});

it('has no request with names of the caller, which a refusal would repeat', () => {
  const requests = Object.entries<object>(document.components.schemas).filter(([name]) =>
    /\.(sign|verify)$/.test(name),
  );
  expect(requests).toHaveLength(2 * Object.keys(examples).length);
  for (const request of requests) expect(JSON.stringify(request)).not.toContain('propertyNames');
});

it('lists every refusal under its status', () => {
  const { responses } = document.components;
  const { responses: listed } = document.paths['/v1/keys/{name}/sign'].post;
  expect(Object.keys(listed)).toEqual(['200', ...Object.keys(responses)]);
  for (const [code, { status }] of Object.entries(errorCodes)) {
    expect(responses[status].description).toContain(`${code}: `);
    const problem = toProblem(new SignerError(code as keyof typeof errorCodes, 'do something else'));
    expect(flaws(['components', 'schemas', 'problem'], problem)).toEqual([]);
  }
});

describe.each(Object.entries(examples))('%s', (name, { options, request, toVerify }) => {
  const { sign, verify } = inUse(name as keyof Formats, options);
  const signature = sign(request);
  const { keyId, ...signed } = signature;
  const more = toVerify as ((signature: object, request: object) => object) | undefined;
  const given = more?.(signature, request) ?? { ...request, ...signed };
  const { algorithm, id, ...toBeVerified } = given as Record<string, unknown>;

  it('requests and answers are as described', () => {
    expect(requestFlaws('sign', request)).toEqual([]);
    expect(answerFlaws('sign', signature)).toEqual([]);
    expect(requestFlaws('verify', toBeVerified)).toEqual([]);
    const yes = verify(toBeVerified);
    expect(yes).toMatchObject({ valid: true });
    expect(flaws(['components', 'schemas', `${name}.verification`], yes)).toEqual([]);
    const no = inUse(name as keyof Formats, options).verify(toBeVerified);
    expect(no).toMatchObject({ valid: false });
    expect(flaws(['components', 'schemas', `${name}.verification`], no)).toEqual([]);
  });

  it('the format takes the example of its requests', () => {
    const exampleOf = (part: string) => {
      const { $ref = '', examples = [] } = document.components.schemas[`${name}.${part}`];
      return examples[0] ?? document.components.schemas[$ref.split('/').at(-1)]?.examples[0];
    };
    const isTimed = providersWithTime.has(name);
    const example = { ...exampleOf('sign'), ...(isTimed && 'body' in request && { body: request.body }) };
    const more = name === 'webhook' ? { method: 'POST', url: 'https://shop.example/' } : {};
    expect(sign({ ...example, ...more })).toHaveProperty('keyId');
    expect(verify({ ...exampleOf('verify'), ...more })).toHaveProperty('valid');
  });

  it('what is refused is not described', () => {
    expect(requestFlaws('sign', { ...request, algorithm: 'HS512' })).not.toEqual([]);
    expect(requestFlaws('sign', { tenant: 'acme' })).not.toEqual([]);
    expect(flaws(['components', 'schemas', `${name}.verification`], { valid: true })).not.toEqual([]);
  });

  it('a tenant may be named, and in a batch a reference', () => {
    expect(requestFlaws('sign', { ...request, tenant: 'acme' })).toEqual([]);
    expect(requestFlaws('sign', { ...request, reference: '1' })).not.toEqual([]);
    const items = [{ ...request, tenant: 'acme', reference: '1' }];
    expect(requestFlaws('sign-batch', { items })).toEqual([]);
    const error = toProblem(new SignerError('rate_limited', 'wait'));
    const results = [{ ...signature, reference: '1' }, { error }];
    expect(answerFlaws('sign-batch', { results })).toEqual([]);
    expect(answerFlaws('sign-batch', { results: [{ reference: '1' }] })).not.toEqual([]);
  });
});

it('describes the presigned POST of aws-sigv4, in a batch and for a tenant, too', () => {
  const options = { ...examples['aws-sigv4'].options, maxPostBytes: 1024 };
  const request = {
    post: { bucket: 'uploads', key: 'a.txt', maxBytes: 1, metadata: { user: '7' }, successActionStatus: 201 },
    ...aws,
  };
  const form = inUse('aws-sigv4', options).sign(request);
  expect(form).toHaveProperty('fields');
  expect(requestFlaws('sign', request)).toEqual([]);
  expect(requestFlaws('sign', { ...request, tenant: 'acme' })).toEqual([]);
  expect(requestFlaws('sign-batch', { items: [{ ...request, tenant: 'acme', reference: '1' }] })).toEqual([]);
  expect(answerFlaws('sign', form)).toEqual([]);
  expect(answerFlaws('sign-batch', { results: [{ ...form, reference: '1' }] })).toEqual([]);
  expect(requestFlaws('sign', { post: { ...request.post, acl: 'public-read' } })).not.toEqual([]);
  expect(requestFlaws('sign', { post: { ...request.post, metadata: { user: 7 } } })).not.toEqual([]);
  expect(requestFlaws('sign', { ...request, reference: '1' })).not.toEqual([]);
  expect(requestFlaws('verify', request)).not.toEqual([]);
});
