/** What holds for every manifest, in whatever style it is written. */

import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { inject } from '../../../src/cli/inject/inject.ts';
import type { InjectOptions } from '../../../src/cli/inject/options.ts';
import { style, workload, write } from './manifest-text.ts';

const read = (text: string) => parse(text, { version: '1.1', merge: true, logLevel: 'silent' }) as object;

const callers: readonly Partial<InjectOptions>[] = [
  {},
  { classic: true, force: true },
  {
    callers: [
      { name: 'web', containers: ['web', 'worker'] },
      { name: 'other', containers: ['migrate'] },
    ],
  },
  { containers: ['worker'], configMap: 'none', env: { SIGNER_LOG_LEVEL: 'warn' } },
];
const options = fc.constantFrom(...callers);

/** JSON as `kubectl get -o json` and others write it. */
const jsonText = fc
  .tuple(workload, fc.constantFrom(undefined, 2, 4))
  .map(([value, space]) => JSON.stringify(value, null, space));
const yamlText = fc.tuple(workload, style).map(([value, how]) => write(value, how));
const text = fc.oneof({ weight: 4, arbitrary: yamlText }, jsonText);

const runs = { numRuns: 150 };

/** @returns the result, which must not be refused */
function injected(from: string, given: Partial<InjectOptions>): string {
  const { text, summary, problems } = inject(from, given);
  const refused = [
    ...problems,
    ...summary.filter(({ action }) => action === 'refused').flatMap(({ reasons }) => reasons),
  ];
  if (refused.length > 0) throw new Error(refused.join('; '));
  return text;
}

describe('for every manifest', () => {
  it('the written styles are read as the same objects (a control of these tests)', () => {
    fc.assert(
      fc.property(workload, style, (value, how) => {
        expect(read(write(value, how))).toEqual(value);
      }),
      runs,
    );
  });

  it('the signer is added, and --remove gives back the same bytes', () => {
    fc.assert(
      fc.property(text, options, (from, given) => {
        const once = injected(from, given);
        expect(read(once)).not.toEqual(read(from));
        expect(injected(once, { ...given, remove: true })).toBe(from);
      }),
      runs,
    );
  });

  it('a second pass changes nothing', () => {
    fc.assert(
      fc.property(text, options, (from, given) => {
        const once = injected(from, given);
        const { text: twice, summary } = inject(once, given);
        expect(twice).toBe(once);
        expect(summary.map(({ action }) => action)).toEqual(['unchanged']);
      }),
      runs,
    );
  });

  it('other flags and another version give what they would have given at first', () => {
    fc.assert(
      fc.property(text, options, options, (from, old, given) => {
        const next = { ...given, version: '9.9.9', image: 'sidecar-signer:9.9.9' };
        const updated = injected(injected(from, old), next);
        expect(updated).toBe(injected(from, next));
      }),
      runs,
    );
  });

  it('all lines that were there are there, in their order', () => {
    fc.assert(
      fc.property(yamlText, options, (from, given) => {
        const lines = injected(from, given).split(/\r?\n/);
        let at = 0;
        for (const line of from.split(/\r?\n/)) {
          // A field that was empty loses its [] or null, and a collection in one line gets more in it.
          const kept = line.replace(/:(?: null| ~| \[\]| \{\})(?=\s|$)/, ':');
          const isSame = (each: string) =>
            each === line || each === kept || each.replace(/: false(?= #|$)/, ':') === kept;
          const found = lines.findIndex((each, index) => index >= at && isSame(each));
          if (found === -1 && /[[{]/.test(line)) continue;
          expect(found, line).toBeGreaterThanOrEqual(at);
          at = found + 1;
        }
      }),
      runs,
    );
  });

  it('new lines end as the others do', () => {
    fc.assert(
      fc.property(yamlText, options, (from, given) => {
        const breaks = new Set(injected(from, given).match(/\r?\n/g));
        expect(breaks.size).toBe(1);
        expect(from.includes('\r\n')).toBe(breaks.has('\r\n'));
      }),
      runs,
    );
  });

  it('a quick reader changes nothing, also where it reads octal numbers and words in another way', () => {
    const quickRead = (each: string) => parse(each, { version: '1.2', merge: true, logLevel: 'silent' });
    const odd = fc.constantFrom('', 'defaultMode: 0444\n', 'isOn: yes\n', 'at: 2026-11-30\n');
    fc.assert(
      fc.property(yamlText, odd, options, (from, extra, given) => {
        const more = from.endsWith('\n') && !from.includes('\r') ? from + extra : from;
        expect(inject(more, given, quickRead)).toEqual(inject(more, given));
      }),
      runs,
    );
  });

  it('a quick reader that fails or is wrong is not believed', () => {
    const fails = () => {
      throw new Error('not read');
    };
    fc.assert(
      fc.property(text, options, (from, given) => {
        const result = inject(from, given);
        for (const quickRead of [fails, () => undefined, () => ({}), () => [1]]) {
          expect(inject(from, given, quickRead)).toEqual(result);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('in a List, each item is changed as it would be alone', () => {
    fc.assert(
      fc.property(fc.array(workload, { minLength: 1, maxLength: 3 }), style, options, (items, how, given) => {
        const from = write({ apiVersion: 'v1', kind: 'List', items }, how);
        const once = injected(from, given);
        const { items: found } = read(once) as { items: readonly object[] };
        const alone = items.map((item) => read(injected(JSON.stringify(item), given)));
        // The record of what was empty names the text of it, which JSON writes in another way.
        const clean = (value: unknown) =>
          JSON.parse(JSON.stringify(value).replace(/,\\"empty\\":\{[^}]*\}/g, '')) as object;
        expect(isDeepStrictEqual(clean(found), clean(alone))).toBe(true);
        expect(injected(once, { ...given, remove: true })).toBe(from);
      }),
      { numRuns: 60 },
    );
  });
});
