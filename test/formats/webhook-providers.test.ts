/** Every entry of the table of providers: its scheme, its requests, and what it signs, from the template alone. */

import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { HttpHeaders, MessageHeaders } from '../../src/api/messages.ts';
import { type ProviderName, providers } from '../../src/api/providers.ts';
import { type Provider, receivedNames } from '../../src/api/webhook-scheme.ts';
import { formats } from '../../src/formats/index.ts';
import { compileScheme } from '../../src/formats/webhook/compile.ts';
import { webhookFormats } from '../../src/formats/webhook/index.ts';
import { at, inUse, refusalOf } from '../support/format.ts';
import { tagOf } from '../support/keys.ts';

const table: Readonly<Record<string, Provider>> = providers;
const names = Object.keys(providers) as ProviderName[];
const seconds = 1_800_000_000;
const url = 'https://shop.example/hooks?x=1';
const times = {
  seconds: `${seconds}`,
  milliseconds: `${seconds}000`,
  rfc3339: '2027-01-15T08:00:00Z',
} as const;

it('has at least 30 providers, each a format of its name with a source', () => {
  expect(names.length).toBeGreaterThanOrEqual(30);
  expect(webhookFormats.map(({ name }) => name)).toEqual([...names, 'webhook']);
  for (const name of names) {
    expect(formats.get(name)?.name).toBe(name);
    expect(table[name]?.source).toMatch(/^https:\/\/[a-z.-]+\/\S+$/);
  }
});

it('says of each scheme that it is ambiguous if it can be read in two ways, and of no other', () => {
  const ambiguous = names.filter((name) => {
    const { ambiguous: _, ...scheme } = table[name] as Provider;
    const compiled = compileScheme(scheme, scheme.algorithm ?? 'HS256', true);
    if ('signed' in compiled) return false;
    expect(compiled.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^can be read in two ways: /),
    ]);
    return true;
  });
  expect(ambiguous).toEqual(names.filter((name) => table[name]?.ambiguous));
  expect(ambiguous.sort()).toEqual(['cashfree', 'hubspot', 'square', 'trello', 'twilio', 'twitch']);
});

describe.each(names)('%s', (name) => {
  const provider = table[name] as Provider;
  const { signed, headers: templates, output = 'hex', timestamp = 'seconds', algorithm = 'HS256' } = provider;
  const secrets = [randomBytes(32), randomBytes(32)] as const;
  const signer = inUse(name, {}, { secrets, now: at(seconds) });
  const body =
    provider.bodyTimestamp === undefined
      ? 'b=2&a=1'
      : JSON.stringify({ [provider.bodyTimestamp.slice(1)]: Number(times[timestamp]), b: 2 });
  const hasId = signed.includes('{id}');
  const target = {
    ...(signed.includes('{url}') && { url }),
    ...(signed.includes('{method}') && { method: 'POST' }),
  };
  const request = { body, ...target, ...(hasId && { id: 'msg_1' }) };

  const messageOf = (key: Uint8Array, text = body) => {
    const values: Readonly<Record<string, string>> = {
      body: text,
      form: 'a1b2',
      timestamp: times[timestamp],
      id: 'msg_1',
      url,
      method: 'POST',
    };
    const message = signed.replace(/\{(\w+)\}/g, (_, variable) => values[variable] ?? 'unknown');
    return tagOf(algorithm, key, message);
  };
  /** The headers with the tag, by the templates alone. */
  const headersOf = (tag: Buffer): Record<string, string> =>
    Object.fromEntries(
      Object.entries(templates).map(([header, template]) => {
        const { items, separator } =
          typeof template === 'string'
            ? { items: [template], separator: '' }
            : 'items' in template
              ? template
              : { items: template, separator: ',' };
        const value = items
          .join(separator)
          .replace('{signature}', tag.toString(output))
          .replace('{timestamp}', times[timestamp])
          .replace('{id}', 'msg_1');
        return [header.replace('{n}', provider.names?.[0] ?? '1'), value];
      }),
    );
  const genuine = headersOf(messageOf(secrets[0]));
  const verify = (headers: HttpHeaders, more: object = {}) =>
    signer.verify({ body, ...target, headers, ...more } as never);
  const isTimed = signed.includes('{timestamp}') || provider.bodyTimestamp !== undefined;
  const proof = { ...(hasId && { id: 'msg_1' }), ...(isTimed && { timestamp: times[timestamp] }) };
  const [primary, second] = signer.use.keys;

  it('compiles', () => {
    const compiled = compileScheme(provider, algorithm, true);
    expect('signed' in compiled ? 'a scheme' : compiled).toBe('a scheme');
    expect(signer.format.algorithms).toEqual([algorithm]);
    expect(signer.format.secretEncoding).toBe(provider.secretEncoding ?? 'text');
    expect(signer.format.minKeyBytes?.(algorithm)).toBe(provider.minKeyBytes ?? 0);
  });

  it('signs what its template says', () => {
    expect(signer.sign(request)).toEqual({ headers: genuine, keyId: primary.id });
  });

  it('verifies by each key, and says which', () => {
    expect(verify(genuine)).toEqual({ valid: true, keyId: primary.id, primary: true, ...proof });
    const byOther = headersOf(messageOf(secrets[1]));
    expect(verify(byOther)).toEqual({ valid: true, keyId: second?.id, primary: false, ...proof });
    expect(verify(headersOf(messageOf(randomBytes(32))))).toEqual({ valid: false, reason: 'mismatch' });
  });

  it('refuses a tag with any bit flipped, and another body', () => {
    const tag = messageOf(secrets[0]);
    for (let bit = 0; bit < tag.length * 8; bit++) {
      const flipped = Buffer.from(tag);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(verify(headersOf(flipped))).toEqual({ valid: false, reason: 'mismatch' });
    }
    for (let at = 0; at < body.length; at++) {
      const changed = Buffer.from(body);
      changed.writeUInt8(changed.readUInt8(at) ^ 2, at);
      const { valid } = verify(genuine, { body: changed.toString('base64'), encoding: 'base64' });
      expect(valid, `byte ${at}`).toBe(false);
    }
  });

  if (/\{(?:timestamp|id|url|method)\}/.test(signed))
    it('refuses another time, id, URL or method', () => {
      for (const [header, value] of Object.entries(genuine)) {
        for (const text of ['msg_1', times[timestamp]]) {
          if (!value.includes(text) || /signature-(?:version|algorithm)$/.test(header)) continue;
          const changed = value.replace(text, text.startsWith('msg') ? 'msg_2' : text.replace('8', '7'));
          expect(verify({ ...genuine, [header]: changed }).valid, header).toBe(false);
        }
      }
      if ('url' in target) expect(verify(genuine, { url: `${url}1` })).toMatchObject({ valid: false });
      if ('method' in target) expect(verify(genuine, { method: 'PUT' })).toMatchObject({ valid: false });
    });

  it('needs each header that holds something of the signature', () => {
    for (const [header, value] of Object.entries(genuine)) {
      const { [header]: _, ...rest } = genuine;
      const isFixed = Object.values(templates).includes(value);
      expect(verify(rest), header).toEqual(
        isFixed ? expect.objectContaining({ valid: true }) : { valid: false, reason: 'missing' },
      );
    }
    expect(verify({})).toEqual({ valid: false, reason: 'missing' });
  });

  it('reads its names alone, the same in the signer and in the client', () => {
    const { verificationHeaders = [] } = signer.format;
    expect([...verificationHeaders].sort()).toEqual([...receivedNames(provider)].sort());
    expect(new Set(verificationHeaders).size).toBe(verificationHeaders.length);
    expect(verificationHeaders.every((header) => header === header.toLowerCase())).toBe(true);
    const told = ['sec-signer-url', 'sec-signer-method'];
    const looked = new Set<string>();
    for (const only of verificationHeaders.slice(0, 10)) {
      signer.format.startVerification?.(signer.use, (header) => {
        looked.add(header);
        if (header === 'sec-signer-url') return url;
        return header === 'sec-signer-method' ? 'POST' : header === only ? 'v1,x' : undefined;
      });
    }
    for (const header of looked) expect([...verificationHeaders, ...told]).toContain(header);
    expect(told.filter((header) => looked.has(header))).toEqual(
      told.filter((header) => Object.hasOwn(target, header.slice('sec-signer-'.length))),
    );
  });

  it('reads its aliases where its own names are absent', () => {
    const { aliases = {} } = provider;
    const renamed = Object.entries(genuine).flatMap(([header, value]) =>
      aliases[header] === undefined ? [] : [[aliases[header][0] ?? '', value]],
    );
    expect(renamed.length).toBe(Object.keys(aliases).length);
    if (renamed.length > 0) expect(verify(Object.fromEntries(renamed))).toMatchObject({ valid: true });
  });

  it('has the members that its template needs, and no others', () => {
    for (const member of ['url', 'method', 'id'] as const) {
      const isThere = signed.includes(`{${member}}`);
      const { [member]: _, ...rest }: Record<string, unknown> = request;
      const more = { ...rest, [member]: { url, method: 'POST', id: 'msg_2' }[member] };
      expect(refusalOf(() => signer.sign(more)).startsWith('not refused'), member).toBe(isThere);
      const isNeeded = isThere && member !== 'id';
      expect(refusalOf(() => signer.sign(rest)).startsWith('not refused'), member).toBe(!isNeeded);
    }
    for (const member of ['path', 'query', 'host', 'headers', 'timestamp', 'nonce', 'form', 'token']) {
      expect(
        refusalOf(() => signer.sign({ ...request, [member]: 'x' })),
        member,
      ).toMatch(/^malformed_request/);
    }
    const { requests } = formats.get(name) ?? {};
    expect(requests?.sign.safeParse(request).success).toBe(true);
    expect(requests?.verify.safeParse({ body, ...target, headers: {} }).success).toBe(true);
  });

  it('signs and verifies a message in parts', () => {
    const told: MessageHeaders = {
      ...(signed.includes('{url}') && { 'sec-signer-url': url }),
      ...(signed.includes('{method}') && { 'sec-signer-method': 'POST' }),
    };
    const parts = [Buffer.from(body.slice(0, 3)), Buffer.from(body.slice(3))] as const;
    expect(signer.verifyParts({ ...told, ...genuine }, ...parts)).toMatchObject({ valid: true, ...proof });
    const sink = signer.format.startSigning?.(signer.use, (header) =>
      header === 'sec-signer-id' ? 'msg_1' : told[header],
    );
    for (const part of parts) sink?.update(part);
    expect(sink?.finish()).toEqual({ headers: genuine, keyId: primary.id });
  });

  if (isTimed)
    it('has a limit for its age, in both directions', () => {
      const { toleranceSeconds, futureToleranceSeconds } = signer.format.options as {
        toleranceSeconds: number;
        futureToleranceSeconds: number;
      };
      expect(toleranceSeconds).toBe(provider.toleranceSeconds ?? 300);
      expect(futureToleranceSeconds).toBe(provider.futureToleranceSeconds ?? toleranceSeconds);
      const judge = (shift: number) => {
        const later = inUse(name, {}, { secrets, now: at(seconds + shift) });
        return later.verify({ body, ...target, headers: genuine });
      };
      expect(judge(toleranceSeconds)).toMatchObject({ valid: true });
      expect(judge(toleranceSeconds + 1)).toEqual({ valid: false, reason: 'expired' });
      expect(judge(-futureToleranceSeconds)).toMatchObject({ valid: true });
      expect(judge(-futureToleranceSeconds - 1)).toEqual({ valid: false, reason: 'not_yet_valid' });
    });

  it('signs by all keys where its header can hold several signatures', () => {
    const isSeveral = 'signWith' in signer.format.options;
    const all = inUse(name, { signWith: 'all' }, { secrets, now: at(seconds) });
    const { headers } = all.sign(request);
    const both = secrets.map((secret) => messageOf(secret).toString(output));
    const text = JSON.stringify(headers);
    if (isSeveral) {
      expect(both.every((signature) => text.includes(signature))).toBe(true);
      const single = inUse(name, {}, { secrets: [secrets[1]], now: at(seconds) });
      expect(single.verify({ body, ...target, headers })).toMatchObject({ valid: true });
    } else {
      expect(
        Object.values(templates).some((each) => typeof each !== 'string') && provider.signWith === undefined,
      ).toBe(false);
    }
  });
});

describe('what some providers do with the URL', () => {
  const secret = randomBytes(32);

  it('twilio: the signature may be of the URL with or without its port', () => {
    const twilio = inUse('twilio', {}, { secrets: [secret] });
    const signature = (signedUrl: string) => ({
      'X-Twilio-Signature': tagOf('HMAC-SHA1', secret, `${signedUrl}a1`).toString('base64'),
    });
    const accepts = (given: string, signedUrl: string) =>
      twilio.verify({ body: 'a=1', url: given, headers: signature(signedUrl) }).valid;
    for (const [bare, port] of [
      ['https://shop.example/a?b=c', 'https://shop.example:443/a?b=c'],
      ['http://shop.example/', 'http://shop.example:80/'],
      ['https://shop.example', 'https://shop.example:443'],
      ['https://[::1]/a', 'https://[::1]:443/a'],
    ] as const) {
      expect([accepts(bare, bare), accepts(port, port), accepts(bare, port), accepts(port, bare)]).toEqual([
        true,
        true,
        true,
        true,
      ]);
    }
    // Another port in the URL that the receiver knows may have been left out by the sender.
    expect(accepts('https://shop.example:8443/', 'https://shop.example/')).toBe(true);
    expect(accepts('https://shop.example/', 'https://shop.example:8443/')).toBe(false);
    expect(accepts('https://shop.example/', 'http://shop.example/')).toBe(false);
    expect(accepts('https://shop.example/', 'https://shop.example:80/')).toBe(false);
    expect(twilio.sign({ body: 'a=1', url: 'https://shop.example/' }).headers).toEqual(
      signature('https://shop.example/'),
    );
  });

  it('hubspot: some escapes are decoded first', () => {
    const hubspot = inUse('hubspot', {}, { secrets: [secret], now: at(seconds) });
    const given = 'https://shop.example/a%3Ab?c=%2F%3f%40%21%24%27%28%29%2A%2C%3B&d=%20%25%26%3D%23é'.replace(
      'é',
      '%C3%A9',
    );
    const decoded = "https://shop.example/a:b?c=/?@!$'()*,;&d=%20%25%26%3D%23%C3%A9";
    const { headers } = hubspot.sign({ body: '{}', method: 'POST', url: given });
    const expected = tagOf('HS256', secret, `POST${decoded}{}${times.milliseconds}`).toString('base64');
    expect(headers['X-HubSpot-Signature-v3']).toBe(expected);
    expect(hubspot.verify({ body: '{}', method: 'POST', url: given, headers })).toMatchObject({
      valid: true,
    });
    expect(hubspot.verify({ body: '{}', method: 'POST', url: decoded, headers })).toMatchObject({
      valid: true,
    });
  });
});
