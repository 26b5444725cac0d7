/**
 * Whether a template can be read in two ways. What the signer decides is compared with a parser that tries everything, and
 * with the languages of the variables as the documentation has them, written here a second time.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TimeUnit } from '../../src/api/webhook-scheme.ts';
import { commonWord, createAutomaton, twoReadings } from '../../src/formats/webhook/automaton.ts';
import { compileScheme } from '../../src/formats/webhook/compile.ts';
import {
  anyNumber,
  bytes,
  choice,
  type Language,
  matcherOf,
  optional,
  patternOf,
  repeated,
  sequence,
} from '../../src/formats/webhook/language.ts';
import type { Part } from '../../src/formats/webhook/template.ts';
import {
  endsOf,
  headerVariables,
  languageOf,
  languagesOf,
  type Notation,
  signedVariables,
} from '../../src/formats/webhook/variables.ts';
import { accepts, countReadings, endOf, partsOf } from '../support/readings.ts';

const units = ['seconds', 'milliseconds', 'rfc3339'] as const;
function notationOf(parts: readonly Part[], timestamp: TimeUnit): Notation {
  return { timestamp, output: 'hex', tagBytes: 32, ends: endsOf([{ parts, separator: '' }]) };
}

const readingsOf = (parts: readonly Part[], unit: TimeUnit) =>
  twoReadings(createAutomaton(languagesOf(parts, notationOf(parts, unit))));

/** Every text over an alphabet up to a length. */
function* textsOver(alphabet: readonly string[], length: number): Generator<string> {
  yield '';
  if (length === 0) return;
  for (const rest of textsOver(alphabet, length - 1)) for (const first of alphabet) yield first + rest;
}

describe('the automaton of a language', () => {
  const notations = units.flatMap((timestamp) =>
    (['hex', 'base64', 'base64url'] as const).flatMap((output) =>
      [20, 32, 48, 64].flatMap((tagBytes) =>
        ['', '.', ' ', 'a:', '|09 '].map(
          (end): Notation => ({
            timestamp,
            output,
            tagBytes,
            ends: { id: end, nonce: end, keyId: end },
          }),
        ),
      ),
    ),
  );
  const variables = [...new Set([...signedVariables, ...headerVariables])];
  const languages = new Map(
    notations.flatMap((notation) =>
      variables.map((name) => {
        const language = languageOf(name, notation);
        return [`${name} ${patternOf(language)}`, { name, language }] as const;
      }),
    ),
  );

  it('reads each word of a variable in one way', () => {
    expect(languages.size).toBeGreaterThan(30);
    for (const [pattern, { language }] of languages) {
      expect(twoReadings(createAutomaton([language])), pattern).toBeUndefined();
    }
  });

  /** Whether the automaton reads the word, by following all runs at once. */
  const reads = (language: Language, word: string) => {
    const { sets, next, ends } = createAutomaton([language]);
    let states = new Set([0]);
    for (const byte of word) {
      const holds = (state: number) => {
        const set = sets[state] ?? '';
        return [...set].some((_, at) => at % 2 === 0 && byte >= set.charAt(at) && byte <= set.charAt(at + 1));
      };
      states = new Set([...states].flatMap((state) => next[state] ?? []).filter(holds));
    }
    return [...states].some((state) => ends.has(state));
  };

  it('accepts the words that the regular expression accepts', () => {
    const samples = [
      '',
      '1',
      '0',
      '01',
      '999999999999',
      '1000000000000',
      '999999999999999',
      '1000000000000000',
      '2027-01-15T08:00:00Z',
      '2027-01-15T08:00:00.5Z',
      '2027-01-15T08:00:00.123456789+02:00',
      '2027-01-15T08:00:00.1234567890Z',
      '2027-01-15t08:00:00Z',
      '2027-01-15 08:00:00Z',
      'msg_1',
      'a b',
      ' a',
      'a ',
      'a,b',
      'a.b',
      'a|b',
      'POST',
      'post',
      'https://a.example/?b=c',
      '/',
      '/a?b',
      'a=1&b=%20',
      'host:80',
      'user@host',
      'a\nb',
      'a\0',
      'é',
      '\x7f',
      ...[20, 32, 48, 64].flatMap((size) =>
        (['hex', 'base64', 'base64url'] as const).map((encoding) =>
          Buffer.alloc(size, 0xfb).toString(encoding),
        ),
      ),
    ];
    const accepted = new Map<string, number>();
    for (const { name, language } of languages.values()) {
      const matcher = matcherOf(language);
      for (const sample of samples) {
        const mutated = [
          sample,
          `${sample}\n`,
          sample.slice(1),
          sample.slice(0, -1),
          `${sample}=`,
          `0${sample}`,
        ];
        for (const word of mutated) {
          const matches = matcher.test(word);
          if (matches) accepted.set(name, (accepted.get(name) ?? 0) + 1);
          if (reads(language, word) !== matches) expect.fail(`{${name}} and ${JSON.stringify(word)}`);
        }
      }
    }
    expect([...accepted.keys()].sort()).toEqual([...variables].sort());
  });

  it('does so for random words', () => {
    const choices = [...languages.values()];
    fc.assert(
      fc.property(
        fc.constantFrom(...choices),
        fc.array(fc.constantFrom(...'019aAfzZ/+-_:.,=T ?#&@\n\0é\xff'), { maxLength: 24 }),
        ({ language }, characters) => {
          const word = characters.join('');
          expect(reads(language, word)).toBe(matcherOf(language).test(word));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('counts every character beyond Latin-1 as a byte above ASCII', () => {
    const [notation] = notations;
    if (notation === undefined) throw new Error('there is no notation');
    expect(matcherOf(languageOf('path', notation)).test('/☃')).toBe(true);
    for (const name of ['url', 'host', 'id', 'method', 'timestamp', 'signature']) {
      expect(matcherOf(languageOf(name, notation)).test('☃'), name).toBe(false);
    }
  });
});

describe('the decision', () => {
  /** The words of a language up to a length. */
  const wordsOf = (language: Language, most: number): ReadonlySet<string> => {
    if ('bytes' in language) {
      const [first = '', last = ''] = language.bytes;
      return new Set(['a', 'b'].filter((letter) => letter >= first && letter <= last && most > 0));
    }
    if ('choice' in language) return new Set(language.choice.flatMap((each) => [...wordsOf(each, most)]));
    const join = (a: Iterable<string>, b: ReadonlySet<string>) =>
      new Set(
        [...a].flatMap((one) => [...b].map((other) => one + other)).filter(({ length }) => length <= most),
      );
    if ('sequence' in language) {
      return language.sequence.map((each) => wordsOf(each, most)).reduce(join, new Set(['']));
    }
    const { repeated: inner, least, most: times } = language;
    const once = wordsOf(inner, most);
    const all = new Set<string>();
    let words: ReadonlySet<string> = new Set(['']);
    for (let count = 0; count <= Math.min(times, most + least); count++) {
      if (count >= least) for (const word of words) all.add(word);
      words = join(words, once);
    }
    return all;
  };

  const leaf = fc.constantFrom(bytes('aa'), bytes('bb'), bytes('ab'));
  const language: fc.Arbitrary<Language> = fc.letrec<{ language: Language }>((tie) => ({
    language: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.array(tie('language'), { minLength: 1, maxLength: 3 }).map((each) => sequence(...each)),
      fc.array(tie('language'), { minLength: 1, maxLength: 2 }).map((each) => choice(...each)),
      leaf.map(optional),
      fc.tuple(leaf, fc.nat(2), fc.nat(2)).map(([of, least, more]) => repeated(of, least, least + more)),
      fc.tuple(leaf, fc.nat(2)).map(([of, least]) => anyNumber(of, least)),
    ),
  })).language;
  const isSingle = (each: Language) => twoReadings(createAutomaton([each])) === undefined;

  it('is that of an exhaustive search, for random languages', () => {
    const most = 6;
    const seen = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(fc.array(language.filter(isSingle), { minLength: 1, maxLength: 3 }), (languages) => {
        const words = languages.map((each) => wordsOf(each, most));
        let assignments: readonly (readonly string[])[] = [[]];
        for (const each of words) {
          assignments = assignments
            .flatMap((values) => [...each].map((word) => [...values, word]))
            .filter((values) => values.join('').length <= most);
        }
        const joined = assignments.map((values) => values.join(''));
        const found = twoReadings(createAutomaton(languages));
        if (found === undefined) {
          seen.accepted++;
          expect(new Set(joined).size).toBe(joined.length);
          return;
        }
        seen.refused++;
        const [one, other] = found;
        expect(one.join('')).toBe(other.join(''));
        expect(one).not.toEqual(other);
        for (const [at, each] of languages.entries()) {
          for (const value of [one[at] ?? '', other[at] ?? '']) {
            expect(new RegExp(`^(?:${patternOf(each)})$`).test(value)).toBe(true);
            if (value.length <= most) expect(words[at]).toContain(value);
          }
        }
      }),
      { numRuns: 2000 },
    );
    expect(Math.min(seen.accepted, seen.refused)).toBeGreaterThan(200);
  });

  it('finds a common word of two languages, or one that begins a word of the other, if there is one', () => {
    const most = 5;
    const seen = { common: 0, begins: 0, none: 0 };
    fc.assert(
      fc.property(language, language, (one, other) => {
        const [a, b] = [createAutomaton([one]), createAutomaton([other])];
        const [words, others] = [wordsOf(one, most), wordsOf(other, most)];
        const common = [...words].filter((word) => others.has(word));
        const begins = [...words].filter((word) => [...others].some((each) => each.startsWith(word)));
        const [found, asPrefix] = [commonWord(a, b), commonWord(a, b, true)];
        if (found === undefined) expect(common).toEqual([]);
        else if (found.length <= most) expect(common).toContain(found);
        if (asPrefix === undefined) expect(begins).toEqual([]);
        else expect(asPrefix.length <= most ? words : new Set([asPrefix])).toContain(asPrefix);
        seen[found !== undefined ? 'common' : asPrefix !== undefined ? 'begins' : 'none']++;
      }),
      { numRuns: 2000 },
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(50);
  });
});

describe('a template', () => {
  const names = ['timestamp', 'id', 'nonce', 'method', 'url', 'path', 'query', 'host', 'header:x-a'] as const;
  const texts = ['.', ':', '1', '/', '?', ' ', '\n', 'v0:', 'A', 'Z', '-', '}}', '{{', 'T', '#', 'é'];
  /** Text and variables in turn or not, with the body in one place. */
  const template = fc
    .tuple(
      fc.uniqueArray(fc.constantFrom(...names), { maxLength: 3 }),
      fc.nat(3),
      fc.array(fc.oneof(fc.constant(''), fc.constantFrom(...texts)), { minLength: 5, maxLength: 5 }),
    )
    .map(([variables, at, between]) =>
      variables
        .toSpliced(at, 0, 'body' as never)
        .map((name, index) => `${between[index]}{${name}}`)
        .join('')
        .concat(between[4] ?? ''),
    );
  const value: Readonly<Record<string, fc.Arbitrary<string>>> = {
    body: fc.constantFrom('', '1', '.', ':1', '{"a":1}', 'Z/', '2027-01-15T08:00:00Z', '1.', '\n', 'A'),
    id: fc.constantFrom('a', 'msg_1', '1', '1:2', 'a.b', 'A/', '-', 'a b'),
    nonce: fc.constantFrom('a', '11', '1-', ':.:', 'Z', 'T1'),
    method: fc.constantFrom('GET', 'POST', 'A', 'AZ', 'T'),
    url: fc.constantFrom('https://a/', '/1', '1', '.', 'Z', '-:-', 'v0:1'),
    path: fc.constantFrom('/', '/1', '/.', '//', '/A:1', '/-', '/Ã©'),
    query: fc.constantFrom('', '1', 'a=1', '/', '?', '.:', 'Z'),
    host: fc.constantFrom('a', '1', 'a.b:1', 'A', '-', '[::1]'),
    'header:x-a': fc.constantFrom('', '1', 'a b', '.', ':', '/?', 'Ã©'),
  };
  const time = {
    seconds: fc.constantFrom('1', '11', '1800000000', '999999999999'),
    milliseconds: fc.constantFrom('1', '1800000000000', '111'),
    rfc3339: fc.constantFrom(
      '2027-01-15T08:00:00Z',
      '2027-01-15T08:00:00.1+01:00',
      '1111-11-11T11:11:11-11:11',
    ),
  };

  it('that is accepted reads every text in one way, and one that is refused has a witness', () => {
    const seen = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(template, fc.constantFrom(...units), fc.gen(), (text, unit, gen) => {
        const parts = partsOf(text);
        const found = readingsOf(parts, unit);
        if (found !== undefined) {
          seen.refused++;
          const [one, other] = found;
          expect(one).not.toEqual(other);
          expect(one.join('')).toBe(other.join(''));
          for (const [at, part] of parts.entries()) {
            if ('text' in part) continue;
            for (const each of [one[at] ?? '', other[at] ?? '']) {
              expect(accepts(part.variable, each, unit, endOf(parts, at)), `${text}: ${each}`).toBe(true);
            }
          }
          expect(countReadings(parts, one.join(''), unit)).toBeGreaterThan(1);
          return;
        }
        seen.accepted++;
        for (let count = 0; count < 20; count++) {
          const bytes = parts.map((part, at) => {
            if ('text' in part) return Buffer.from(part.text).toString('latin1');
            const { variable } = part;
            const own = variable === 'timestamp' ? time[unit] : value[variable];
            if (own === undefined) throw new Error(`{${variable}} has no values here`);
            const end = endOf(parts, at);
            return gen(() => own.filter((each) => accepts(variable, each, unit, end)));
          });
          expect(countReadings(parts, bytes.join(''), unit), `${text}: ${bytes}`).toBe(1);
        }
        const alphabet = [...new Set([...text.replace(/\{[^{}]*\}/g, ''), '1', '/', 'A'])].slice(0, 4);
        for (const each of textsOver(alphabet, 5)) {
          expect(countReadings(parts, each, unit), `${text}: ${each}`).toBeLessThan(2);
        }
      }),
      { numRuns: 250 },
    );
    expect(Math.min(seen.accepted, seen.refused)).toBeGreaterThan(40);
  });

  it.each<[string, TimeUnit, boolean]>([
    ['{body}', 'seconds', true],
    ['{timestamp}.{body}', 'seconds', true],
    ['v0:{timestamp}:{body}', 'seconds', true],
    ['{id}.{timestamp}.{body}', 'seconds', true],
    // An id may hold a colon elsewhere, and not here.
    ['{id}:{timestamp}:{body}', 'seconds', true],
    // From the right, a time and a nonce have no dot.
    ['{body}.{nonce}.{timestamp}', 'seconds', true],
    ['{body}.{nonce}.{timestamp}', 'rfc3339', true],
    ['{method}\n{path}\n{query}\n{header:host}\n{body}', 'seconds', true],
    ['{method} {path}?{query}\n{body}', 'seconds', true],
    // A time of fixed length, or that begins with a digit after letters, ends where it must.
    ['{method}{timestamp}.{body}', 'seconds', true],
    ['{timestamp}{body}', 'rfc3339', true],
    ['{body}{timestamp}', 'rfc3339', true],
    ['{timestamp}{body}', 'seconds', false],
    ['{body}{timestamp}', 'seconds', false],
    ['{body}{timestamp}', 'milliseconds', false],
    ['{url}{timestamp}{body}', 'rfc3339', false],
    ['{url}{body}', 'seconds', false],
    ['{body}{url}', 'seconds', false],
    ['{id}{timestamp}{body}', 'rfc3339', false],
    ['{method}{path}{body}', 'seconds', false],
    ['{path}{query}\n{body}', 'seconds', false],
    ['{method}{url}{body}{timestamp}', 'milliseconds', false],
    ['{header:x-a}.{body}', 'seconds', false],
    ['{header:x-a}\n{body}', 'seconds', true],
    ['{body}\n{header:x-a}', 'seconds', true],
    ['{body}.{header:x-a}', 'seconds', false],
    ['{query}?{path}\n{body}', 'seconds', true],
    ['{query}/{path}\n{body}', 'seconds', false],
    ['{path}?{query}#{body}', 'seconds', true],
    ['{host}/{body}', 'seconds', true],
    ['{host}{path} {body}', 'seconds', true],
    ['{url} {body}', 'seconds', true],
    ['{url}.{body}', 'seconds', false],
    ['{id}{nonce}.{body}', 'seconds', false],
  ])('%j with %s is readable in one way: %s', (text, unit, isReadable) => {
    const parts = partsOf(text);
    const found = readingsOf(parts, unit);
    expect(found === undefined).toBe(isReadable);
    if (found !== undefined) expect(countReadings(parts, found[0].join(''), unit)).toBeGreaterThan(1);
  });

  it('has its witness in the message, as two assignments with the same bytes', () => {
    const scheme = {
      signed: '{timestamp}{body}',
      headers: { 'X-Sig': '{signature}', 'X-Time': '{timestamp}' },
    };
    const problems = compileScheme(scheme, 'HS256', false);
    expect(problems).toEqual([
      {
        path: ['signed'],
        message:
          'can be read in two ways: the same bytes are timestamp "11" with body "", and timestamp "1" with body "1". Put fixed text between the variables that no value can hold, or accept it with "ambiguous: true"',
      },
    ]);
    expect(compileScheme({ ...scheme, ambiguous: true }, 'HS256', false)).toMatchObject({
      warnings: [
        'signs bytes that can be read in two ways, so an attacker can shift them: the same bytes are timestamp "11" with body "", and timestamp "1" with body "1"',
      ],
    });
  });
});

describe('a header', () => {
  /** As a regular expression of its own, and the characters that its variables may have. */
  const items: Readonly<Record<string, readonly [pattern: string, characters: RegExp]>> = {
    't={timestamp}': ['t=[1-9]\\d{0,11}', /[0-9t=]/],
    '{timestamp}': ['[1-9]\\d{0,11}', /\d/],
    'v1={signature}': ['v1=[0-9a-f]{64}', /[0-9a-fv=]/],
    '{signature}': ['[0-9a-f]{64}', /[0-9a-f]/],
    'id={id}': ['id=[!-+\\--~](?:[ -+\\--~]*[!-+\\--~])?', /[ -+\--~]/],
    '{id}': ['[!-+\\--~](?:[ -+\\--~]*[!-+\\--~])?', /[ -+\--~]/],
    'v=1': ['v=1', /[v=1]/],
    'a;b': ['a;b', /[a;b]/],
  };

  it.each([',', ';', ' ', ', ', '; ', '|', '1'])(
    'as a list with the separator %j has items that no other can be',
    (separator) => {
      const names = Object.keys(items);
      for (const one of names) {
        for (const other of names.slice(names.indexOf(one) + 1)) {
          const carriers = compileScheme(
            { signed: '{body}', headers: { X: { items: [one, other], separator } } },
            'HS256',
            false,
          );
          const problems = ('signed' in carriers ? [] : carriers).map(({ message }) => message);
          const [end = ''] = separator;
          // What ends an id in a list is no part of it.
          const own = (name: string) => {
            const source = items[name]?.[0] ?? '';
            return name.includes('{id}') ? `(?!.*[${end}])${source}` : source;
          };
          const holds = [one, other].filter(
            (name) =>
              name.replace(/\{id\}/, '').includes(end) ||
              (!name.includes('{id}') && items[name]?.[1].test(end)),
          );
          const held = problems.filter((message) => message.includes('can hold the separator'));
          expect(held.length, `${one} ${other}`).toBe(holds.length);
          const same = problems.find((message) => message.includes('can be the same text'));
          const example = /for example (".*"); begin/.exec(same ?? '')?.[1];
          if (example !== undefined) {
            const word: string = JSON.parse(example);
            for (const name of [one, other]) {
              expect(word, `${one} ${other}`).toMatch(new RegExp(`^${own(name)}$`));
            }
          } else {
            // The values of each item are none of the other: those with a name of their own, and those of another length.
            for (const word of ['1', 'a'.repeat(64), 't=1', `v1=${'a'.repeat(64)}`, 'id=a', 'v=1', 'a;b']) {
              const readers = [one, other].filter((name) => new RegExp(`^${own(name)}$`).test(word));
              expect(readers.length, `${one} ${other} ${word}`).toBeLessThan(2);
            }
          }
        }
      }
    },
  );

  it.each<[string, string]>([
    ['{timestamp}{id}', '"{timestamp}{id}{signature}" can be read in two ways'],
    ['{id}{nonce}', '"{id}{nonce}{signature}" can be read in two ways'],
    ['{id}{timestamp}', '"{id}{timestamp}{signature}" can be read in two ways'],
  ])('that holds %s is refused', (start, problem) => {
    const scheme = {
      signed: '{body}',
      headers: { X: `${start}{signature}` },
      unsignedTimestamp: start.includes('timestamp'),
      unsignedId: start.includes('id'),
      unsignedNonce: start.includes('nonce'),
    };
    const problems = compileScheme(scheme, 'HS256', false);
    expect(problems).toContainEqual({
      path: ['headers', 'X'],
      message: `${problem}; put a separator between its variables`,
    });
  });

  it('may hold an id before a signature, because all signatures have one length', () => {
    const scheme = { signed: '{body}', headers: { X: '{id}{signature}' }, unsignedId: true };
    expect(compileScheme(scheme, 'HS256', false)).toMatchObject({ sends: new Set(['id']) });
  });
});

it('decides about the worst schemes that we know in the time of one step', () => {
  const headers = { X: '{signature}' };
  const letters = [...'abcdefghijklmnop'];
  const challenge = (pattern: string) => ({ signed: '{token}', response: '{signature}', pattern });
  const worst = {
    'text that repeats': { signed: `{body}${'a'.repeat(240)}`, headers },
    'text that repeats in two places': {
      signed: `{id}\n${'a'.repeat(100)}{body}${'a'.repeat(100)}`,
      headers: { ...headers, I: '{id}' },
    },
    'many headers': {
      signed: letters
        .map((letter) => `{header:${letter}}\n`)
        .join('')
        .concat('{body}'),
      headers,
    },
    'many signatures': {
      signed: '{body}',
      headers: { X: letters.map((letter) => `${'a'.repeat(18)}${letter}{signature}`) },
    },
    'many nonces': {
      signed: '{body}',
      unsignedNonce: true,
      headers: { X: '{signature}', Y: letters.map((letter) => `{nonce}${'a'.repeat(20)}${letter}`) },
    },
    'a long token': {
      signed: `${'ab'.repeat(120)}{body}`,
      headers,
      challenge: challenge('[ab]{0,256}[a]{1}[ab]{250}'),
    },
    'a token of many parts': {
      signed: `${'ab'.repeat(120)}{body}`,
      headers,
      challenge: challenge(`${'[a]{0,1}'.repeat(14)}[a]{0,490}b`),
    },
  };
  for (const [name, scheme] of Object.entries(worst)) {
    const times = Array.from({ length: 3 }, () => {
      const start = performance.now();
      compileScheme(scheme, 'HS512', false);
      return performance.now() - start;
    });
    // The YAML of a whole configuration takes 50 ms. The rest is for slow machines.
    expect(Math.min(...times), name).toBeLessThan(1000);
  }
});
