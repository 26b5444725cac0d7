/** `jose`, with one key on both sides, for each algorithm. */

import { randomBytes } from 'node:crypto';
import { decodeProtectedHeader, errors, jwtVerify, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';

const lengths = { HS256: 32, HS384: 48, HS512: 64 } as const;
type Algorithm = keyof typeof lengths;
const algorithms = Object.keys(lengths) as Algorithm[];
const secrets = new Map(algorithms.map((algorithm) => [algorithm, randomBytes(lengths[algorithm])]));
const secretOf = (algorithm: Algorithm) => secrets.get(algorithm) ?? Buffer.alloc(0);
const numeric = randomBytes(32);
const jwt = { issuer: 'https://shop.example', audience: 'api', maxLifetimeSeconds: 900 };
const claims = { sub: 'user-1', roles: ['admin', 'naïve ☃'], nested: { amount: 1.5, none: null } };
let running: ConfiguredSigner;

beforeAll(async () => {
  running = await startConfigured(
    { ...Object.fromEntries(secrets), numeric },
    {
      ...Object.fromEntries(algorithms.map((algorithm) => [algorithm, { algorithm, format: 'jwt', jwt }])),
      numeric: { format: 'jwt', jwt: { allowNumericSubject: true } },
    },
  );
});
afterAll(() => running[Symbol.asyncDispose]());

describe.each(algorithms)('%s', (algorithm) => {
  const secret = secretOf(algorithm);
  const keySet = () => running.client.keySet(algorithm, 'jwt');
  const theirs = (header: object = { typ: 'JWT' }) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: algorithm, ...header })
      .setIssuer(jwt.issuer)
      .setAudience(jwt.audience)
      .setIssuedAt()
      .setExpirationTime('5m');

  it('accepts a token that we sign', async () => {
    const { token, keyId, expiresAt } = await keySet().sign({ claims, lifetimeSeconds: 60 });
    const options = { algorithms: [algorithm], issuer: jwt.issuer, audience: jwt.audience, typ: 'JWT' };
    const { payload, protectedHeader } = await jwtVerify(token, secret, options);
    expect(protectedHeader).toEqual({ alg: algorithm, typ: 'JWT', kid: keyId });
    expect(payload).toEqual({
      ...claims,
      iss: jwt.issuer,
      aud: jwt.audience,
      iat: expect.any(Number),
      exp: Date.parse(expiresAt) / 1000,
    });
    expect(Number(payload.exp) - Number(payload.iat)).toBe(60);
    const foreign = jwtVerify(token, randomBytes(64), options);
    await expect(foreign).rejects.toBeInstanceOf(errors.JWSSignatureVerificationFailed);
  });

  it('signs tokens that we accept', async () => {
    const answer = await keySet().verify({ token: await theirs().sign(secret) });
    expect(answer).toMatchObject({ valid: true, primary: true, claims });
  });

  it('signs tokens that we refuse', async () => {
    const reasonOf = async (token: SignJWT, key: Uint8Array = secret) => {
      const answer = await keySet().verify({ token: await token.sign(key) });
      return answer.valid ? 'valid' : answer.reason;
    };
    expect(await reasonOf(theirs(), randomBytes(64))).toBe('mismatch');
    expect(await reasonOf(theirs().setExpirationTime('-1s'))).toBe('expired');
    expect(await reasonOf(theirs().setNotBefore('1d'))).toBe('not_yet_valid');
    expect(await reasonOf(theirs().setIssuer('https://evil.example'))).toBe('not_allowed');
    expect(await reasonOf(theirs().setAudience('web'))).toBe('not_allowed');
    expect(await reasonOf(theirs({ typ: 'at+jwt' }))).toBe('not_allowed');
    expect(await reasonOf(theirs({ crit: ['b64'], b64: true }))).toBe('malformed');
    const other = algorithm === 'HS512' ? 'HS384' : 'HS512';
    expect(await reasonOf(theirs({ alg: other }), Buffer.concat([secret, secret]))).toBe('mismatch');
  });
});

it('agrees with us in every token of a batch', async () => {
  const items = Array.from({ length: 100 }, (_, index) => ({
    claims: { sub: `user-${index}` },
    reference: `${index}`,
  }));
  const results = await running.client.keySet('HS256', 'jwt').signBatch(items);
  const subjects = await Promise.all(
    results.map(async (result) => {
      if ('error' in result) throw new Error(result.error.detail);
      expect(decodeProtectedHeader(result.token).alg).toBe('HS256');
      return (await jwtVerify(result.token, secretOf('HS256'))).payload.sub;
    }),
  );
  expect(subjects).toEqual(items.map(({ claims }) => claims.sub));
});

it('has an integer as sub, as some frameworks write it, where the key set admits that', async () => {
  const theirs = (key: Uint8Array) =>
    new SignJWT({ sub: 42 as unknown as string })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('5m')
      .sign(key);
  const keySet = running.client.keySet('numeric', 'jwt');
  expect(await keySet.verify({ token: await theirs(numeric) })).toMatchObject({ claims: { sub: 42 } });
  const { token } = await keySet.sign({ claims: { sub: 42 } });
  expect((await jwtVerify(token, numeric)).payload.sub).toBe(42);
  const strict = running.client.keySet('HS256', 'jwt');
  expect(await strict.verify({ token: await theirs(secretOf('HS256')) })).toMatchObject({
    reason: 'malformed',
    detail: expect.stringContaining('sub must be a string'),
  });
});
