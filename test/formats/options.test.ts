/** The options of the formats as a configuration file gives them: under the format's name, and nothing but those. What belongs to another format is refused in config/file.test.ts. */

import { expect, it } from 'vitest';
import { configurationOf, configurationProblems } from '../support/keys.ts';

const configuration = (fields: string) => `keys:\n  a: { ${fields} }\n`;
const problemsOf = (fields: string) => configurationProblems(configuration(fields));
const formatOf = (fields: string) => {
  const settings = configurationOf(configuration(fields)).keySets([]).get('a');
  return settings?.format;
};

it.each<[string, object]>([
  [
    'format: jwt',
    {
      maxLifetimeSeconds: 3600,
      leewaySeconds: 0,
      requiredClaims: [],
      fixedClaims: {},
      allowNumericSubject: false,
      type: 'JWT',
    },
  ],
  [
    'format: jwt, jwt: { issuer: me, audience: [a, b], maxLifetimeSeconds: 900, leewaySeconds: 5, requiredClaims: [sub], fixedClaims: { tenant: { id: 7 } }, type: at+jwt }',
    {
      issuer: 'me',
      audience: ['a', 'b'],
      maxLifetimeSeconds: 900,
      leewaySeconds: 5,
      requiredClaims: ['sub'],
      fixedClaims: { tenant: { id: 7 } },
      allowNumericSubject: false,
      type: 'at+jwt',
    },
  ],
  ['format: stripe', { toleranceSeconds: 300, futureToleranceSeconds: 300, signWith: 'primary' }],
  [
    'format: stripe, stripe: { toleranceSeconds: 60, signWith: all }',
    { toleranceSeconds: 60, futureToleranceSeconds: 60, signWith: 'all' },
  ],
  [
    'format: standard-webhooks, standard-webhooks: { futureToleranceSeconds: 0 }',
    { toleranceSeconds: 300, futureToleranceSeconds: 0, signWith: 'primary' },
  ],
  ['format: slack, slack: { toleranceSeconds: 10 }', { toleranceSeconds: 10, futureToleranceSeconds: 10 }],
  ['format: github', {}],
  ['format: shopify', {}],
  ['format: cookie', {}],
])('%s', (fields, options) => {
  expect(formatOf(fields)?.options).toEqual(options);
});

it.each<[string, string]>([
  [
    'format: jwt, jwt: { fixedClaims: { ISS: me } }',
    'keys.a.jwt.fixedClaims: must not have two names that some receivers take',
  ],
  [
    'format: jwt, jwt: { fixedClaims: { role: me }, requiredClaims: [Role] }',
    'keys.a.jwt.requiredClaims: must not have two names that some receivers take',
  ],
  [
    'format: jwt, jwt: { fixedClaims: { sub: 7 } }',
    'keys.a.jwt.fixedClaims: sub must be a string (to admit integers, set allowNumericSubject',
  ],
  ['format: jwt, jwt: { maxLifetimeSeconds: 0 }', 'keys.a.jwt.maxLifetimeSeconds: must be at least 1'],
  [
    'format: jwt, jwt: { maxLifetimeSeconds: 999999999999 }',
    'keys.a.jwt.maxLifetimeSeconds: must be at most 315360000',
  ],
  ['format: jwt, jwt: { leewaySeconds: -1 }', 'keys.a.jwt.leewaySeconds: must be at least 0'],
  ['format: jwt, jwt: { leewaySeconds: 86400 }', 'keys.a.jwt.leewaySeconds: must be at most 3600'],
  ['format: jwt, jwt: { issuer: 1 }', 'keys.a.jwt.issuer: must be a string'],
  ['format: jwt, jwt: { audience: [] }', 'keys.a.jwt.audience: must have at least 1 element'],
  ['format: jwt, jwt: { audience: { a: b } }', 'keys.a.jwt.audience: must be a name or a list of names'],
  ['format: jwt, jwt: { requiredClaims: sub }', 'keys.a.jwt.requiredClaims: must be a list'],
  [
    'format: jwt, jwt: { fixedClaims: { exp: 1 } }',
    'keys.a.jwt.fixedClaims: must not have exp, which the signer sets from another option or from its clock',
  ],
  ['format: jwt, jwt: { fixedClaims: [a] }', 'keys.a.jwt.fixedClaims: must be an object'],
  [
    'format: jwt, jwt: { fixedClaims: { id: 9007199254740993 } }',
    'keys.a.jwt.fixedClaims: contains a number that JSON does not preserve; write it as a string',
  ],
  [
    'format: jwt, jwt: { type: application/jwt }',
    'keys.a.jwt.type: must be a media type without "application/"',
  ],
  ['format: stripe, algorithm: HS512', 'keys.a.algorithm: must be one of HS256 with the format stripe'],
  ['format: stripe, stripe: { toleranceSeconds: -1 }', 'keys.a.stripe.toleranceSeconds: must be at least 0'],
  ['format: stripe, stripe: { signWith: both }', 'keys.a.stripe.signWith: must be one of primary, all'],
  [
    'format: slack, slack: { signWith: all }',
    'keys.a.slack.signWith: unknown field; the fields here are: toleranceSeconds, futureToleranceSeconds',
  ],
  ['format: github, github: {}', 'keys.a.github: unknown field'],
])('%s is refused', (fields, problem) => {
  const [first = ''] = problemsOf(fields);
  expect(first.startsWith(problem), first).toBe(true);
});
