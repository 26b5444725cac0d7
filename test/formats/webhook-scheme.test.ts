/** What a scheme must be like: each rule, with the path and the message of its refusal. */

import { describe, expect, it } from 'vitest';
import { configurationOf, configurationProblems } from '../support/keys.ts';

/** As a configuration says it: JSON is YAML. */
const configuration = (fields: object) => `keys: ${JSON.stringify({ a: { encoding: 'text', ...fields } })}`;
const problemsOf = (fields: object) =>
  configurationProblems(configuration(fields)).map((problem) => problem.replace(/ \(line 1\)$/, ''));
const custom = (webhook: unknown, fields: object = {}) => ({ format: 'webhook', webhook, ...fields });
const warningsOf = (fields: object) =>
  configurationOf(configuration(fields)).keySets([]).get('a')?.format.warnings;

const headers = { 'X-Sig': '{signature}' };
const plain = { signed: '{body}', headers };
const timed = { signed: '{timestamp}.{body}', headers: { ...headers, 'X-Time': '{timestamp}' } };

describe('signed', () => {
  const here =
    'ariables here are {body}, {form}, {timestamp}, {id}, {nonce}, {method}, {url}, {path}, {query}, {host}, {header:name}';
  const noBody =
    'must hold {body} or {form}, because otherwise a signature would not cover the message, and any message could be put in its place';

  it.each<[string, string]>([
    ['{bdy}', `unknown variable {bdy} at character 1 of "{bdy}"; did you mean {body}? The v${here}`],
    ['{Body}', `unknown variable {Body} at character 1 of "{Body}"; did you mean {body}? The v${here}`],
    ['a { body }', `unknown variable at character 3 of "a { body }"; did you mean {body}? The v${here}`],
    [
      '{timestap}.{body}',
      `unknown variable {timestap} at character 1 of "{timestap}.{body}"; did you mean {timestamp}? The v${here}`,
    ],
    ['{}{body}', `unknown variable at character 1 of "{}{body}"; did you mean {id}? The v${here}`],
    ['{time}.{body}', `unknown variable {time} at character 1 of "{time}.{body}"; the v${here}`],
    ['{signature}.{body}', 'must not hold {signature} or {keyId}, which only headers carry'],
    ['{body}.{keyId}', 'must not hold {signature} or {keyId}, which only headers carry'],
    ...['token', 'header', 'header:', 'constructor', '__proto__', 'toString', 'hasOwnProperty'].map(
      (name): [string, string] => [
        `{${name}}.{body}`,
        `unknown variable {${name}} at character 1 of "{${name}}.{body}"; the v${here}`,
      ],
    ),
    ['{header:a b}{body}', `unknown variable at character 1 of "{header:a b}{body}"; the v${here}`],
    ['{header:é}{body}', `unknown variable at character 1 of "{header:é}{body}"; the v${here}`],
    ['', noBody],
    ['{timestamp}', noBody],
    ['{{body}}', noBody],
    ['0123456789abcdef0123456789abcdef', noBody],
    ['{body}{body}', 'must hold {body} or {form} once; "{body}{body}" holds two'],
    ['{form}.{body}', 'must hold {body} or {form} once; "{form}.{body}" holds two'],
    ['{id}.{id}.{body}', 'holds {id} twice in "{id}.{id}.{body}"; use it once'],
    [
      '{header:X-A}{header:x-a}{body}',
      'holds {header:x-a} twice in "{header:X-A}{header:x-a}{body}"; use it once',
    ],
    [
      '{body',
      '"{" stands alone at character 1 of the template; a variable is {name}, and {{ or }} is a brace',
    ],
    [
      '{body}}',
      '"}" stands alone at character 7 of "{body}}"; a variable is {name}, and {{ or }} is a brace',
    ],
    ['{{{body}', 'ok'],
    [
      '{{}{body}',
      '"}" stands alone at character 3 of "{{}{body}"; a variable is {name}, and {{ or }} is a brace',
    ],
    [
      '{b{ody}',
      '"{" stands alone at character 1 of "{b{ody}"; a variable is {name}, and {{ or }} is a brace',
    ],
    ['a\tb{body}', 'has a character that cannot stand at character 2 of "a\\tb{body}"'],
    ['ab\r\n{body}', 'has a character that cannot stand at character 3 of "ab\\r\\n{body}"'],
    ['{body}\0', 'has a character that cannot stand at character 7 of "{body}\\u0000"'],
    ['{body}\x1b[2J', 'has a character that cannot stand at character 7 of "{body}\\u001b[2J"'],
    ['{body}\x7f', 'has a character that cannot stand at character 7 of "{body}\\u007f"'],
    [`${'a'.repeat(251)}{body}`, 'has at most 256 characters'],
    ['a'.repeat(60_000), 'has at most 256 characters'],
    ['{body}'.repeat(10_000), 'has at most 256 characters'],
    ['{'.repeat(60_000), 'has at most 256 characters'],
  ])('%j', (signed, problem) => {
    const expected = problem === 'ok' ? [] : [`keys.a.webhook.signed: ${problem}`];
    expect(problemsOf(custom({ ...plain, signed }))).toEqual(expected);
  });

  it.each([`${'a'.repeat(250)}{body}`, 'é☃\n{{}}{body}', '{body}', '{header:X_Odd!}\n{body}'])(
    '%j is taken',
    (signed) => {
      expect(problemsOf(custom({ ...plain, signed }))).toEqual([]);
    },
  );

  it.each([7, true, null, ['{body}'], { body: 1 }])('%j is no template', (signed) => {
    expect(problemsOf(custom({ ...plain, signed }))).toEqual(['keys.a.webhook.signed: must be a string']);
  });

  it('shows the beginning of a long template', () => {
    const [problem = ''] = problemsOf(custom({ ...plain, signed: `{bdy}${'a'.repeat(200)}` }));
    expect(problem).toContain(`at character 1 of "{bdy}${'a'.repeat(75)}…"`);
  });

  it('is refused at once if the file has 100 KB or 10,000 variables', () => {
    for (const signed of ['a'.repeat(100_000), '{timestamp}'.repeat(10_000)]) {
      const start = performance.now();
      expect(problemsOf(custom({ ...plain, signed }))).toEqual([
        'the file has more than 65536 bytes; check that it is the right one, or remove key sets',
      ]);
      expect(performance.now() - start).toBeLessThan(1000);
    }
  });
});

describe('headers', () => {
  const shape =
    'must have the names of headers, at most 16, each with a template, a list of templates, or { items, separator }';
  const noName = 'a name is not that of a header; it may hold letters, digits and - and perhaps {n} once';
  const taken = (name: string) =>
    `the header ${name} cannot be passed on to the signer, because a request to it uses or refuses that name; let the receiver pass it on under another name, and write that one here`;
  const noSignature = 'keys.a.webhook.headers: must hold {signature} in one of the values';

  it.each<[string, unknown]>([
    ['nothing', {}],
    ['a list', ['{signature}']],
    ['a text', '{signature}'],
    ['null', null],
    ['a number for a template', { X: 7 }],
    ['null for a template', { X: null }],
    ['an empty list', { X: [] }],
    ['a list of numbers', { X: [1] }],
    ['a list of lists', { X: [['{signature}']] }],
    ['17 items', { X: Array(17).fill('a') }],
    ['17 headers', Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`X-${at}`, 'a']))],
    ['items alone', { X: { items: ['{signature}'] } }],
    ['a separator alone', { X: { separator: ',' } }],
    ['items that are a text', { X: { items: '{signature}', separator: ',' } }],
    ['a separator that is a number', { X: { items: ['{signature}'], separator: 1 } }],
    ['another field beside them', { X: { items: ['{signature}'], separator: ',', output: 'hex' } }],
  ])('cannot be %s', (_, value) => {
    expect(problemsOf(custom({ ...plain, headers: value }))).toEqual([`keys.a.webhook.headers: ${shape}`]);
  });

  it.each([
    '',
    'a b',
    'a:b',
    'é',
    'X\n',
    'X,Y',
    'X-{m}',
    'X-{n}-{n}',
    'X'.repeat(129),
    'X-{signature}',
    '[object]',
  ])('cannot have the name %j', (name) => {
    expect(problemsOf(custom({ ...plain, headers: { [name]: '{signature}' } }))).toEqual([
      `keys.a.webhook.headers: ${noName}`,
    ]);
  });

  it.each([
    'Host',
    'host',
    'Content-Type',
    'content-md5',
    'CONTENT-DIGEST',
    'Sec-Signer',
    'Sec-Signature',
    'Transfer-Encoding',
    'Connection',
    'Keep-Alive',
    'TE',
    'Trailer',
    'Upgrade',
    'Expect',
    'Cookie',
    'Proxy-Authorization',
    'X-Forwarded-For',
    'X-Forwarded-Signature',
    'X-Real-IP',
    'Forwarded',
    'Via',
    'Origin',
    'Referer',
  ])('cannot have the name %s, neither as an alias', (name) => {
    expect(problemsOf(custom({ ...plain, headers: { [name]: '{signature}' } }))).toEqual([
      `keys.a.webhook.headers: ${taken(name)}`,
    ]);
    expect(problemsOf(custom({ ...plain, aliases: { 'X-Sig': [name] } }))).toEqual([
      `keys.a.webhook.aliases.X-Sig: ${taken(name)}`,
    ]);
  });

  it('cannot have the name __proto__, which objects do not keep, but other names of Object.prototype', () => {
    const text = (name: string) =>
      `keys: { a: { encoding: text, format: webhook, webhook: { signed: "{body}", headers: { ${name}: v1, X: "{signature}" } } } }`;
    expect(configurationProblems(text('__proto__'))).toEqual([
      'keys.a.webhook.headers: the header __proto__ cannot carry a signature; choose another name (line 1)',
    ]);
    for (const name of ['constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
      expect(configurationProblems(text(name))).toEqual([]);
    }
  });

  it.each<[string, object]>([
    ['x-sig', { 'X-Sig': '{signature}', 'x-sig': '1' }],
    ['X-1', { 'X-1': '1', 'X-{n}': '{signature}' }],
    ['x-100', { 'X-{n}': '{signature}', 'x-100': '1' }],
  ])('cannot have the name %s twice', (name, value) => {
    const [problem = ''] = problemsOf(custom({ ...plain, headers: value }));
    expect(problem.toLowerCase()).toBe(
      `keys.a.webhook.headers: the header ${name.toLowerCase()} stands twice in the scheme; letter case makes no difference`,
    );
  });

  const here = 'ariables here are {signature}, {timestamp}, {id}, {nonce}, {keyId}';
  it.each<[unknown, string]>([
    ['', 'must not be empty'],
    [['{signature}', ''], 'must not be empty'],
    [
      '{signatur}',
      `unknown variable {signatur} at character 1 of "{signatur}"; did you mean {signature}? The v${here}`,
    ],
    ['{body}', `unknown variable {body} at character 1 of "{body}"; the v${here}`],
    ['{url}', `unknown variable {url} at character 1 of "{url}"; the v${here}`],
    ['{header:x}', `unknown variable {header:x} at character 1 of "{header:x}"; the v${here}`],
    ['{n}', `unknown variable {n} at character 1 of "{n}"; did you mean {id}? The v${here}`],
    ['a\n{signature}', 'has a character that cannot stand at character 2 of "a\\n{signature}"'],
    ['é{signature}', 'has a character that cannot stand at character 1 of "é{signature}"'],
    ['{', '"{" stands alone at character 1 of the template; a variable is {name}, and {{ or }} is a brace'],
    [
      '{signature}}',
      '"}" stands alone at character 12 of "{signature}}"; a variable is {name}, and {{ or }} is a brace',
    ],
    ['{signature}'.padEnd(257, 'a'), 'has at most 256 characters'],
  ])('cannot have the value %j', (value, problem) => {
    expect(problemsOf(custom({ ...plain, headers: { X: value } }))).toEqual([
      `keys.a.webhook.headers.X: ${problem}`,
      noSignature,
    ]);
  });

  it.each<[unknown, string]>([
    ['{signature}{signature}', 'holds {signature} twice in "{signature}{signature}"; use it once'],
    [
      { items: ['{signature}'], separator: '' },
      'separator: must be one printable character, perhaps with a space after it',
    ],
    [
      { items: ['{signature}'], separator: ', ,' },
      'separator: must be one printable character, perhaps with a space after it',
    ],
    [
      { items: ['{signature}'], separator: '\n' },
      'separator: must be one printable character, perhaps with a space after it',
    ],
    [
      { items: ['{signature}'], separator: 'é' },
      'separator: must be one printable character, perhaps with a space after it',
    ],
    [
      { items: ['{signature}'], separator: 'a' },
      '"{signature}" can hold the separator of the list; choose another "separator"',
    ],
    [['v1,{signature}'], '"v1,{signature}" can hold the separator of the list; choose another "separator"'],
    [
      ['{signature}', 'a={signature}', '{signature}'],
      `"{signature}" and "{signature}" can be the same text, for example "${'1'.repeat(64)}"; begin each item with a name of its own`,
    ],
    [
      '{keyId}{signature}{signature}',
      'holds {signature} twice in "{keyId}{signature}{signature}"; use it once',
    ],
  ])('cannot have the value %j, which has a signature', (value, problem) => {
    const found = problemsOf(custom({ ...plain, headers: { X: value } }));
    expect(found[0]).toBe(`keys.a.webhook.headers.X: ${problem}`);
  });

  it('have 32 templates with 512 characters together', () => {
    const message = 'keys.a.webhook.headers: have at most 32 templates, with 512 characters together';
    const long = { 'X-1': 'a'.repeat(250), 'X-2': 'b'.repeat(250), 'X-3': '{signature}' };
    expect(problemsOf(custom({ ...plain, headers: { ...long, 'X-4': 'c' } }))).toEqual([]);
    expect(problemsOf(custom({ ...plain, headers: { ...long, 'X-4': 'cc' } }))).toEqual([message]);
    const items = Array.from({ length: 16 }, (_, at) => `${at}={keyId}`);
    const many = (count: number) => ({ A: items, B: items.slice(16 - count), C: '{signature}' });
    expect(problemsOf(custom({ ...plain, headers: many(15) }))).toEqual([]);
    expect(problemsOf(custom({ ...plain, headers: many(16) }))).toEqual([message]);
  });

  it.each<[object, string, string]>([
    [{ 'X-Time': '1' }, 'headers', 'must hold {signature} in one of the values'],
    [
      { X: '{signature}', Y: ['v1={signature}'] },
      'headers',
      'hold {signature} in two values; use it in one, perhaps with {n} in the name',
    ],
    [
      { 'X-{n}': '{signature}', 'Y-{n}': 'a={signature}' },
      'headers',
      'hold {signature} in two values; use it in one, perhaps with {n} in the name',
    ],
  ])('hold the signature once: %j', (value, path, message) => {
    expect(problemsOf(custom({ ...plain, headers: value }))).toEqual([`keys.a.webhook.${path}: ${message}`]);
  });

  it('with {n} in their name hold nothing that is the same for all keys', () => {
    const value = { ...timed, headers: { 'X-{n}': ['t={timestamp}', 'v={signature}'] } };
    expect(problemsOf(custom(value))).toEqual([
      'keys.a.webhook.headers: with {n} in their name hold {signature} and {keyId} alone',
    ]);
  });
});

describe('what is signed is sent, and what is sent is signed', () => {
  it.each(['timestamp', 'id', 'nonce'] as const)('{%s}', (name) => {
    const flag = { timestamp: 'unsignedTimestamp', id: 'unsignedId', nonce: 'unsignedNonce' }[name];
    const signed = `{${name}}.{body}`;
    const sent = { ...headers, 'X-Own': `{${name}}` };
    const unsent = `keys.a.webhook.signed: holds {${name}}, which no header carries, so no receiver could verify it`;
    const unsigned = `keys.a.webhook.headers: hold {${name}}, which is not signed, so anybody could change it; add it to "signed", or set "${flag}: true"`;
    const misused = `keys.a.webhook.${flag}: is only for a {${name}} that a header carries and "signed" does not`;
    const twice = `keys.a.webhook.headers: hold {${name}} in two values; use it in one`;
    expect(problemsOf(custom({ signed, headers: sent }))).toEqual([]);
    expect(problemsOf(custom({ signed, headers: sent, [flag]: false }))).toEqual([]);
    expect(problemsOf(custom({ signed, headers }))).toEqual([unsent]);
    expect(problemsOf(custom({ signed, headers, [flag]: true }))).toEqual([unsent, misused]);
    expect(problemsOf(custom({ signed: '{body}', headers: sent }))).toEqual([unsigned]);
    expect(problemsOf(custom({ signed: '{body}', headers: sent, [flag]: true }))).toEqual([]);
    expect(problemsOf(custom({ signed: '{body}', headers, [flag]: true }))).toEqual([misused]);
    expect(problemsOf(custom({ signed, headers: sent, [flag]: true }))).toEqual([misused]);
    expect(problemsOf(custom({ signed, headers: { ...sent, Y: `{${name}}` } }))).toEqual([twice]);
    expect(problemsOf(custom({ signed, headers: sent, [flag]: 'yes' }))).toEqual([
      `keys.a.webhook.${flag}: must be a boolean`,
    ]);
  });
});

describe('names and aliases', () => {
  const numbered = { signed: '{body}', headers: { 'X-{n}': '{signature}' } };
  const words =
    'keys.a.webhook.names: must be a list of 1 to 16 words that stand for {n}, of letters, digits and -';
  const folded = 'keys.a.webhook.names: must differ from each other; letter case makes no difference';

  it.each<[unknown, string | undefined]>([
    [['primary', 'secondary'], undefined],
    [['a', 'a'], folded],
    [['a', 'A'], folded],
    [[], words],
    [['a b'], words],
    [[''], words],
    [['{n}'], words],
    [['a\n'], words],
    [[1], words],
    ['primary', words],
    [{ 0: 'a' }, words],
    [Array.from({ length: 17 }, (_, at) => `${at}`), words],
  ])('names: %j', (names, problem) => {
    expect(problemsOf(custom({ ...numbered, names }))).toEqual(problem === undefined ? [] : [problem]);
  });

  it('are for a header with {n} alone', () => {
    expect(problemsOf(custom({ ...plain, names: ['a'] }))).toEqual([
      'keys.a.webhook.names: is only for a header with {n} in its name',
    ]);
  });

  const shape = 'keys.a.webhook.aliases: must have the names of headers, each with a list of other names';
  it.each<[unknown, string | undefined]>([
    [{ 'X-Sig': ['x-old', 'x-older'] }, undefined],
    [{ 'x-sIG': ['x-old'] }, undefined],
    [{ 'X-Sig': ['constructor'] }, undefined],
    [{}, shape],
    [[], shape],
    [{ 'X-Sig': 'x-old' }, shape],
    [{ 'X-Sig': [] }, shape],
    [{ 'X-Sig': [7] }, shape],
    [{ 'X-Other': ['x-old'] }, 'keys.a.webhook.aliases.X-Other: is not one of the names under "headers"'],
    [
      { constructor: ['x-old'] },
      'keys.a.webhook.aliases.constructor: is not one of the names under "headers"',
    ],
    [
      { 'X-Sig': ['x-old', 'X-Old'] },
      'keys.a.webhook.aliases.X-Sig: the header X-Old stands twice in the scheme; letter case makes no difference',
    ],
    [
      { 'X-Sig': ['x-sig'] },
      'keys.a.webhook.aliases.X-Sig: the header x-sig stands twice in the scheme; letter case makes no difference',
    ],
    [
      { 'X-Sig': ['x-a'], 'x-sig': ['x-b'] },
      'keys.a.webhook.aliases.x-sig: stands twice; letter case makes no difference',
    ],
    [
      { 'X-Sig': ['x-{n}'] },
      'keys.a.webhook.aliases.X-Sig: a name is not that of a header; it may hold letters, digits and - and perhaps {n} once',
    ],
    [
      { 'X-Sig': ['__proto__'] },
      'keys.a.webhook.aliases.X-Sig: the header __proto__ cannot carry a signature; choose another name',
    ],
  ])('aliases: %j', (aliases, problem) => {
    expect(problemsOf(custom({ ...plain, aliases }))).toEqual(problem === undefined ? [] : [problem]);
  });

  it('are none for a header with {n}', () => {
    expect(problemsOf(custom({ ...numbered, aliases: { 'X-1': ['x-old'] } }))).toEqual([
      'keys.a.webhook.aliases.X-1: a header with {n} cannot have an alias',
    ]);
  });
});

describe('times', () => {
  const tolerance = 'must be at least 0, in whole seconds, or "none"';
  it.each<[object, string | undefined]>([
    [{ timestamp: 'rfc3339' }, undefined],
    [{ timestamp: 'minutes' }, 'timestamp: must be one of seconds, milliseconds, rfc3339'],
    [
      { timestamp: 'Seconds' },
      'timestamp: must be one of seconds, milliseconds, rfc3339; did you mean "seconds"?',
    ],
    [{ timestamp: 1 }, 'timestamp: must be one of seconds, milliseconds, rfc3339'],
    [{ toleranceSeconds: 0 }, undefined],
    [{ toleranceSeconds: 'none' }, undefined],
    ...[-1, 1.5, '60', 'never', 'None', null, true, [], 1e308].map((value): [object, string] => [
      { toleranceSeconds: value },
      `toleranceSeconds: ${tolerance}`,
    ]),
    [{ futureToleranceSeconds: -1 }, `futureToleranceSeconds: ${tolerance}`],
    [{ bodyTimestamp: '/time' }, 'bodyTimestamp: must not be given if "signed" holds {timestamp}'],
  ])('%j', (fields, problem) => {
    const expected = problem === undefined ? [] : [`keys.a.webhook.${problem}`];
    expect(problemsOf(custom({ ...timed, ...fields }))).toEqual(expected);
  });

  it.each(['.inf', '.nan', '-0.5'])('a tolerance of %s', (value) => {
    const text = `keys: { a: { format: webhook, webhook: { signed: '{timestamp}.{body}', toleranceSeconds: ${value}, headers: { X: '{signature}', T: '{timestamp}' } } } }`;
    expect(configurationProblems(text)).toEqual([`keys.a.webhook.toleranceSeconds: ${tolerance} (line 1)`]);
  });

  it.each(['timestamp', 'toleranceSeconds', 'futureToleranceSeconds'])('%s without a time', (field) => {
    const value = field === 'timestamp' ? 'seconds' : 60;
    expect(problemsOf(custom({ ...plain, [field]: value }))).toEqual([
      `keys.a.webhook.${field}: is only for a scheme with {timestamp} in "signed", or with "bodyTimestamp"`,
    ]);
    expect(problemsOf(custom({ ...plain, [field]: value, bodyTimestamp: '/time' }))).toEqual([]);
  });

  it('the unit of a time that is sent and not signed', () => {
    const scheme = { ...plain, headers: timed.headers, unsignedTimestamp: true, timestamp: 'rfc3339' };
    expect(problemsOf(custom(scheme))).toEqual([]);
    expect(problemsOf(custom({ ...scheme, toleranceSeconds: 60 }))).toEqual([
      'keys.a.webhook.toleranceSeconds: is only for a scheme with {timestamp} in "signed", or with "bodyTimestamp"',
    ]);
  });

  const pointer =
    'must be a JSON pointer (RFC 6901) such as /webhookTimestamp or /data/created, of at most 32 names';
  it.each<[unknown, string | undefined]>([
    ['/time', undefined],
    ['/a/0/~0~1/', undefined],
    ['/constructor', undefined],
    ['/__proto__', undefined],
    ['/é', undefined],
    ['/a'.repeat(32), undefined],
    ['/a'.repeat(33), pointer],
    [`/${'a'.repeat(256)}`, pointer],
    ['', pointer],
    ['time', pointer],
    ['#/time', pointer],
    ['/~', pointer],
    ['/~2', pointer],
    ['$.time', pointer],
    [7, 'must be a string'],
    [['/time'], 'must be a string'],
  ])('bodyTimestamp: %j', (bodyTimestamp, problem) => {
    const expected = problem === undefined ? [] : [`keys.a.webhook.bodyTimestamp: ${problem}`];
    expect(problemsOf(custom({ ...plain, bodyTimestamp }))).toEqual(expected);
  });

  it('of a form, which is no JSON', () => {
    expect(problemsOf(custom({ signed: '{form}', headers, ambiguous: true, bodyTimestamp: '/a' }))).toEqual([
      'keys.a.webhook.bodyTimestamp: must not be given with {form}, because a form is no JSON',
    ]);
  });
});

describe('challenge', () => {
  const challenge = { signed: '{token}', response: '{signature}' };
  const scheme = { ...timed, signed: 'v0:{timestamp}:{body}' };
  const rule =
    'pattern: must be at most 128 characters and sets such as [A-Za-z0-9_-], each perhaps with {8} or {8,128}, for tokens of 1 to 512 characters';
  const isMessage = (example: string) =>
    `pattern: accepts tokens whose signature is that of a message, or of its beginning (for example "${example}"), so whoever sends a challenge could have a message signed; make the pattern narrower`;
  const twoWays =
    'pattern: can read one token in two ways, so a long token could keep the signer busy; write each set once, or put a character between two sets that neither holds';

  it.each<[object, string | undefined]>([
    [{}, undefined],
    [{ pattern: '[a-z]{8}' }, undefined],
    [{ pattern: 'crc_[0-9A-Fa-f]{1,64}' }, undefined],
    [{ pattern: '[a-z]{1,64}-[a-z]{1,64}' }, undefined],
    [{ pattern: '\\.\\+/~=:{2}' }, undefined],
    [{ pattern: '[a-z]{512}' }, undefined],
    [{ output: 'base64' }, undefined],
    [{ signed: 'challenge:{token}', response: 'sha256={signature}' }, undefined],
    ...[
      '',
      '.*',
      '.{8}',
      '[a-z]+',
      '[a-z]*',
      '[a-z]?',
      '[^a]{8}',
      '[z-a]{8}',
      '[]{8}',
      '[a-z',
      '[a-z]{8,4}',
      '[a-z]{8,}',
      '[a-z]{,8}',
      '[a-z]{0}',
      '[a-z]{0,0}a{0}',
      '[a-z]{513}',
      '[a-z]{256}[a-z]{257}',
      '{8}',
      'a|b',
      '^a$',
      '(a)',
      '(?:a)',
      '\\w{8}',
      '\\d{8}',
      'a b',
      'é',
      '[é]',
      'a\n',
      '[a-\n]',
      '\0',
      'a'.repeat(129),
      '[a]{1,2}'.repeat(10_000 / 8),
    ].map((pattern): [object, string] => [{ pattern }, rule]),
    [{ pattern: '[a-z]{1,9}[a-z]{1,9}' }, twoWays],
    [{ pattern: `${'[a]{0,1}'.repeat(14)}b` }, twoWays],
    [{ pattern: '[a-z0-9:]{8,64}' }, isMessage('v0:11111')],
    [{ pattern: '[v0:1-9]{4}' }, isMessage('v0:1')],
    // The beginning of a message.
    [{ pattern: 'v' }, isMessage('v')],
    [{ pattern: 'v0:' }, isMessage('v0:')],
    [{ pattern: 'v0:[0-9]{1,20}' }, isMessage('v0:1')],
    [{ pattern: 'v0:0[0-9]{1,20}' }, undefined],
    [{ signed: 'v0:{token}' }, isMessage('v0:11111111')],
    [{ signed: 'v{token}', pattern: '[0-9:]{4}' }, isMessage('v0:11')],
    [{ signed: '' }, 'signed: must hold {token} once'],
    [{ signed: 'token' }, 'signed: must hold {token} once'],
    [{ signed: '{token}{token}' }, 'signed: must hold {token} once'],
    [
      { signed: '{body}' },
      'signed: unknown variable {body} at character 1 of "{body}"; the variables here are {token}',
    ],
    [
      { signed: '{tokn}' },
      'signed: unknown variable {tokn} at character 1 of "{tokn}"; did you mean {token}? The variables here are {token}',
    ],
    [{ response: 'yes' }, 'response: must hold {signature} once'],
    [{ response: '{signature}{signature}' }, 'response: must hold {signature} once'],
    [
      { response: '{token}' },
      'response: unknown variable {token} at character 1 of "{token}"; the variables here are {signature}',
    ],
    [
      { response: '{signature}\n' },
      'response: has a character that cannot stand at character 12 of "{signature}\\n"',
    ],
    [{ output: 'bytes' }, 'output: must be one of hex, base64, base64url'],
    [{ tokens: 1 }, 'tokens: unknown field; the fields here are: signed, response, output, pattern'],
    [{ pattern: 7 }, 'pattern: must be a string'],
  ])('%j', (fields, problem) => {
    const found = problemsOf(
      custom({ ...scheme, challenge: { ...challenge, ...fields } }, { allow: ['challenge'] }),
    );
    expect(found).toEqual(problem === undefined ? [] : [`keys.a.webhook.challenge.${problem}`]);
  });

  it.each<[string, object, string | undefined]>([
    ['{body}', {}, '11111111'],
    ['{form}', { ambiguous: true }, '11111111'],
    ['{header:x-a}\n{body}', {}, '11111111'],
    ['{url}\n{body}', {}, '11111111'],
    ['{host}/{body}', {}, '11111111'],
    ['{method}\n{body}', {}, 'AAAAAAAA'],
    ['{path} {body}', {}, undefined],
    ['{method} {path}\n{body}', {}, 'AAAAAAAA'],
    ['v0:{body}', {}, undefined],
  ])('beside %s', (signed, fields, example) => {
    const found = problemsOf(custom({ ...plain, signed, ...fields, challenge }));
    expect(found).toEqual(example === undefined ? [] : [`keys.a.webhook.challenge.${isMessage(example)}`]);
  });

  it('must be there to be allowed', () => {
    const problem =
      'keys.a.allow: may hold "challenge" only with a provider that sends challenges, such as zoom, or with a scheme that has one';
    const allow = ['verify', 'challenge'];
    expect(problemsOf(custom(plain, { allow }))).toEqual([problem]);
    expect(problemsOf({ format: 'github', allow })).toEqual([problem]);
    expect(problemsOf({ allow })).toEqual([problem]);
    expect(problemsOf({ format: 'zoom', allow })).toEqual([]);
    expect(problemsOf({ format: 'x', allow })).toEqual([]);
  });
});

describe('the other fields of a key set', () => {
  const algorithms =
    'keys.a.algorithm: must be one of HS256, HS384, HS512, HMAC-SHA1 with the format webhook';
  it.each<[object, readonly string[]]>([
    [{ algorithm: 'HS384' }, []],
    [{ algorithm: 'HMAC-SHA1' }, []],
    [{ algorithm: 'HMAC-SHA3-256' }, [algorithms]],
    [{ algorithm: 'HMAC-SHA3-512' }, [algorithms]],
    [{ toleranceSeconds: 60 }, ['keys.a.toleranceSeconds: belongs under "webhook:"']],
    [{ zoom: {} }, ['keys.a.zoom: is only for the format zoom; this key set has the format webhook']],
    [{ webhooks: {} }, ['keys.a.webhooks: unknown field; did you mean "webhook"?']],
    [
      { format: 'github' },
      ['keys.a.webhook: is only for the format webhook; this key set has the format github'],
    ],
  ])('%j', (fields, problems) => {
    expect(problemsOf(custom(plain, fields))).toEqual(problems);
  });

  it('HMAC-SHA1 is for webhooks alone', () => {
    for (const format of ['raw', 'jwt', 'cookie', 'github', 'standard-webhooks', 'http-signature']) {
      const found = problemsOf({ format, algorithm: 'HMAC-SHA1' });
      expect(
        found.some((problem) => /^keys\.a\.(?:algorithm|jwt|http-signature): /.test(problem)),
        `${format}: ${found}`,
      ).toBe(true);
    }
    expect(problemsOf({ format: 'twilio', algorithm: 'HMAC-SHA1' })).toEqual([]);
    expect(problemsOf({ format: 'twilio', algorithm: 'HS256' })).toEqual([
      'keys.a.algorithm: must be one of HMAC-SHA1 with the format twilio',
    ]);
  });

  it.each<[unknown, readonly string[]]>([
    [undefined, ['keys.a.webhook: is missing; it needs signed and headers']],
    [null, ['keys.a.webhook: must be an object']],
    ['{body}', ['keys.a.webhook: must be an object']],
    [[plain], ['keys.a.webhook: must be an object']],
    [{ ...plain, sign: 1 }, ['keys.a.webhook.sign: unknown field; did you mean "signed"?']],
    [{ ...plain, signWith: 'both' }, ['keys.a.webhook.signWith: must be one of primary, all']],
    [
      { ...plain, signWith: 'all' },
      ['keys.a.webhook.signWith: can be "all" only if {signature} stands in a list, or in a header with {n}'],
    ],
    [
      { ...plain, output: 'HEX' },
      ['keys.a.webhook.output: must be one of hex, base64, base64url; did you mean "hex"?'],
    ],
    [{ ...plain, ambiguous: 1 }, ['keys.a.webhook.ambiguous: must be a boolean']],
    // Those of built-in schemes are no fields here.
    [
      { ...plain, urlPort: 'either' },
      [
        'keys.a.webhook.urlPort: unknown field; the fields here are: signed, headers, output, timestamp, toleranceSeconds, futureToleranceSeconds, signWith, aliases, names, bodyTimestamp, unsignedTimestamp, unsignedId, unsignedNonce, challenge, ambiguous',
      ],
    ],
  ])('webhook: %j', (webhook, problems) => {
    expect(problemsOf(custom(webhook))).toEqual(problems);
  });

  it('every problem is reported at once', () => {
    const scheme = {
      signed: '{id}.{bdy}',
      headers: { Host: '{signature}', 'X-A': '{nope}', 'X-B': '' },
      aliases: { 'X-C': ['x-d'] },
    };
    expect(
      problemsOf(custom(scheme, { algorithm: 'HMAC-SHA3-256' })).map((each) => each.split(': ')[0]),
    ).toEqual([
      'keys.a.algorithm',
      'keys.a.webhook.signed',
      'keys.a.webhook.headers',
      'keys.a.webhook.headers.X-A',
      'keys.a.webhook.headers.X-B',
      'keys.a.webhook.aliases.X-C',
    ]);
  });
});

it('refuses a scheme that contradicts itself, as its self-test shows', () => {
  const failed = ['keys.a.webhook.signed: failed its self-test'];
  // The constant item is read in the place of the signature.
  const list = { X: { items: ['v1', 'v1,{signature}'], separator: ' ' } };
  expect(problemsOf(custom({ ...plain, headers: list }))).toEqual(failed);
  // Spaces at an end of a header are removed on the way.
  expect(problemsOf(custom({ ...plain, headers: { X: ' {signature}' } }))).toEqual(failed);
});

it('refuses a header that the scheme signs and writes itself', () => {
  const scheme = { ...timed, signed: '{header:X-Time}\n{timestamp}.{body}' };
  expect(problemsOf(custom(scheme))).toEqual([
    'keys.a.webhook.signed: holds {header:x-time}, which the scheme itself writes',
  ]);
});

it('takes a scheme whose key ids must not hold the first letters', () => {
  for (const end of ['a', 'b', 'ab', '0', 'z']) {
    expect(problemsOf(custom({ ...plain, headers: { X: `{keyId}${end}{signature}` } }))).toEqual([]);
  }
});

describe('the warnings', () => {
  it.each<[object, readonly string[]]>([
    [custom(plain), []],
    [custom(timed), []],
    [custom(plain, { algorithm: 'HMAC-SHA1' }), ['uses HMAC-SHA1, an old hash']],
    [
      custom({ ...timed, toleranceSeconds: 'none' }),
      ['accepts signatures of any age', 'accepts signatures of any time in the future'],
    ],
    [custom({ ...timed, futureToleranceSeconds: 'none' }), ['accepts signatures of any time in the future']],
    [custom({ ...timed, ambiguous: true }), []],
    [
      custom({ ...timed, signed: '{timestamp}{body}', ambiguous: true }),
      [
        'signs bytes that can be read in two ways, so an attacker can shift them: the same bytes are timestamp "11" with body "", and timestamp "1" with body "1"',
      ],
    ],
    [
      custom({ ...plain, signed: '{form}', ambiguous: true }),
      [
        'signs bytes that can be read in two ways, so an attacker can shift them: different forms have the same {form}: a=1&b=2 and a=1b2 are both signed as "a1b2"',
      ],
    ],
    [{ format: 'stripe' }, []],
    [
      { format: 'stripe', stripe: { toleranceSeconds: 'none', futureToleranceSeconds: 1 } },
      ['accepts signatures of any age'],
    ],
    [{ format: 'x' }, ['answers a challenge with the signature of a message that is the token alone']],
  ])('of %j', (fields, warnings) => {
    expect(warningsOf(fields)).toEqual(warnings);
  });
});

describe('a key that was pasted into the wrong place', () => {
  const secret = 'kT9vQ2mZ7xW4pL8s';
  const wrong: Readonly<Record<string, unknown>> = {
    signed: custom({ ...plain, signed: secret }),
    'a value': custom({ ...plain, headers: { X: secret } }),
    'an item': custom({ ...plain, headers: { X: [secret, `${secret}\n`] } }),
    'a separator': custom({ ...plain, headers: { X: { items: ['{signature}'], separator: secret } } }),
    'an alias': custom({ ...plain, aliases: { 'X-Sig': [`${secret}/=`] } }),
    'a name': custom({ ...plain, names: [secret] }),
    'a unit': custom({ ...timed, timestamp: secret }),
    'a tolerance': custom({ ...timed, toleranceSeconds: secret }),
    'a pointer': custom({ ...plain, bodyTimestamp: secret }),
    'a pattern': custom({
      ...timed,
      challenge: { signed: '{token}', response: '{signature}', pattern: `${secret}*` },
    }),
    'a response': custom({ ...timed, challenge: { signed: '{token}', response: secret } }),
    'the scheme': custom(secret),
    'an unknown field': custom({ ...plain, [`${secret}0123`]: '' }),
    'a brace': custom({ ...plain, signed: `{${secret}` }),
    'the algorithm': custom(plain, { algorithm: secret }),
    'the options of a provider': { format: 'stripe', stripe: { signWith: secret } },
  };

  it.each(Object.entries(wrong))('as %s stays out of the messages', (_, fields) => {
    const found = problemsOf(fields as object);
    expect(found.length).toBeGreaterThan(0);
    expect(found.join()).not.toContain(secret);
  });
});
