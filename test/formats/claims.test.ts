/** The policy of a key set over the claims of its tokens, as tables. */

import { describe, expect, it } from 'vitest';
import type { Claims } from '../../src/api/messages.ts';
import { foldName } from '../../src/formats/jwt/claim-names.ts';
import {
  type ClaimPolicy,
  checkClaims,
  completeClaims,
  configuredClaims,
  fixedClaimsProblem,
  requiredClaimsProblem,
} from '../../src/formats/jwt/claims.ts';
import { refusalOf } from '../support/format.ts';

const seconds = 1_800_000_000;
const day = 86_400;
const defaults: ClaimPolicy = {
  maxLifetimeSeconds: 3600,
  leewaySeconds: 0,
  requiredClaims: [],
  fixedClaims: {},
  allowNumericSubject: false,
};
const complete = (claims: Claims, policy: Partial<ClaimPolicy> = {}) => {
  const whole = { ...defaults, ...policy };
  return completeClaims(whole, configuredClaims(whole), claims, 60, seconds * 1000 + 999);
};
const deep = (levels: number): Claims => (levels === 0 ? {} : { a: deep(levels - 1) });

describe('the claims of a caller', () => {
  const policy = {
    issuer: 'me',
    audience: ['api', 'web'],
    fixedClaims: { tenant: { id: 7, tags: ['a'] }, sub: 'service' },
    requiredClaims: ['role'],
  };

  it.each<[string, Claims, Partial<ClaimPolicy>, Claims]>([
    [
      'are kept',
      { sub: 'a', n: 1.5, x: [null, true, { y: 'z' }] },
      {},
      { sub: 'a', n: 1.5, x: [null, true, { y: 'z' }] },
    ],
    ['may be none', {}, {}, {}],
    [
      'may have the names that every object has',
      { constructor: 1, toString: 'a', hasOwnProperty: [] },
      {},
      { constructor: 1, toString: 'a', hasOwnProperty: [] },
    ],
    [
      'may say what the signer says anyway',
      { iss: 'me', aud: ['api', 'web'], tenant: { tags: ['a'], id: 7 }, role: 1 },
      policy,
      { iss: 'me', aud: ['api', 'web'], tenant: { id: 7, tags: ['a'] }, sub: 'service', role: 1 },
    ],
    [
      'get what is configured',
      { role: 'x' },
      policy,
      { iss: 'me', aud: ['api', 'web'], tenant: { id: 7, tags: ['a'] }, sub: 'service', role: 'x' },
    ],
    [
      'may have an integer as sub where the policy admits it',
      { sub: 7 },
      { allowNumericSubject: true },
      { sub: 7 },
    ],
    ['may have a required claim that is empty', { role: [] }, { requiredClaims: ['role'] }, { role: [] }],
    ['may resemble each other', { Role: 1, role: 2, ROLE: 3 }, {}, { Role: 1, role: 2, ROLE: 3 }],
    ['may have a protected name within a value', { a: { ISS: 1, iss: 2 } }, {}, { a: { ISS: 1, iss: 2 } }],
    [
      'may have names that begin or end like a protected one',
      { issuer: 1, sub_id: 'a', roles: [] },
      {},
      { issuer: 1, sub_id: 'a', roles: [] },
    ],
    ['may begin later', { nbf: seconds + 59 }, {}, { nbf: seconds + 59 }],
  ])('%s', (_, claims, given, expected) => {
    expect(complete(claims, given)).toEqual({ ...expected, iat: seconds, exp: seconds + 60 });
  });

  const isSet = (name: string) => new RegExp(`^unprocessable: .*${name} is set by the signer`);
  const notUnicode = /^malformed_request: .*well-formed Unicode text without NUL/;
  const notKept = /^unprocessable: .*contains a number/;
  const named = /^malformed_request: .*__proto__/;
  it.each<[string, RegExp, Claims, Partial<ClaimPolicy>?]>([
    ['exp', isSet('exp'), { exp: seconds + 10 }],
    ['the exp that it would get', isSet('exp'), { exp: seconds + 60 }],
    ['iat', isSet('iat'), { iat: seconds }],
    ['an issuer where none is configured', isSet('iss'), { iss: 'me' }],
    ['another issuer', isSet('iss'), { iss: 'you' }, policy],
    ['an audience where none is configured', isSet('aud'), { aud: 'api' }],
    ['a part of the audience', isSet('aud'), { aud: 'api' }, policy],
    ['another fixed claim', isSet('tenant'), { tenant: { id: 8, tags: ['a'] }, role: 1 }, policy],
    ['another fixed subject', isSet('sub'), { sub: 'admin', role: 1 }, policy],
    ['not a required claim', /^unprocessable: .*role is required/, {}, policy],
    [
      'a required claim that every object has',
      /^unprocessable: .*constructor is required/,
      {},
      { requiredClaims: ['constructor'] },
    ],
    ['an nbf that is text', /^malformed_request: .*nbf must be a number of seconds/, { nbf: '1' }],
    ['an nbf after the end', /^unprocessable: .*nbf must be before the token expires/, { nbf: seconds + 60 }],
    [
      'a sub that is a number',
      /^malformed_request: .*sub must be a string .*allowNumericSubject/,
      { sub: 1 },
    ],
    [
      'a sub with a fraction',
      /^malformed_request: .*sub must be/,
      { sub: 1.5 },
      { allowNumericSubject: true },
    ],
    ['a sub of 54 bits', /^malformed_request: .*sub/, { sub: 2 ** 53 }, { allowNumericSubject: true }],
    [
      'null as a required claim',
      /^unprocessable: .*role is required/,
      { role: null },
      { requiredClaims: ['role'] },
    ],
    ['a jti that is null', /^malformed_request: .*jti must be a string/, { jti: null }],
    ['an infinite number', notKept, { n: Number.POSITIVE_INFINITY }],
    ['NaN, deep inside', notKept, { a: [{ b: Number.NaN }] }],
    ['negative zero', notKept, { n: -0 }],
    ['a lone surrogate', notUnicode, { s: 'a\ud800' }],
    ['a lone surrogate in a name', notUnicode, { 'a\udc00': 1 }],
    ['NUL', notUnicode, { s: 'a\0' }],
    ['a member __proto__', named, JSON.parse('{"__proto__":{"admin":true}}')],
    ['a member __proto__, deep inside', named, JSON.parse('{"a":[{"__proto__":1}]}')],
    ['too many levels', /^unprocessable: .*deeper than 32 levels/, deep(32)],
  ])('are refused with %s', (_, expected, claims, given = {}) => {
    expect(refusalOf(() => complete(claims, given))).toMatch(expected);
  });

  const protectedNames = ['iss', 'aud', 'exp', 'iat', 'nbf', 'sub', 'jti', 'role', 'Tenant-ID'];
  const likeRole = { fixedClaims: { role: 'user', 'Tenant-ID': 7 }, requiredClaims: ['scope'] };
  it.each([
    ...protectedNames.flatMap((name) => [name.toUpperCase(), `${name}\u200b`]),
    ...protectedNames.map((name) =>
      name.replaceAll(/[a-z]/g, (letter) => String.fromCodePoint((letter.codePointAt(0) ?? 0) + 0xfee0)),
    ),
    ...[
      'i\u017fs',
      'i\u017f\u017f',
      '\u0131ss',
      '\u0130ss',
      'i\u0307ss',
      'i\u00df',
      'i\u1e9e',
      'iat\u00ad',
      '\ufeffaud',
      'sub\ufe0f',
      'a\u0301ud',
    ],
    ...[
      '\u24d8\u24e2\u24e2',
      '\ud835\udc22ss',
      'i_s_s',
      'e-xp',
      'tenantId',
      'tenant_id',
      'TENANT-ID',
      'rol\u00e9',
      'Scope',
    ],
    ...[
      'iss\u0001',
      'iss\u007f',
      'iss\u0085',
      'i\u20d2ss',
      'i\u0489ss',
      'iss ',
      'is\ts',
      'iss\u00a0',
      'iss\u2028',
      'iss\u3000',
      'iss\ue000',
      'iss\u3164',
      'iss\u115f',
    ],
    ...[
      'role.x',
      'role[0]',
      'role[]',
      'role/x',
      'role:x',
      'Role.x',
      'ro le.x',
      'role\uff0ex',
      'tenant_id.a',
      'iss.x',
      'sub[0]',
      'scope.x',
    ],
  ])('must not have a name that is taken for another one: %j', (name) => {
    const claims = { scope: 'x', [name]: 'admin' };
    expect(refusalOf(() => complete(claims, likeRole))).toMatch(
      /^unprocessable: .*some receivers would take for/,
    );
    expect(refusalOf(() => complete({ sub: 'a', ...claims }, likeRole))).toMatch(/^unprocessable: /);
  });

  it.each([
    'realm_access.roles',
    'realm_access[roles]',
    'realmAccess/roles',
    'realm_access:roles',
    'realm_access.',
    'https://shop.example/claims.role',
    'https://shop.example/claims/role',
  ])('must not have a name that some receivers read as a path into a fixed claim: %j', (name) => {
    const fixedClaims = {
      realm_access: { roles: ['user'] },
      'https://shop.example/claims': { role: 'user' },
    };
    expect(refusalOf(() => complete({ [name]: ['admin'] }, { fixedClaims }))).toMatch(
      /^unprocessable: .*some receivers would take for/,
    );
  });

  it.each([
    'https://shop.example/role',
    'https://shop.example/roles',
    'urn:shop:role',
    'x.role',
    'roleplay.x',
    '.role',
    'issuer.x',
  ])('may have a name that is no path into a protected claim: %j', (name) => {
    expect(complete({ [name]: 'a' }, { fixedClaims: { role: 'user' } })).toHaveProperty([name], 'a');
  });

  const roleUri = 'http://schemas.microsoft.com/ws/2008/06/identity/claims/role';
  const subjectUri = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier';
  it.each([
    ['role', 'roles'],
    ['role', 'Roles'],
    ['role', 'roles.x'],
    ['role', roleUri],
    ['roles', 'role'],
    [roleUri, 'role'],
    [roleUri, 'roles'],
    ['sub', 'nameid'],
    ['sub', subjectUri],
    ['nameid', 'sub'],
    [subjectUri, 'nameid'],
    ['tid', 'http://schemas.microsoft.com/identity/claims/tenantid'],
  ])('must not have, beside the fixed claim %s, its other name in .NET: %s', (fixed, name) => {
    const policy = { fixedClaims: { [fixed]: 'user' } };
    expect(refusalOf(() => complete({ [name]: 'admin' }, policy))).toMatch(
      /^unprocessable: .*would take for/,
    );
    expect(complete({ [fixed]: 'user' }, policy)).toMatchObject({ [fixed]: 'user' });
  });

  it('may have two names of a claim in .NET if none is fixed, or if the configuration names both', () => {
    const claims = { role: 'a', roles: ['b'], sub: 'c', nameid: 'd' };
    expect(complete(claims)).toMatchObject(claims);
    expect(complete(claims, { requiredClaims: ['role', 'sub'] })).toMatchObject(claims);
    const both = { role: 'a', roles: ['b'] };
    expect(complete(both, { fixedClaims: both })).toMatchObject(both);
    expect(complete(both, { fixedClaims: { role: 'a' }, requiredClaims: ['roles'] })).toMatchObject(both);
  });

  it('have each registered name for themselves, where nothing is configured', () => {
    for (const name of ['ISS', 'Aud', 'i\u017fs', 'EXP', 'Iat', 'nBf', '\u017fub', 'JTI']) {
      expect(
        refusalOf(() => complete({ [name]: 1 })),
        name,
      ).toContain('some receivers would take for');
    }
  });

  it('stand before those of the signer, and each name stands once', () => {
    const claims = { iss: 'me', aud: ['api', 'web'], tenant: { tags: ['a'], id: 7 }, role: 1, z: 2 };
    const names = Object.keys(complete(claims, policy));
    expect(names).toEqual(['role', 'z', 'tenant', 'sub', 'iss', 'aud', 'iat', 'exp']);
  });

  it('have names of 16,384 characters at most, so that to compare them costs little', () => {
    const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`\ufdfa${index}`, 1]));
    const before = process.cpuUsage();
    expect(refusalOf(() => complete(many))).toMatch(/^message_too_large: /);
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(200);
  });

  it('have names that are long paths, which cost little', () => {
    const fixedClaims = Object.fromEntries(
      Array.from({ length: 300 }, (_, index) => ['.'.repeat(index) + index, 1]),
    );
    const before = process.cpuUsage();
    for (const name of ['.'.repeat(16_000), '\ufdfa.'.repeat(8000), 'a[/:'.repeat(4000)]) {
      expect(complete({ [name]: 1 }, { fixedClaims })).toHaveProperty([name], 1);
    }
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(500);
  });

  it('have names of many marks, whose order Unicode defines, which cost little', () => {
    const name = `i${'\u20d2\u0301'.repeat(8000)}`;
    const before = process.cpuUsage();
    for (let round = 0; round < 4; round++) complete({ [name]: 1 });
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(500);
    expect(refusalOf(() => complete({ [`${name}ss`]: 1 }))).toMatch(/^unprocessable: /);
  });

  it('may be nested as deep as 32 levels', () => {
    expect(complete(deep(31))).toMatchObject({ exp: seconds + 60 });
  });

  it('are named in a refusal only where the configuration or RFC 7519 names them', () => {
    const secret = 'hunter2';
    for (const claims of [
      { [secret]: Number.NaN },
      { a: { [secret]: '\ud800' } },
      { sub: [secret] },
      { iss: secret },
    ]) {
      expect(refusalOf(() => complete(claims))).not.toContain(secret);
    }
  });
});

describe('the claims of a token', () => {
  const exp = seconds + 60;
  const judge = (claims: Claims, policy: Partial<ClaimPolicy> = {}, nowMs = seconds * 1000) =>
    checkClaims({ ...defaults, ...policy }, claims, nowMs)?.reason;

  it.each<[string, Claims, Partial<ClaimPolicy>, string | undefined]>([
    ['no end', {}, {}, 'not_allowed'],
    ['an end ahead', { exp }, {}, undefined],
    ['an end ahead by a fraction', { exp: seconds + 0.5 }, {}, undefined],
    ['an end now', { exp: seconds }, {}, 'expired'],
    ['an end a day ago', { exp: seconds - day }, {}, 'expired'],
    ['an end within the leeway', { exp: seconds - 4 }, { leewaySeconds: 5 }, undefined],
    ['an end at the leeway', { exp: seconds - 5 }, { leewaySeconds: 5 }, 'expired'],
    ['a begin now', { exp, nbf: seconds }, {}, undefined],
    ['a begin ahead', { exp, nbf: seconds + 1 }, {}, 'not_yet_valid'],
    ['a begin a day ahead', { exp: exp + 2 * day, nbf: seconds + day }, {}, 'not_yet_valid'],
    ['a begin within the leeway', { exp, nbf: seconds + 5 }, { leewaySeconds: 5 }, undefined],
    ['a begin beyond the leeway', { exp, nbf: seconds + 6 }, { leewaySeconds: 5 }, 'not_yet_valid'],
    ['been made by a clock a little ahead', { exp, iat: seconds + 60 }, {}, undefined],
    ['been made by a clock far ahead', { exp: exp + day, iat: seconds + 61 }, {}, 'not_yet_valid'],
    ['been made by a clock a day ahead', { exp: exp + day, iat: seconds + day }, {}, 'not_yet_valid'],
    ['been made within a long leeway', { exp, iat: seconds + 90 }, { leewaySeconds: 90 }, undefined],
    ['been made long ago', { exp, iat: 1 }, {}, undefined],
    ['any issuer where none is demanded', { exp, iss: 'x' }, {}, undefined],
    ['the issuer', { exp, iss: 'me' }, { issuer: 'me' }, undefined],
    ['another issuer', { exp, iss: 'Me' }, { issuer: 'me' }, 'not_allowed'],
    ['no issuer', { exp }, { issuer: 'me' }, 'not_allowed'],
    ['the audience', { exp, aud: 'api' }, { audience: 'api' }, undefined],
    ['the audience among others', { exp, aud: ['web', 'api'] }, { audience: 'api' }, undefined],
    ['one of several audiences', { exp, aud: 'web' }, { audience: ['api', 'web'] }, undefined],
    ['another audience', { exp, aud: ['web'] }, { audience: 'api' }, 'not_allowed'],
    ['no audience', { exp }, { audience: 'api' }, 'not_allowed'],
    ['an empty list of audiences', { exp, aud: [] }, { audience: 'api' }, 'not_allowed'],
    ['an audience where we are none', { exp, aud: 'api' }, {}, 'not_allowed'],
    ['a required claim', { exp, role: '' }, { requiredClaims: ['role'] }, undefined],
    ['null as a required claim', { exp, role: null }, { requiredClaims: ['role'] }, 'not_allowed'],
    ['an empty list as a required claim', { exp, role: [] }, { requiredClaims: ['role'] }, undefined],
    ['not a required claim', { exp }, { requiredClaims: ['role'] }, 'not_allowed'],
    ['none but that of every object', { exp }, { requiredClaims: ['toString'] }, 'not_allowed'],
    ['a fixed claim', { exp, t: { b: 1, a: [2] } }, { fixedClaims: { t: { a: [2], b: 1 } } }, undefined],
    ['another fixed claim', { exp, t: { a: [3] } }, { fixedClaims: { t: { a: [2] } } }, 'not_allowed'],
    ['a fixed claim of another type', { exp, t: '1' }, { fixedClaims: { t: 1 } }, 'not_allowed'],
    ['no fixed claim', { exp }, { fixedClaims: { t: 1 } }, 'not_allowed'],
  ])('that have %s are judged', (_, claims, policy, expected) => {
    expect(judge(claims, policy)).toBe(expected);
  });

  it('end in the middle of a second, by a clock that counts milliseconds', () => {
    expect(judge({ exp: seconds }, {}, seconds * 1000 - 1)).toBeUndefined();
    expect(judge({ exp: seconds }, {}, seconds * 1000)).toBe('expired');
  });
});

describe('fixed claims', () => {
  it.each<[unknown, RegExp | undefined]>([
    [{}, undefined],
    [{ sub: 'service', tenant: { id: 7 } }, undefined],
    [[], /must be an object/],
    ['x', /must be an object/],
    [null, /must be an object/],
    [{ iss: 'me' }, /must not have iss/],
    [{ aud: 'me' }, /must not have aud/],
    [{ exp: 1 }, /must not have exp/],
    [{ iat: 1 }, /must not have iat/],
    [{ sub: 1 }, /sub must be a string/],
    [{ ISS: 'me' }, /two names that some receivers take/],
    [{ 'i\u017fs': 'me' }, /two names that some receivers take/],
    [{ role: 1, Role: 2 }, /two names that some receivers take/],
    [{ n: Number.NaN }, /contains a number/],
    [JSON.parse('{"__proto__":1}'), /__proto__/],
  ])('%j', (claims, expected) => {
    const flaw = fixedClaimsProblem(claims);
    if (expected === undefined) expect(flaw).toBeUndefined();
    else expect(flaw).toMatch(expected);
  });
});

describe('the names of claims that some receivers take for the same', () => {
  it('fold alike for every character that any rule of Unicode makes an ASCII letter or digit', () => {
    const differing: string[] = [];
    for (let code = 0; code < 0x11_0000; code++) {
      const character = String.fromCodePoint(code);
      if (!character.isWellFormed()) continue;
      const forms = [
        character.toLowerCase(),
        character.toUpperCase(),
        character.normalize('NFKC'),
        character.toLocaleLowerCase('tr'),
        character.toLocaleUpperCase('tr'),
      ].filter((form) => /[a-z0-9]/i.test(form));
      // The flags `iu` compare as Unicode's simple case folding does, and Go's encoding/json.
      if (/^[a-z]$/iu.test(character) && !/^[a-z]$/.test(foldName(character))) differing.push(character);
      if (forms.some((form) => foldName(form) !== foldName(character))) differing.push(character);
    }
    expect(differing).toEqual([]);
  });
});

it.each<[string[], Claims, boolean]>([
  [['role', 'sub'], { role: 1 }, true],
  [['Role'], { role: 1 }, false],
  [['Sub'], {}, false],
  [['a', 'A'], {}, false],
])('the required claims %j beside %j are %j', (names, fixed, isFine) => {
  expect(requiredClaimsProblem(names, fixed) === undefined).toBe(isFine);
});
