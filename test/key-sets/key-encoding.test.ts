import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeKey } from '../../src/key-sets/key-encoding.ts';
import { keyEncodings } from '../../src/key-sets/settings.ts';

type Encoding = Parameters<typeof decodeKey>[1];

/** Bytes written as Latin-1, so that a table can hold any of them. */
const bytesOf = (text: string) => Buffer.from(text, 'latin1');
const decoded = (content: string | Uint8Array, encoding: Encoding) =>
  decodeKey(typeof content === 'string' ? bytesOf(content) : content, encoding);
/** The key bytes as Latin-1, or the problem. */
const outcome = (content: string | Uint8Array, encoding: Encoding): string => {
  const result = decoded(content, encoding);
  return result.ok ? Buffer.from(result.value.bytes).toString('latin1') : result.problems.join('; ');
};

const everyByte = Uint8Array.from({ length: 256 }, (_, value) => value);
const encoders: Record<Encoding, (bytes: Buffer) => string> = {
  bytes: (bytes) => bytes.toString('latin1'),
  text: (bytes) => bytes.toString('latin1'),
  hex: (bytes) => bytes.toString('hex'),
  base64: (bytes) => bytes.toString('base64'),
  base64url: (bytes) => bytes.toString('base64url'),
  whsec: (bytes) => `whsec_${bytes.toString('base64')}`,
};
const digitEncodings = ['hex', 'base64', 'base64url', 'whsec'] as const;

describe('decodes what the platform encodes', () => {
  it.each(['bytes', ...digitEncodings] as const)('%s holds all 256 byte values', (encoding) => {
    expect(outcome(encoders[encoding](Buffer.from(everyByte)), encoding)).toBe(
      Buffer.from(everyByte).toString('latin1'),
    );
  });

  it.each(digitEncodings)('%s round trips any key', (encoding) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(outcome(encoders[encoding](Buffer.from(bytes)), encoding)).toBe(
          Buffer.from(bytes).toString('latin1'),
        );
      }),
    );
  });

  it('hex is read in either case', () => {
    const key = randomBytes(32);
    expect(outcome(key.toString('hex').toUpperCase(), 'hex')).toBe(key.toString('latin1'));
  });

  it('covers every encoding but jwks, which is not one key', () => {
    expect([...Object.keys(encoders), 'jwks'].sort()).toEqual([...keyEncodings].sort());
  });
});

describe('accepts one text for each key', () => {
  // What a decoder accepts is what the encoder writes: anything else is a mistake that would pass unnoticed.
  it.each(digitEncodings)('%s accepts nothing that does not encode back to itself', (encoding) => {
    const alphabet = `${Buffer.from(everyByte).toString('latin1')}AAAAaaaa0000++//--__====`;
    const noise = fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 9 });
    const prefix = encoding === 'whsec' ? 'whsec_' : '';
    fc.assert(
      fc.property(noise, (text) => {
        const result = decoded(prefix + text, encoding);
        if (!result.ok) return;
        const canonical = encoders[encoding](Buffer.from(result.value.bytes));
        const given = (prefix + text).replace(/\r?\n$/, '');
        expect(encoding === 'hex' ? given.toLowerCase() : given).toBe(canonical);
      }),
      { numRuns: 20_000 },
    );
  });

  const lengths = [18, 19, 20];
  const cases = digitEncodings.flatMap((encoding) => lengths.map((length) => ({ encoding, length })));
  it.each(cases)('$encoding of $length bytes allows no other character anywhere', ({ encoding, length }) => {
    const text = encoders[encoding](Buffer.alloc(length, 0x5a));
    const digits = { hex: /[0-9a-f]/i, base64: /[A-Za-z0-9+/]/, base64url: /[\w-]/, whsec: /[A-Za-z0-9+/]/ };
    const start = encoding === 'whsec' ? 6 : 0;
    const accepted: string[] = [];
    for (let at = start; at < text.length; at++) {
      for (const value of everyByte) {
        const character = String.fromCharCode(value);
        if (digits[encoding].test(character) || character === text[at]) continue;
        const changed = text.slice(0, at) + character + text.slice(at + 1);
        if (at === text.length - 1 && character === '\n') continue; // one newline may stand there
        if (decoded(changed, encoding).ok) accepted.push(`${value} at ${at}`);
      }
    }
    expect(accepted).toEqual([]);
  });
});

const isHex = 'is not hex';
const isBase64 = 'is not base64: ';
const isBase64url = 'is not base64url';

describe('refuses', () => {
  it.each<[Encoding, string, string, string]>([
    ['hex', 'an odd number of digits', 'abc', isHex],
    ['hex', 'a digit too many', '0g', isHex],
    ['hex', 'the prefix 0x', '0x00', isHex],
    ['hex', 'colons', '00:11', isHex],
    ['hex', 'a leading space', ' 00', isHex],
    ['hex', 'two newlines', '00\n\n', isHex],
    ['hex', 'a lone carriage return', '00\r', isHex],
    ['hex', 'a newline in between', '00\n11', isHex],
    ['hex', 'a newline in front', '\n00', isHex],
    ['hex', 'a byte order mark', '\xef\xbb\xbf00', isHex],
    ['hex', 'UTF-16', '\xff\xfe0\x000\x00', isHex],
    ['hex', 'NUL at the end', '00\0', isHex],
    ['hex', 'full-width digits', '\xef\xbc\x90\xef\xbc\x90', isHex],
    ['base64', 'unused bits that are set', 'AB==', isBase64],
    ['base64', 'unused bits that are set, in three digits', 'AAB=', isBase64],
    ['base64', 'missing padding', 'AA', isBase64],
    ['base64', 'half the padding', 'AA=', isBase64],
    ['base64', 'too much padding', 'AAA==', isBase64],
    ['base64', 'a block of padding', 'AAAA====', isBase64],
    ['base64', 'padding alone', '====', isBase64],
    ['base64', 'padding in the middle', 'AA==AAAA', isBase64],
    ['base64', 'a digit behind the padding', 'AA=A', isBase64],
    ['base64', 'junk behind the padding', 'AA=\xff', isBase64],
    ['base64', 'the URL alphabet', '-_-_', isBase64],
    ['base64', 'wrapped lines', 'AAAA\nAAAA', isBase64],
    ['base64', 'two newlines', 'AAAA\n\n', isBase64],
    ['base64', 'a leading space', ' AAA', isBase64],
    ['base64', 'junk that a lenient decoder skips', 'AA!AAA', isBase64],
    ['base64', 'PEM', '-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n', isBase64],
    ['base64', 'a byte order mark', '\xef\xbb\xbfA', isBase64],
    ['base64', 'a data URL', 'data:;base64,AAAA', isBase64],
    ['base64', 'a whsec_ secret', 'whsec_AAAAAAAA', isBase64],
    ['base64url', 'padding', 'AA==', isBase64url],
    ['base64url', 'the standard alphabet', '+/+/', isBase64url],
    ['base64url', 'a lone digit', 'AAAAA', isBase64url],
    ['base64url', 'unused bits that are set', 'AB', isBase64url],
    ['base64url', 'a space', 'AA AA', isBase64url],
    ['base64url', 'two newlines', 'AA\n\n', isBase64url],
    ['whsec', 'no prefix', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'does not begin with "whsec_"'],
    ['whsec', 'a version in front', 'v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'nothing in front of it'],
    ['whsec', 'the prefix in another case', 'WHSEC_AAAA', 'does not begin with "whsec_"'],
    ['whsec', 'the prefix of a public key', 'whpk_AAAA', 'does not begin with "whsec_"'],
    ['whsec', 'a part of the prefix', 'whse', 'does not begin with "whsec_"'],
    ['whsec', 'a space in front', ' whsec_AAAA', 'does not begin with "whsec_"'],
    ['whsec', 'hex behind the prefix', 'whsec_00ff0', 'behind "whsec_" is not base64'],
    ['whsec', 'the URL alphabet behind the prefix', 'whsec_-_-_', 'behind "whsec_" is not base64'],
    ['whsec', 'the prefix twice', 'whsec_whsec_AAAA', 'behind "whsec_" is not base64'],
    ['text', 'a byte order mark', '\xef\xbb\xbfsecret', 'byte order mark'],
    ['text', 'UTF-16, little end first', '\xff\xfes\x00', 'byte order mark'],
    ['text', 'UTF-16, big end first', '\xfe\xff\x00s', 'byte order mark'],
    ['text', 'UTF-16 without a mark', 's\x00e\x00', 'NUL'],
    ['text', 'a NUL at the end', 'secret\0', 'NUL'],
    ['text', 'Latin-1', 'sch\xf6n', 'not UTF-8'],
    ['text', 'half a character', 'secret\xc3', 'not UTF-8'],
    ['bytes', 'text with a newline', 'correct horse battery\n', 'echo -n'],
    ['bytes', 'text with CRLF', 'correct horse battery\r\n', 'echo -n'],
    ['bytes', 'text with two newlines', 'correct horse\n\n', 'echo -n'],
    ['bytes', 'UTF-8 text with a newline', 'sch\xc3\xb6n\n', 'echo -n'],
    ['bytes', 'a newline alone', '\n', 'echo -n'],
    ['bytes', 'hex with a newline', 'deadbeef\n', 'encoding: text'],
    ['bytes', 'PEM', '-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n', 'is PEM (-----BEGIN …), all of which'],
    ['bytes', 'JSON with a newline', '{"secret":"correct horse"}\n', 'is JSON (an object), all of which'],
    ['bytes', 'quotes with a newline', "'correct horse'\n", 'is in quotes, all of which'],
  ])('%s: %s', (encoding, _, content, problem) => {
    expect(outcome(content, encoding)).toContain(problem);
  });
});

describe('accepts', () => {
  it.each<[Encoding, string, string, string]>([
    ['hex', 'one newline', '6b65\n', 'ke'],
    ['hex', 'one CRLF', '6b65\r\n', 'ke'],
    ['base64', 'one newline', 'a2V5\n', 'key'],
    ['base64', 'one CRLF', 'a2U=\r\n', 'ke'],
    ['base64url', 'one newline', 'a2U\n', 'ke'],
    ['whsec', 'one newline', 'whsec_a2V5\n', 'key'],
    ['text', 'one newline, which is not part of the key', 'key\n', 'key'],
    ['text', 'one CRLF, which is not part of the key', 'key\r\n', 'key'],
    ['text', 'two newlines, of which one stays', 'key\n\n', 'key\n'],
    ['text', 'white space around, which stays', ' key\t', ' key\t'],
    ['text', 'what looks like base64, as it is', 'a2V5', 'a2V5'],
    ['text', 'characters beyond ASCII', 'sch\xc3\xb6n', 'sch\xc3\xb6n'],
    ['bytes', 'text without a newline', 'correct horse battery', 'correct horse battery'],
    ['bytes', 'a newline within', 'correct\nhorse', 'correct\nhorse'],
    ['bytes', 'a final newline behind what is not text', '\x00\x01\n', '\x00\x01\n'],
    ['bytes', 'a final newline behind bytes that are not UTF-8', '\xff\xfe\n', '\xff\xfe\n'],
    ['bytes', 'a byte order mark, since every byte counts', '\xef\xbb\xbfkey', '\xef\xbb\xbfkey'],
    ['bytes', 'NUL', 'key\0', 'key\0'],
  ])('%s: %s', (encoding, _, content, key) => {
    expect(outcome(content, encoding)).toBe(key);
  });

  it('the key of the Standard Webhooks vector, decoded', () => {
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    expect(outcome(secret, 'whsec')).toBe(Buffer.from(secret.slice(6), 'base64').toString('latin1'));
    expect(outcome(secret, 'whsec')).toHaveLength(24);
  });
});

it.each<[string, boolean]>([
  ['key', false],
  ['key\n', true],
  ['key\r\n', true],
])('warns of a newline that text leaves out (%j: %j)', (content, warned) => {
  const result = decoded(content, 'text');
  expect(result.ok && result.value.warnings.some((each) => each.includes('echo -n'))).toBe(warned);
});

it('a long text is not looked at, because that would delay requests', () => {
  expect(decoded(`[${'0,'.repeat(10_000)}0]`, 'text')).toMatchObject({ ok: true, value: { warnings: [] } });
});

describe('a secret that is wrapped in something', () => {
  const secret = 'correct horse battery staple';
  const base64 = Buffer.from(secret).toString('base64');
  it.each([
    ['a JSON object', `{"webhookSecret":"${secret}"}`, 'is JSON (an object)'],
    ['a JSON object over lines', `{\n  "webhookSecret": "${secret}"\n}\n`, 'is JSON (an object)'],
    ['a JSON array', `["${secret}"]`, 'is JSON (an array)'],
    [
      'a JSON string',
      `"${secret}"`,
      'is JSON (a string), all of which becomes part of the key; write it without the quotes',
    ],
    ['double quotes', `"${secret}\\"`, 'is in quotes'],
    ['single quotes', `'${secret}'`, 'is in quotes'],
    ['backticks', `\`${secret}\``, 'is in quotes'],
    ['a leading space', ` ${secret}`, 'white space'],
    ['trailing spaces', `${secret}  `, 'white space'],
    ['a tab', `${secret}\t\n`, 'white space'],
    ['a lone CR', `${secret}\r`, 'ends with a carriage return'],
    ['two newlines', `${secret}\n\n`, 'ends with more than one newline'],
    ['three CRLF', `${secret}\r\n\r\n\r\n`, 'ends with more than one newline'],
    ['PEM', `-----BEGIN PRIVATE KEY-----\n${base64}\n-----END PRIVATE KEY-----\n`, 'is PEM'],
    ['a line of an environment file', `WEBHOOK_SECRET=${secret}`, 'is a line NAME=value'],
    ['an export of a shell', `export WEBHOOK_SECRET='${secret}'`, 'is a line NAME=value'],
    ['base64', base64, 'is base64 of a text'],
    ['base64 of a line', Buffer.from(`${secret}\n`).toString('base64'), 'is base64 of a text'],
    ['hex', Buffer.from(secret).toString('hex'), 'is hex of a text'],
  ])('is decoded as text with a warning: %s', (_, content, warning) => {
    const result = decoded(content, 'text');
    expect(result).toMatchObject({ ok: true, value: { warnings: [expect.stringContaining(warning)] } });
    const key = content.endsWith('\r\n') ? content.slice(0, -2) : content.replace(/\n$/, '');
    expect(outcome(content, 'text')).toBe(key);
    for (const part of [secret, base64])
      expect(JSON.stringify(result.ok && result.value.warnings)).not.toContain(part);
    if (content.endsWith('\n')) return;
    expect(decoded(content, 'bytes')).toMatchObject({ ok: true, value: { warnings: [expect.any(String)] } });
  });

  it.each([
    secret,
    'sk_live_51H8QhKJ2eZvKYlo2C',
    'shpss_0123456789abcdef0123456789abcdef',
    `whsec_${randomBytes(24).toString('base64')}`,
    randomBytes(32).toString('base64'),
    randomBytes(32).toString('hex'),
    'a "quoted" word',
    '{not json',
    'x=y',
  ])('is not what this is: %s', (content) => {
    expect(decoded(content, 'text')).toMatchObject({ ok: true, value: { warnings: [] } });
  });

  const digits = randomBytes(33).toString('base64').replace(/^../, '+/');
  it.each<[Encoding, string, string, string]>([
    ['base64', 'quotes', `"${digits}"`, 'it is JSON (a string)'],
    ['base64', 'single quotes', `'${digits}'`, 'it is in quotes'],
    ['base64', 'JSON', `{"key":"${digits}"}`, 'it is JSON (an object)'],
    ['base64', 'PEM', `-----BEGIN KEY-----\n${digits}\n-----END KEY-----`, 'it is PEM'],
    ['base64', 'a space', `${digits} `, 'it begins or ends with white space'],
    ['base64', 'a space inside', `${digits} ${digits}`, 'it has spaces'],
    ['base64', 'CRLF in between', `${digits}\r\n${digits}`, 'it has line breaks'],
    ['base64', 'a byte order mark', `\xef\xbb\xbf${digits}`, 'it begins with a byte order mark'],
    ['base64', 'UTF-16', Buffer.from(digits, 'utf16le').toString('latin1'), 'it holds NUL, as UTF-16 does'],
    ['base64', 'the prefix whsec_', `whsec_${digits}`, 'set "encoding: whsec"'],
    ['base64', 'the prefix base64:', `base64:${digits}`, 'it begins with "base64:"'],
    ['base64', 'URL-escaped', encodeURIComponent(digits), 'it is URL-escaped'],
    ['base64', 'base64url', digits.replaceAll('+', '-').replaceAll('/', '_'), 'set "encoding: base64url"'],
    ['base64', 'NAME=value', `SIGNING_KEY=${digits}`, 'it is a line NAME=value'],
    ['base64url', 'base64', digits, 'set "encoding: base64"'],
    ['hex', 'base64', digits, 'set "encoding: base64"'],
    ['hex', '0x', '0x00112233445566778899', 'it begins with "0x"'],
    ['hex', 'quotes', '"00112233"', 'it is JSON (a string)'],
    ['hex', 'a lone CR', '00112233\r', 'it ends with a carriage return'],
    ['hex', 'two newlines', '00112233\n\n', 'it ends with more than one newline'],
    ['whsec', 'bare base64', digits, 'set "encoding: base64"'],
    ['whsec', 'quotes', `"whsec_${digits}"`, 'it is JSON (a string)'],
    ['whsec', 'JSON', `{"secret":"whsec_${digits}"}`, 'it is JSON (an object)'],
    ['whsec', 'a trailing space', `whsec_${digits} `, 'it begins or ends with white space'],
    ['whsec', 'CRLF twice', `whsec_${digits}\r\n\r\n`, 'it ends with more than one newline'],
    ['whsec', 'base64url', `whsec_${digits.replaceAll('+', '-').replaceAll('/', '_')}`, 'it is base64url'],
  ])('is refused as %s by what it is: %s', (encoding, _, content, hint) => {
    const result = decoded(content, encoding);
    expect(result).toMatchObject({ ok: false, problems: [expect.stringContaining(hint)] });
    expect(JSON.stringify(result)).not.toContain(digits.slice(2, 12));
  });
});

it('no problem repeats a part of the content', () => {
  const marker = 'q7Zk9VxW';
  const broken = [
    `${marker}!\n`,
    `\xef\xbb\xbf${marker}`,
    `${marker}\0`,
    `whsec_${marker}!`,
    `${marker}\xff`,
  ];
  const problems = keyEncodings
    .filter((encoding) => encoding !== 'jwks')
    .flatMap((encoding) => broken.map((content) => decoded(content, encoding)))
    .filter((result) => !result.ok);
  expect(problems.length).toBeGreaterThan(20);
  expect(JSON.stringify(problems)).not.toContain(marker);
});
