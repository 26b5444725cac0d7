/** Who may use a key set, as the configuration says it. */

import { describe, expect, it } from 'vitest';
import { parseConfiguration } from '../../src/config/file.ts';
import type { KnownCallers } from '../../src/key-sets/settings.ts';
import { allowedTo } from '../../src/signing/policy.ts';
import { atOnce, configurationOf } from '../support/keys.ts';

const known: KnownCallers = { names: ['tcp', 'web', 'worker'], mayBeMore: false };

function parsed(fields: string, callers?: KnownCallers) {
  const result = atOnce(parseConfiguration(`keys:\n  k: { ${fields} }\n`, callers));
  return result.ok ? { problems: [], notes: result.value.notes } : { problems: result.problems, notes: [] };
}
const problems = (fields: string, callers: KnownCallers = known) => parsed(fields, callers).problems;

describe('callers', () => {
  it('say what each may do, in one order, and once', () => {
    const keySets = configurationOf(
      'keys: { k: { callers: { worker: [verify, sign, sign], web: [verify] } } }',
    ).keySets([]);
    const policy = keySets.get('k')?.policy;
    if (policy === undefined) throw new Error('no key set');
    expect(allowedTo(policy, 'worker')).toEqual(['sign', 'verify']);
    expect(allowedTo(policy, 'web')).toEqual(['verify']);
    expect(allowedTo(policy, 'tcp')).toBeUndefined();
    expect(policy.allow).toEqual(['sign', 'verify']);
  });

  it('may have the names of objects', () => {
    const policy = configurationOf('keys: { k: { callers: { constructor: [sign] } } }')
      .keySets([])
      .get('k')?.policy;
    expect([...(policy?.callers ?? [])]).toEqual([['constructor', ['sign']]]);
  });

  const rule =
    'keys.k.callers: not a usable name of a caller; use 1 to 63 of a-z 0-9 - and begin with a letter (line 2)';
  it.each([
    [
      'callers: {}',
      'keys.k.callers: must name at least one caller, with what it may do, for instance web: [verify] (line 2)',
    ],
    ['callers: ~', 'keys.k.callers: must be an object (line 2)'],
    ['callers: [web]', 'keys.k.callers: must be an object (line 2)'],
    ['callers: web', 'keys.k.callers: must be an object (line 2)'],
    ['callers: { web: }', 'keys.k.callers.web: must be a list (line 2)'],
    ['callers: { web: sign }', 'keys.k.callers.web: must be a list (line 2)'],
    [
      'callers: { web: [] }',
      'keys.k.callers.web: must name at least one operation; leave out a caller that may do nothing (line 2)',
    ],
    [
      'callers: { web: [sgin] }',
      'keys.k.callers.web.0: must be one of sign, verify, challenge; did you mean "sign"? (line 2)',
    ],
    ['callers: { web: [1] }', 'keys.k.callers.web.0: must be one of sign, verify, challenge (line 2)'],
    ['callers: { Web: [sign] }', rule],
    ['callers: { "": [sign] }', rule],
    ['callers: { 1web: [sign] }', rule],
    ['callers: { "web ": [sign] }', rule],
    ['callers: { "web\\0": [sign] }', rule],
    ['callers: { "*": [sign] }', rule],
    ['callers: { web: [sign], __proto__: [sign] }', rule],
    [`callers: { ${'a'.repeat(64)}: [sign] }`, rule],
    [
      'callers: { web: [sign] }, allow: [sign]',
      'keys.k.callers: give either allow, for every caller, or callers; remove one of them (line 2)',
    ],
    [
      'callers: { web: [challenge] }',
      'keys.k.callers.web: may hold "challenge" only with a provider that sends challenges, such as zoom, or with a scheme that has one (line 2)',
    ],
    [
      'callers: { wrker: [sign] }',
      'keys.k.callers.wrker: no listener has this name; the callers are: tcp, web, worker. Correct the name, or start the signer with --socket NAME=PATH (line 2)',
    ],
    [
      'callers: { socket: [sign] }',
      'keys.k.callers.socket: no listener has this name; the callers are: tcp, web, worker. Correct the name, or start the signer with --socket NAME=PATH (line 2)',
    ],
  ])('are refused with what is wrong: %s', (fields, problem) => {
    expect(problems(fields)).toEqual([problem]);
  });

  it.each([
    'callers: { SECRET: [sign] }',
    'callers: { SECRET: 5 }',
    'callers: { SECRET: [SECRET] }',
    'callers: { web: SECRET }',
    'callers: { web: [SECRET] }',
    'callers: SECRET',
  ])('are refused without a word of theirs: %s', (fields) => {
    expect(problems(fields)).toHaveLength(1);
    expect(problems(fields).join()).not.toContain('SECRET');
  });

  it('are refused if their only name is that of a prototype', () => {
    expect(problems('callers: { __proto__: [sign] }')).toContain(rule);
  });

  it('of another name are each a problem with its line', () => {
    const yaml =
      'keys:\n  a:\n    callers:\n      web: [sign]\n      x: [sign]\n  b:\n    callers: { y: [sign] }\n';
    const result = atOnce(parseConfiguration(yaml, known));
    expect(result.ok ? [] : result.problems).toEqual([
      expect.stringMatching(/^keys\.a\.callers\.x: no listener .* \(line 5\)$/),
      expect.stringMatching(/^keys\.b\.callers\.y: no listener .* \(line 7\)$/),
    ]);
  });

  it('of another name are a note where the listeners are not known', () => {
    const unknown = { names: ['tcp'], mayBeMore: true };
    expect(parsed('callers: { web: [sign], tcp: [sign] }', unknown)).toEqual({
      problems: [],
      notes: [
        'callers: without the listeners, these names cannot be checked: web; give check the --socket flags that serve has',
      ],
    });
    expect(parsed('callers: { tcp: [sign] }', unknown)).toEqual({ problems: [], notes: [] });
  });
});

describe('a key set that says nothing of its callers', () => {
  it.each([
    ['', ['tcp', 'web'], true],
    ['', ['web'], false],
    ['allow: [sign, verify]', ['tcp', 'web'], false],
    ['callers: { web: [sign] }', ['tcp', 'web'], false],
  ])('is noted where there are several listeners: "%s" with %j, %s', (fields, names, isNoted) => {
    const note =
      'every caller (tcp, web) may sign and verify with k; name those that may under "callers", or write "allow" if all may';
    expect(parsed(fields, { names, mayBeMore: false })).toEqual({
      problems: [],
      notes: isNoted ? [note] : [],
    });
  });

  it('is one of many in a note that can be read', () => {
    const names = Array.from({ length: 12 }, (_, index) => `k${index}`);
    const result = atOnce(
      parseConfiguration(`keys: { ${names.map((name) => `${name}: `).join(', ')} }`, known),
    );
    expect(result.ok ? result.value.notes : []).toEqual([
      expect.stringContaining('k0, k1, k2, k3, k4, k5, k6, k7, k8, k9 and 2 more;'),
    ]);
  });
});
