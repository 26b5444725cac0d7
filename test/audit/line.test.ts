/** One line: its fields, what it escapes and cuts, and how a signature is found in it. */

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { follows, hashOf, isFirst, origin, placeOf } from '../../src/audit/chain.ts';
import { fingerprint, fingerprintsIn } from '../../src/audit/fingerprint.ts';
import { type AuditEvent, draft, finish, quote } from '../../src/audit/line.ts';

const at = Date.UTC(2026, 10, 24, 12, 0, 0, 7);
const write = (event: AuditEvent) => finish(draft(event, at), quote('pod-1'), 1, origin.hash);

describe('a line', () => {
  it('has its fields in a fixed order', () => {
    const event: AuditEvent = {
      ...{ signature: 'abc', about: { bytes: 3, sub: 'ann' }, reference: 'r', tenant: 'acme', outcome: 'ok' },
      ...{ operation: 'sign', format: 'raw', keyId: 'k', keySet: 'orders', caller: 'web' },
    };
    const signature = createHash('sha256').update('abc').digest('hex').slice(0, 32);
    expect(write(event)).toBe(
      `{"audit":1,"time":"2026-11-24T12:00:00.007Z","seq":1,"instance":"pod-1","caller":"web","keySet":"orders","keyId":"k","format":"raw","operation":"sign","outcome":"ok","tenant":"acme","reference":"r","about":{"bytes":3,"sub":"ann"},"signature":"${signature}","prev":"${origin.hash}"}`,
    );
  });

  it('is ASCII and JSON, whatever a caller writes', () => {
    const text = fc.string({ unit: 'binary', maxLength: 256 });
    const property = fc.property(text, text, fc.array(text), (reference, sub, aud) => {
      const line = write({ caller: 'tcp', outcome: 'ok', reference, about: { sub, aud } });
      expect(line).toMatch(/^[\x20-\x7e]+$/);
      const { reference: read, about, seq } = JSON.parse(line);
      expect([read, about.sub, seq]).toEqual([reference.slice(0, 256), sub.slice(0, 256), 1]);
    });
    fc.assert(property);
  });

  it('cuts what is long, and leaves out what is neither text, number nor list', () => {
    const about = {
      ...{
        sub: 'x'.repeat(300),
        nested: { a: 1 },
        yes: true,
        none: null,
        absent: undefined,
        exp: 7,
        bad: Number.NaN,
      },
      aud: ['a'.repeat(300), 'b', 7],
      many: Array(100).fill('c'),
    };
    const read = JSON.parse(write({ caller: 'tcp', outcome: 'ok', about })).about;
    expect(read).toEqual({ sub: 'x'.repeat(256), exp: 7, aud: ['a'.repeat(256)], many: Array(32).fill('c') });
  });

  it('is shorter than a reader takes, at its worst', () => {
    const worst = '\u{10ffff}'.repeat(500);
    const about = { sub: worst, jti: worst, aud: Array(99).fill(worst), host: worst, pathPrefix: worst };
    const names = { caller: worst, keySet: worst, keyId: worst, tenant: worst, reference: worst };
    expect(write({ ...names, outcome: 'ok', about }).length).toBeLessThan(32 * 1024);
  });
});

describe('a chain', () => {
  it('goes from line to line', () => {
    const first = write({ outcome: 'ok' });
    const head = { seq: 1, hash: hashOf(first) };
    const second = finish(draft({ outcome: 'ok' }, at), quote('pod-1'), 2, head.hash);
    const [one, two] = [placeOf(first), placeOf(second)];
    if (one === undefined || two === undefined) throw new Error('no line');
    expect([isFirst(one), isFirst(two)]).toEqual([true, false]);
    expect([follows(origin, one), follows(head, two), follows(origin, two), follows(head, one)]).toEqual([
      ...[true, true, false, false],
    ]);
  });

  it.each([
    '',
    '{}',
    '{"audit":2,"seq":1}',
    ' {"audit":1,"time":"","seq":1}',
    '{"audit":1,"time":"","seq":1,"prev":"0"}',
    `{"audit":1,"time":"","seq":0,"prev":"${origin.hash}"}`,
    `{"audit":1,"time":"","seq":1.5,"prev":"${origin.hash}"}`,
    `{"audit":1,"seq":1,"prev":"${origin.hash}"}`,
    `{"audit":1,"time":"","seq":"1","prev":"${origin.hash.toUpperCase()}"`,
  ])('has no line such as %s', (text) => {
    expect(placeOf(text)).toBeUndefined();
  });
});

describe('a signature', () => {
  const tag = createHash('sha512').update('a').digest();
  const hex = tag.toString('hex', 0, 32);
  const base64 = Buffer.from([0xfb, 0xff, ...tag.subarray(0, 30)]).toString('base64');
  const base64url = base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  const unpadded = base64.replaceAll('=', '');

  it.each<[what: string, given: string, tag: string]>([
    ['itself', hex, hex],
    ['in upper case', hex.toUpperCase(), hex],
    ['in base64', base64, base64],
    ['a token', `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.${base64url}`, base64url],
    ['a token in a header', `Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.${base64url}`, base64url],
    ['a header of GitHub', `X-Hub-Signature-256: sha256=${hex}`, hex],
    ['a header of Stripe', `t=1796024305,v1=${hex},v0=abc`, hex],
    ['a header of Slack', `v0=${hex}`, hex],
    ['one of several', `v1,${'A'.repeat(43)}= v1,${base64}`, base64],
    ['an HTTP message signature', `sig1=:${base64}:`, base64],
    ['of AWS', `AWS4-HMAC-SHA256 Credential=A/b/c, SignedHeaders=host, Signature=${hex}`, hex],
    ['a cookie', `s:user.7.${unpadded}`, unpadded],
    [
      'a cookie as it is sent',
      `Cookie: a=1; sid=${encodeURIComponent(`s:user.7.${unpadded}`)}; b=2`,
      unpadded,
    ],
    ['a URL', `https://a.example/b?expires=1&kid=k&signature=${base64url}`, base64url],
    ['a URL of imgproxy', `https://a.example/${base64url}/exp:1/rs:fill/plain/s3://b/c.png`, base64url],
    ['a token of Akamai', `https://a.example/b?__token__=exp=1~hmac=${hex}`, hex],
    ['with a prefix', `acme-${hex}`, hex],
    ['with letters in front', `v${hex}`, hex],
    ['a JSON answer', JSON.stringify({ signature: hex, keyId: 'k' }), hex],
    ['with space around it', `\n ${base64} \n`, base64],
  ])('is found in %s', (_, given, written) => {
    expect(fingerprintsIn(given)).toContain(fingerprint(written));
  });

  it('is not found in what is too short', () => {
    expect(fingerprintsIn('abc.def=ghi, 1234567890').size).toBe(0);
  });

  it('takes little time to look for in a long text', () => {
    const started = performance.now();
    fingerprintsIn('=_-/'.repeat(60_000));
    fingerprintsIn('%41'.repeat(80_000));
    fingerprintsIn('a/'.repeat(120_000));
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
