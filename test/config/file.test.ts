import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { defaultRetainSeconds, everyFile } from '../../src/config/defaults.ts';
import { parseConfiguration } from '../../src/config/file.ts';
import { maxConfigurationBytes } from '../../src/config/yaml.ts';
import { keyEncodings } from '../../src/key-sets/settings.ts';
import { algorithmNames, currentAlgorithms } from '../../src/signing/mac.ts';
import { atOnce, configurationOf, configurationProblems as problems } from '../support/keys.ts';

const settings = (yaml: string) => configurationOf(yaml).keySets([]);
/** The settings of the key set `k` with these fields. */
const withFields = (fields: string) => settings(`keys:\n  k: { ${fields} }\n`).get('k');
const problemsWith = (fields: string) => problems(`keys:\n  k: { ${fields} }\n`);

describe('a key set of which nothing is said', () => {
  it.each(['k:', 'k: {}', 'k: ~', 'k: null', '"k":', "'k': {}", '? k'])('has every default: %s', (line) => {
    expect(settings(`keys:\n  ${line}\n`).get('k')).toMatchObject({
      source: { file: 'k' },
      encoding: 'bytes',
      format: { name: 'raw', options: { output: 'hex' } },
      algorithm: undefined,
      policy: { allow: ['sign', 'verify'], maxMessageBytes: Number.POSITIVE_INFINITY, rateLimit: undefined },
      retainPreviousSeconds: 3600,
      allowWeakKey: false,
    });
  });

  it('is what each file is without a configuration', () => {
    const { format: _, ...each } = everyFile.keySets(['k']).get('k') ?? {};
    const { format: __, ...listed } = settings('keys: { k: }').get('k') ?? {};
    expect(each).toEqual(listed);
    expect(defaultRetainSeconds).toBe(3600);
  });
});

describe('a field with a value that it takes', () => {
  it.each<[string, object]>([
    ['file: other', { source: { file: 'other' }, encoding: 'bytes' }],
    ['file: .hidden', { source: { file: '.hidden' } }],
    [
      'file: "arn:aws:secretsmanager:eu-west-1:1:secret:orders-AbCdEf"',
      { source: { file: 'arn:aws:secretsmanager:eu-west-1:1:secret:orders-AbCdEf' } },
    ],
    ['file: "a b"', { source: { file: 'a b' } }],
    ['file: schlüssel 🔑', { source: { file: 'schlüssel 🔑' } }],
    ['file: projects/my-project/secrets/orders', { source: { file: 'projects.my-project.secrets.orders' } }],
    ['deriveFrom: "root:1"', { source: { root: 'root:1' } }],
    [
      'format: standard-webhooks, encoding: text, allowUndecoded: true',
      { allowUndecoded: true, encoding: 'text' },
    ],
    ['format: standard-webhooks, env: K, encoding: text, allowUndecoded: true', { allowUndecoded: true }],
    ['file: my-group/my-key', { source: { file: 'my-group.my-key' } }],
    ['file: s.jwks.json', { source: { file: 's.jwks.json' }, encoding: 'jwks' }],
    ['file: group/s.jwks.json', { encoding: 'jwks' }],
    ['file: s.jwks.json, encoding: bytes', { encoding: 'bytes' }],
    ['env: SIGNING_KEY', { source: { env: 'SIGNING_KEY' }, encoding: 'bytes' }],
    ['env: a-b.c_9', { source: { env: 'a-b.c_9' } }],
    ['env: K, encoding: jwks', { source: { env: 'K' }, encoding: 'jwks' }],
    ...keyEncodings.map((encoding): [string, object] => [`encoding: ${encoding}`, { encoding }]),
    ['deriveFrom: root', { source: { root: 'root' }, encoding: 'bytes', policy: { allowExport: false } }],
    ['deriveFrom: my-group/root', { source: { root: 'my-group.root' } }],
    ['deriveFrom: r.jwks.json', { source: { root: 'r.jwks.json' }, encoding: 'jwks' }],
    ['deriveFrom: r, tenants: [acme, "__proto__"]', { policy: { tenants: new Set(['acme', '__proto__']) } }],
    ['deriveFrom: r', { policy: { tenants: undefined } }],
    ['deriveFrom: r, allowExport: true', { policy: { allowExport: true } }],
    ['deriveFrom: r, allowWeakKey: false', { source: { root: 'r' }, allowWeakKey: false }],
    ['format: raw', { format: { name: 'raw' } }],
    ...currentAlgorithms.map((algorithm): [string, object] => [`algorithm: ${algorithm}`, { algorithm }]),
    ['output: hex', { format: { options: { output: 'hex' } } }],
    ['output: base64', { format: { options: { output: 'base64' } } }],
    ['output: base64url', { format: { options: { output: 'base64url' } } }],
    ['allow: [sign]', { policy: { allow: ['sign'] } }],
    ['allow: [verify]', { policy: { allow: ['verify'] } }],
    ['allow: [verify, sign, verify]', { policy: { allow: ['sign', 'verify'] } }],
    ['maxMessageBytes: 1', { policy: { maxMessageBytes: 1 } }],
    ['maxMessageBytes: 65536', { policy: { maxMessageBytes: 65536 } }],
    ['maxMessageBytes: 0x10', { policy: { maxMessageBytes: 16 } }],
    ['rateLimit: { perSecond: 200, burst: 400 }', { policy: { rateLimit: { perSecond: 200, burst: 400 } } }],
    ['rateLimit: { perSecond: 200 }', { policy: { rateLimit: { perSecond: 200, burst: 200 } } }],
    ['rateLimit: { perSecond: 0.1 }', { policy: { rateLimit: { perSecond: 0.1, burst: 1 } } }],
    ['rateLimit: { perSecond: 1.5 }', { policy: { rateLimit: { perSecond: 1.5, burst: 2 } } }],
    ['retainPreviousSeconds: 0', { retainPreviousSeconds: 0 }],
    ['retainPreviousSeconds: 86400', { retainPreviousSeconds: 86400 }],
    ['allowWeakKey: true', { allowWeakKey: true }],
    ['allowWeakKey: false', { allowWeakKey: false }],
  ])('%s', (fields, expected) => {
    expect(withFields(fields)).toMatchObject(expected);
  });
});

describe('a word that is nearly one of those that a field takes', () => {
  it.each([
    ['format: Github', 'github'],
    ['format: GITHUB', 'github'],
    ['format: standardwebhooks', 'standard-webhooks'],
    ['encoding: BASE64URL', 'base64url'],
    ['algorithm: hs256', 'HS256'],
    ['output: base46', 'base64'],
    ['allow: [signs]', 'sign'],
    ['format: webhooks', 'webhook'],
    ['format: zom', 'zoom'],
  ])('%s', (fields, meant) => {
    expect(problemsWith(fields)).toEqual([
      expect.stringMatching(new RegExp(`: must be one of .*; did you mean "${meant}"\\? \\(line 2\\)$`)),
    ]);
  });

  it('is not found for a word that is far from all of them', () => {
    expect(problemsWith('format: signature').join()).not.toContain('did you mean');
    expect(problemsWith('format: y').join()).not.toContain('did you mean');
    expect(problemsWith(`encoding: ${'x'.repeat(1000)}`).join()).not.toContain('did you mean');
  });
});

describe('a field with a value that it does not take', () => {
  const encodings = `must be one of ${keyEncodings.join(', ')}`;
  const algorithms = `must be one of ${algorithmNames.join(', ')}`;
  const file = 'must be the name of a file';
  it.each<[string, string, string]>([
    ['file: ""', 'file', file],
    ['file: ../../etc/passwd', 'file', file],
    ['file: .', 'file', file],
    ['file: ..data', 'file', file],
    ['file: a/../b', 'file', file],
    ['file: /etc/passwd', 'file', file],
    ['file: a//b', 'file', file],
    ['file: a/', 'file', file],
    ['file: "a\\nb"', 'file', file],
    ['file: "a\\e[31mb"', 'file', file],
    ['file: "a\\u009bb"', 'file', file],
    ['file: "a\\u2028b"', 'file', file],
    ['file: "a\\0b"', 'file', file],
    [`file: ${'n'.repeat(1025)}`, 'file', file],
    ['allowUndecoded: true', 'allowUndecoded', 'is only for "encoding: text" with a format'],
    ['allowUndecoded: false', 'allowUndecoded', 'is only for "encoding: text" with a format'],
    ['allowUndecoded: "yes"', 'allowUndecoded', 'must be a boolean'],
    ['encoding: text, allowUndecoded: true', 'allowUndecoded', 'is only for'],
    ['format: stripe, encoding: text, allowUndecoded: true', 'allowUndecoded', 'is only for'],
    ['format: standard-webhooks, encoding: whsec, allowUndecoded: true', 'allowUndecoded', 'is only for'],
    [
      'format: standard-webhooks, deriveFrom: r, encoding: text, allowUndecoded: true',
      'allowUndecoded',
      'is only for',
    ],
    ['file: 2025', 'file', 'must be a string'],
    ['file: ~', 'file', 'must be a string'],
    ['env: 1', 'env', 'must be a string'],
    ['file: a, env: B', 'env', 'give only one of file, env, deriveFrom'],
    ['env: A, deriveFrom: b', 'deriveFrom', 'give only one of file, env, deriveFrom'],
    ['file: a, deriveFrom: a', 'deriveFrom', 'give only one of file, env, deriveFrom'],
    ['deriveFrom: ../root', 'deriveFrom', file],
    ['deriveFrom: ~', 'deriveFrom', 'must be a string'],
    ['deriveFrom: r, tenants: acme', 'tenants', 'must be a list'],
    ['deriveFrom: r, tenants: []', 'tenants', 'must have at least 1 element'],
    ['deriveFrom: r, tenants: [a, b c]', 'tenants.1', 'must be a name: 1 to 253 of'],
    ['deriveFrom: r, tenants: [..]', 'tenants.0', 'must be a name: 1 to 253 of'],
    [`deriveFrom: r, tenants: [${'n'.repeat(254)}]`, 'tenants.0', 'must be a name: 1 to 253 of'],
    ['deriveFrom: r, tenants: [2025]', 'tenants.0', 'must be a string'],
    ['deriveFrom: r, allowExport: yes', 'allowExport', 'must be a boolean'],
    ['deriveFrom: r, allowWeakKey: true', 'allowWeakKey', 'a root (deriveFrom) must not be weak'],
    ['tenants: [acme]', 'tenants', 'is only for a key set with derived keys (deriveFrom)'],
    ['file: a, allowExport: true', 'allowExport', 'is only for a key set with derived keys (deriveFrom)'],
    ['encoding: utf8', 'encoding', encodings],
    ['encoding: HEX', 'encoding', encodings],
    ['format: jot', 'format', 'must be one of raw'],
    ['format: __proto__', 'format', 'must be one of raw'],
    ['format: ~', 'format', 'must be'],
    ['algorithm: HS1', 'algorithm', algorithms],
    ['algorithm: hs256', 'algorithm', algorithms],
    ['algorithm: none', 'algorithm', algorithms],
    ['algorithm: toString', 'algorithm', algorithms],
    ['output: binary', 'output', 'must be one of hex, base64, base64url'],
    ['allow: sign', 'allow', 'must be a list'],
    ['allow: []', 'allow', 'must have at least 1 element'],
    ['allow: [delete]', 'allow.0', 'must be one of sign, verify'],
    ['allow: [sign, ~]', 'allow.1', 'must be one of sign, verify'],
    ['maxMessageBytes: 0', 'maxMessageBytes', 'must be at least 1'],
    ['maxMessageBytes: 1.5', 'maxMessageBytes', 'must be a whole number'],
    ['maxMessageBytes: "65536"', 'maxMessageBytes', 'must be a number'],
    ['maxMessageBytes: 64_000', 'maxMessageBytes', 'must be a number'],
    ['maxMessageBytes: .inf', 'maxMessageBytes', 'must be a'],
    ['maxMessageBytes: 1e400', 'maxMessageBytes', 'must be a'],
    ['maxMessageBytes: 9007199254740993', 'maxMessageBytes', 'must be at most 9007199254740991'],
    ['rateLimit: 200', 'rateLimit', 'must be an object'],
    ['rateLimit: {}', 'rateLimit.perSecond', 'is missing; it must be a number'],
    ['rateLimit: { perSecond: 0 }', 'rateLimit.perSecond', 'must be more than 0'],
    ['rateLimit: { perSecond: .inf }', 'rateLimit.perSecond', 'must be a number'],
    ['rateLimit: { perSecond: 1, burst: 0 }', 'rateLimit.burst', 'must be at least 1'],
    ['rateLimit: { perSecond: 1, burst: 1.5 }', 'rateLimit.burst', 'must be a whole number'],
    ['rateLimit: { burst: 1 }', 'rateLimit.perSecond', 'is missing; it must be a number'],
    ['retainPreviousSeconds: -1', 'retainPreviousSeconds', 'must be at least 0'],
    ['retainPreviousSeconds: 0.5', 'retainPreviousSeconds', 'must be a whole number'],
    ['retainPreviousSeconds: 1h', 'retainPreviousSeconds', 'must be a number'],
    // YAML 1.1 took these for booleans; YAML 1.2 takes them for text, and nobody is left to guess.
    ['allowWeakKey: yes', 'allowWeakKey', 'must be a boolean'],
    ['allowWeakKey: "true"', 'allowWeakKey', 'must be a boolean'],
    ['allowWeakKey: 1', 'allowWeakKey', 'must be a boolean'],
  ])('%s', (fields, path, problem) => {
    const [only, ...more] = problemsWith(fields);
    expect(more).toEqual([]);
    expect(only).toContain(`keys.k.${path}: ${problem}`);
    expect(only).toContain(' (line 2)');
  });

  it.each(['keys: { k: text }', 'keys: { k: 5 }', 'keys: { k: [file] }', 'keys: { k: true }'])(
    '%s',
    (yaml) => {
      expect(problems(yaml)).toEqual(['keys.k: must be an object (line 1)']);
    },
  );
});

describe('a field that there is not', () => {
  it.each([
    ['format: jwt, issuer: x', 'keys.k.issuer: belongs under "jwt:" (line 2)'],
    ['format: stripe, toleranceSeconds: 1', 'keys.k.toleranceSeconds: belongs under "stripe:" (line 2)'],
    ['maxMessageByte: 1', 'keys.k.maxMessageByte: unknown field; did you mean "maxMessageBytes"? (line 2)'],
    ['Encoding: hex', 'keys.k.Encoding: unknown field; did you mean "encoding"? (line 2)'],
    ['algorithms: [HS256]', 'keys.k.algorithms: unknown field; did you mean "algorithm"? (line 2)'],
    [
      'retain: 5',
      expect.stringMatching(
        /^keys\.k\.retain: unknown field; the fields here are: file, env, .*output \(line 2\)$/,
      ),
    ],
    [
      'rateLimit: { perSecond: 1, bursts: 2 }',
      'keys.k.rateLimit.bursts: unknown field; did you mean "burst"? (line 2)',
    ],
    ['__proto__: {}', expect.stringMatching(/^keys\.k\.__proto__: unknown field/)],
    ['constructor: {}', expect.stringMatching(/^keys\.k\.constructor: unknown field/)],
    ['<<: { encoding: hex }', expect.stringMatching(/^keys\.k: unknown field/)],
    ['"": 1', expect.stringMatching(/^keys\.k: unknown field/)],
    // What is no word is not repeated.
    ['"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": 1', expect.stringMatching(/^keys\.k: unknown field/)],
    ['0123456789abcdef0123456789abcdef: 1', expect.stringMatching(/^keys\.k: unknown field/)],
    ['MfKQ-r_GKYqrTwjUPD-ILPZI: 1', expect.stringMatching(/^keys\.k: unknown field/)],
    ['"\\e[31mred": 1', expect.stringMatching(/^keys\.k: unknown field/)],
  ])('%s', (fields, problem) => {
    expect(problemsWith(fields)).toEqual([problem]);
  });

  it('beside "keys" is unknown', () => {
    expect(problems('keys: { k: }\nkey: 1\nlisten: 1\n')).toEqual([
      'key: unknown field; did you mean "keys"? (line 2)',
      'listen: unknown field; the fields here are: keys (line 3)',
    ]);
  });
});

describe('a field of a format', () => {
  it.each([
    [
      'format: github, output: hex',
      'keys.k.output: is only for the format raw; this key set has the format github (line 2)',
    ],
    [
      'jwt: { issuer: https://shop.example }',
      'keys.k.jwt: is only for the format jwt; this key set has the format raw (line 2)',
    ],
    [
      'format: slack, jwt: {}',
      'keys.k.jwt: is only for the format jwt; this key set has the format slack (line 2)',
    ],
    [
      'format: jwt, jwt: { maxLifetimeSecond: 900 }',
      'keys.k.jwt.maxLifetimeSecond: unknown field; did you mean "maxLifetimeSeconds"? (line 2)',
    ],
    [
      'format: github, algorithm: HS512',
      'keys.k.algorithm: must be one of HS256 with the format github (line 2)',
    ],
    [
      'format: jwt, algorithm: HMAC-SHA3-256',
      'keys.k.algorithm: must be one of HS256, HS384, HS512 with the format jwt (line 2)',
    ],
    // One mistake is one problem: what belongs to the format that was meant is left alone.
    [
      'format: jot, jwt: { issuer: x }, output: hex',
      expect.stringMatching(/^keys\.k\.format: must be one of raw, /),
    ],
  ])('%s', (fields, problem) => {
    expect(problemsWith(fields)).toEqual([problem]);
  });

  it('is taken by its format', () => {
    expect(
      withFields('format: jwt, jwt: { issuer: https://shop.example, maxLifetimeSeconds: 900 }'),
    ).toMatchObject({
      format: { name: 'jwt', options: { issuer: 'https://shop.example', maxLifetimeSeconds: 900 } },
    });
  });
});

describe('the name of a key set', () => {
  // As they are written, not as what YAML would make of them.
  it.each([
    '.session',
    'a..b',
    '__proto__',
    'n'.repeat(253),
    '0x1F',
    '1.0',
    '007',
    '1e3',
    'true',
    'no',
    'null',
  ])('may be %s', (name) => {
    expect([...settings(`keys:\n  ${name}:\n`).keys()]).toEqual([name]);
  });

  it.each([
    '""',
    '"a b"',
    'a/b',
    '..data',
    '"."',
    '~',
    '"a\\nb"',
    '"\\0"',
    'schlüssel',
    'n'.repeat(254),
    '[a]',
  ])('may not be %s', (name) => {
    const found = problems(`keys:\n  ok:\n  ${name}: {}\n`);
    expect(found).toEqual([
      name === '[a]'
        ? 'a field must have a name, not a list or an object (line 3)'
        : expect.stringMatching(/^keys: not a usable name; use 1 to 253 of .* \(line 3\)$/),
    ]);
  });

  it.each([
    ['k', 'k'],
    ['k', '"k"'],
    ['1', '"1"'],
    ['__proto__', "'__proto__'"],
  ])('may not stand twice: %s and %s', (first, second) => {
    expect(problems(`keys:\n  ${first}: {}\n  ${second}: {}\n`)).toEqual([
      'a field is given twice; remove one of them (line 3)',
    ]);
  });

  it('counts as it is written: 1 and 1.0 are two', () => {
    expect([...settings('keys: { 1: , 1.0: { file: x } }').keys()]).toEqual(['1', '1.0']);
  });
});

it('reports a field that no format has beside a format that does not exist', () => {
  expect(problemsWith('format: githup, lable: a, jwt: {}').map((each) => each.replace(/;.*/, ''))).toEqual([
    expect.stringContaining('keys.k.format: must be one of raw, '),
    'keys.k.lable: unknown field',
  ]);
});

describe('a variable', () => {
  it.each(['1KEY', 'MY KEY', 'KEY=1', '..KEY', '.', '..', '', 'KÉY', 'KEY!'])(
    'that the kubelet would skip is left out, with a warning: %s',
    (name) => {
      const yaml = `keys:\n  ok:\n  left:\n    env: ${JSON.stringify(name)}\n`;
      expect([...configurationOf(yaml).keySets([]).keys()]).toEqual(['ok']);
      expect(atOnce(parseConfiguration(yaml))).toMatchObject({
        value: {
          warnings: [
            'keys.left.env: is not a name that a variable can have, so this key set is left out (line 4)',
          ],
        },
      });
    },
  );

  it.each(['_', '-', 'KEY', 'my.key', 'a1', '.KEY', '-.-'])(
    'that the kubelet would set is taken: %s',
    (name) => {
      expect(withFields(`env: ${JSON.stringify(name)}`)?.source).toEqual({ env: name });
    },
  );

  it('that is the only one and left out leaves nothing to serve', () => {
    expect(problemsWith('env: 1KEY')).toEqual([
      'keys: no key set is left',
      expect.stringContaining('keys.k.env: '),
    ]);
  });
});

describe('everything that is wrong', () => {
  it('is told at once, each with its path and line', () => {
    const yaml = `
keys:
  orders:
    encodings: hex
    maxMessageBytes: many
    rateLimit:
      perSecond: 0
      burst: none
    allow:
      - sign
      - destroy
  "not a name":
  session:
    file: a
    env: B
    algorithm: none
version: 2
`;
    expect(problems(yaml)).toEqual([
      'version: unknown field; the fields here are: keys (line 17)',
      expect.stringMatching(/^keys\.orders\.allow\.1: .* \(line 11\)$/),
      'keys.orders.maxMessageBytes: must be a number (line 5)',
      'keys.orders.rateLimit.perSecond: must be more than 0 (line 7)',
      'keys.orders.rateLimit.burst: must be a number (line 8)',
      'keys.orders.encodings: unknown field; did you mean "encoding"? (line 4)',
      expect.stringMatching(/^keys: not a usable name; .* \(line 12\)$/),
      expect.stringMatching(/^keys\.session\.algorithm: .* \(line 16\)$/),
      'keys.session.env: give only one of file, env, deriveFrom (line 15)',
    ]);
  });
});

describe('YAML that is not taken', () => {
  it.each([
    ['nothing', '', 'the file must have the field "keys", with an entry for each key set'],
    ['a comment', '# keys:\n', 'the file must have the field "keys"'],
    ['a list', '- keys\n', 'the file must have the field "keys"'],
    ['null', '~', 'the file must have the field "keys"'],
    ['no key sets', 'keys:\n', 'keys: must name at least one key set'],
    ['an empty object', 'keys: {}\n', 'keys: must name at least one key set'],
    ['a list of key sets', 'keys: [a, b]\n', 'keys: must name at least one key set'],
    ['two documents', 'keys: { k: }\n---\nkeys: { l: }\n', 'the file must be one YAML document (line 2)'],
    ['tabs', 'keys:\n\tk:\n', 'indent with spaces, not with tabs (line 2)'],
    [
      'a field twice',
      'keys:\n  k:\n    file: a\n    file: b\n',
      'a field is given twice; remove one of them (line 4)',
    ],
    ['"keys" twice', 'keys: { a: }\nkeys: { b: }\n', 'a field is given twice; remove one of them (line 2)'],
    [
      'an alias',
      'keys:\n  a: &x { encoding: hex }\n  b: *x\n',
      'an alias (*) cannot be used here; write the value out (line 3)',
    ],
    [
      'an alias to nothing',
      'keys: { k: *x }\n',
      'an alias (*) cannot be used here; write the value out (line 1)',
    ],
    ['a tag', 'keys: { k: !secret x }\n', 'not valid YAML: tag resolve failed (line 1)'],
    ['a binary', 'keys: { k: { file: !!binary aGVsbG8= } }\n', 'not valid YAML: tag resolve failed (line 1)'],
    ['an open bracket', 'keys: { k: { file: a }\n', 'not valid YAML'],
    ['a bad indent', 'keys:\n    a:\n  b:\n c:\n', 'not valid YAML'],
    ['an unknown version', '%YAML 3.0\n---\nkeys: { k: }\n', 'not valid YAML: bad directive (line 1)'],
    ['nested 5,000 deep', `keys: ${'['.repeat(5000)}`, 'nested more than 32 levels deep'],
    ['a JSON text cut off', '{"keys": {"k": ', 'not valid YAML'],
    ['binary', '\x01\x02\xff\0', 'the file must have the field "keys"'],
    [
      'too much',
      `keys: { k: }\n#${'x'.repeat(maxConfigurationBytes)}`,
      'the file has more than 65536 bytes; check that it is the right one',
    ],
  ])('%s', (_, yaml, problem) => {
    const found = problems(yaml);
    expect(found[0]).toContain(problem);
    expect(new Set(found).size).toBe(found.length);
    expect(found.length).toBeLessThan(5);
  });
});

describe('YAML that is taken', () => {
  it.each([
    ['JSON', '{"keys": {"k": {"encoding": "hex"}}}'],
    ['CRLF', 'keys:\r\n  k:\r\n    encoding: hex\r\n'],
    ['a document that is marked', '---\nkeys: { k: { encoding: hex } }\n...\n'],
    ['comments', '# one\nkeys: # two\n  k: { encoding: hex } # three\n'],
    ['an anchor that nothing uses', 'keys:\n  k: &x { encoding: hex }\n'],
    ['an explicit type', 'keys: { k: { encoding: !!str hex } }\n'],
    ['YAML 1.1 by its directive', '%YAML 1.1\n---\nkeys: { k: { encoding: hex } }\n'],
    ['a block text', 'keys:\n  k:\n    encoding: |-\n      hex\n'],
    ['a byte order mark', '\ufeffkeys: { k: { encoding: hex } }\n'],
  ])('%s', (_, yaml) => {
    expect(settings(yaml).get('k')?.encoding).toBe('hex');
  });

  it('does not take on the types of YAML 1.1, whatever its directive says', () => {
    expect(
      problems('%YAML 1.1\n---\nkeys: { k: { allowWeakKey: yes, maxMessageBytes: 1_000 } }\n'),
    ).toHaveLength(2);
    expect([...settings('%YAML 1.1\n---\nkeys: { no: , 0777: }\n').keys()]).toEqual(['no', '0777']);
  });

  it('reads 010 as ten, as YAML 1.2 does', () => {
    expect(withFields('maxMessageBytes: 010')?.policy.maxMessageBytes).toBe(10);
  });

  it('holds 700 key sets of several fields', () => {
    const lines = Array.from(
      { length: 700 },
      (_, index) => `  k${index}: { encoding: hex, allow: [sign], rateLimit: { perSecond: 5 } }\n`,
    );
    expect(settings(`keys:\n${lines.join('')}`).size).toBe(700);
  });
});

describe('a value', () => {
  const marker = 'q7Zk9VxW2mSecret';
  const fields =
    'file env encoding format algorithm output allow maxMessageBytes rateLimit retainPreviousSeconds allowWeakKey other'.split(
      ' ',
    );
  const scalars = [
    marker,
    `"${marker}"`,
    `'${marker}`,
    `!!int ${marker}`,
    `!${marker} x`,
    `*${marker}`,
    `&${marker} [`,
    `[${marker}`,
    `"${marker}\\q"`,
    `|\n ${marker}`,
    `{ ${marker}: ${marker}`,
    `? [${marker}] : ${marker}`,
    `\t${marker}`,
    `@${marker}`,
    `%${marker}`,
    `{ perSecond: ${marker}, burst: [${marker}] }`,
    `[sign, ${marker}]`,
    `{ ? { x: ${marker} } : 1 }`,
    `>-\n      ${marker}\n     ${marker}`,
    `${marker}: ${marker}: ${marker}`,
    `- ${marker}`,
    `"${marker}" ${marker}`,
  ];

  it('is in no problem and no warning, wherever it stands and whatever is wrong with it', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const line = fc.tuple(fc.constantFrom(...fields), fc.constantFrom(...scalars));
    let refused = 0;
    fc.assert(
      fc.property(
        fc.array(line, { minLength: 1, maxLength: 4 }),
        fc.constantFrom('', '\n---\nx: 1', '%YAML 1.1\n---\n'),
        (lines, extra) => {
          const body = lines.map(([field, value]) => `    ${field}: ${value}\n`).join('');
          const yaml = extra.startsWith('%')
            ? `${extra}keys:\n  k:\n${body}`
            : `keys:\n  k:\n${body}${extra}`;
          const found = problems(yaml);
          refused += found.length;
          expect(found.join('\n').replaceAll(`.${marker}: unknown field`, '')).not.toContain(marker);
        },
      ),
      { numRuns: 1000 },
    );
    for (const scalar of scalars) {
      expect(problems(scalar).join('\n').replaceAll(`${marker}: unknown field`, '')).not.toContain(marker);
    }
    expect(refused).toBeGreaterThan(1000);
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });
});
