import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SignerError } from '../../src/api/errors.ts';
import type { Operation } from '../../src/api/messages.ts';
import {
  type Allowance,
  authorize,
  checkSize,
  operations,
  type RateLimit,
  spend,
  unknownKey,
  usualOperations,
} from '../../src/signing/policy.ts';

const refusal = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    if (error instanceof SignerError) return error;
    throw error;
  }
  return undefined;
};

describe('an operation', () => {
  const allow = (allowed: readonly Operation[], operation: Operation) => {
    expect(
      refusal(() => authorize({ allow: allowed, maxMessageBytes: 1 }, operation, 'tcp')),
    ).toBeUndefined();
  };
  const deny = (allowed: readonly Operation[], operation: Operation) => {
    expect(refusal(() => authorize({ allow: allowed, maxMessageBytes: 1 }, operation, 'tcp'))).toMatchObject({
      code: 'operation_not_allowed',
      message: `this key is not allowed to ${operation}; its configuration allows only: ${allowed.join(', ')}`,
    });
  };

  it('is allowed when it is listed, and not otherwise', () => {
    allow(['sign', 'verify'], 'sign');
    allow(['sign', 'verify'], 'verify');
    allow(['sign'], 'sign');
    deny(['sign'], 'verify');
    allow(['verify'], 'verify');
    deny(['verify'], 'sign');
    deny([], 'sign');
    deny([], 'verify');
  });

  it('is denied to a caller that is not listed, as if there were no such key set', () => {
    const callers = new Map<string, readonly Operation[]>([['web', ['verify']]]);
    const policy = { allow: operations, callers, maxMessageBytes: 1 };
    const ask = (caller: string, operation: Operation) =>
      refusal(() => authorize(policy, operation, caller))?.code;
    expect(ask('web', 'verify')).toBeUndefined();
    expect(ask('web', 'sign')).toBe('operation_not_allowed');
    expect(() => authorize(policy, 'sign', 'tcp')).toThrow(unknownKey());
    for (const caller of ['', 'tcp', 'Web', 'get', '__proto__', 'constructor'])
      for (const operation of operations) expect(ask(caller, operation)).toBe('unknown_key');
  });

  it('is one of three, and a challenge must be allowed by name', () => {
    expect(operations).toEqual(['sign', 'verify', 'challenge']);
    expect(usualOperations).toEqual(['sign', 'verify']);
    deny(['sign', 'verify'], 'challenge');
  });
});

describe('a message', () => {
  it.each([
    [0, 1, true],
    [1, 1, true],
    [2, 1, false],
    [65_536, 65_536, true],
    [65_537, 65_536, false],
    [Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY, true],
  ])('of %i bytes, with at most %i: %s', (bytes, maxMessageBytes, admitted) => {
    const error = refusal(() => checkSize({ allow: [], maxMessageBytes }, bytes));
    expect(error?.code).toBe(admitted ? undefined : 'message_too_large');
  });

  it('that is too large is told the limit and where it is set', () => {
    expect(refusal(() => checkSize({ allow: [], maxMessageBytes: 10 }, 11))?.message).toBe(
      'a message for this key has at most 10 bytes (maxMessageBytes)',
    );
  });
});

/** Uses a limit at these moments, in milliseconds; `-` for a refusal, with the seconds to wait. */
function use(limit: RateLimit, ...moments: readonly number[]): readonly string[] {
  let left: Allowance | undefined;
  return moments.map((at) => {
    const error = refusal(() => {
      left = spend(limit, left, at);
    });
    return error === undefined ? 'ok' : `wait ${error.headers['retry-after']}`;
  });
}

describe('a rate limit', () => {
  it.each<[string, RateLimit, readonly number[], readonly string[]]>([
    [
      'lets its burst through at once',
      { perSecond: 1, burst: 3 },
      [0, 0, 0, 0],
      ['ok', 'ok', 'ok', 'wait 1'],
    ],
    ['begins full, whenever the clock began', { perSecond: 1, burst: 1 }, [1e9, 1e9], ['ok', 'wait 1']],
    ['lets one through a second later', { perSecond: 1, burst: 1 }, [0, 999, 1000], ['ok', 'wait 1', 'ok']],
    ['refills in parts', { perSecond: 10, burst: 1 }, [0, 99, 100, 200], ['ok', 'wait 1', 'ok', 'ok']],
    [
      'is full again after a pause, and no fuller',
      { perSecond: 10, burst: 2 },
      [0, 0, 1e6, 1e6, 1e6],
      ['ok', 'ok', 'ok', 'ok', 'wait 1'],
    ],
    [
      'takes fractions',
      { perSecond: 0.1, burst: 1 },
      [0, 0, 4000, 10_000],
      ['ok', 'wait 10', 'wait 6', 'ok'],
    ],
    [
      'counts refusals as nothing',
      { perSecond: 1, burst: 1 },
      [0, 500, 500, 500, 1000],
      ['ok', 'wait 1', 'wait 1', 'wait 1', 'ok'],
    ],
    [
      'may take more at once than a second gives',
      { perSecond: 2, burst: 4 },
      [0, 0, 0, 0, 0, 500, 500],
      ['ok', 'ok', 'ok', 'ok', 'wait 1', 'ok', 'wait 1'],
    ],
    [
      'says to wait in plain digits, however slow it is',
      { perSecond: 1e-300, burst: 1 },
      [0, 0],
      ['ok', 'wait 31536000'],
    ],
  ])('%s', (_, limit, moments, expected) => {
    expect(use(limit, ...moments)).toEqual(expected);
  });

  it('is lower at once when the configuration lowers it', () => {
    const left = spend({ perSecond: 1, burst: 1000 }, undefined, 0);
    expect(spend({ perSecond: 1, burst: 2 }, left, 0).tokens).toBe(1);
  });

  it('says how often a key may be used, and how long to wait', () => {
    const left = spend({ perSecond: 0.5, burst: 1 }, undefined, 0);
    expect(refusal(() => spend({ perSecond: 0.5, burst: 1 }, left, 0))).toMatchObject({
      code: 'rate_limited',
      message: 'this key may be used 0.5 times a second (rateLimit); wait 2 s',
      headers: { 'retry-after': '2' },
    });
  });

  const limits = fc.record({
    perSecond: fc.double({ min: 0.001, max: 1e6, noNaN: true }),
    burst: fc.integer({ min: 1, max: 1000 }),
  });

  it('never lets more through than burst and rate together', () => {
    fc.assert(
      fc.property(limits, fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 300 }), (limit, pauses) => {
        let at = 0;
        const moments = pauses.map((pause) => (at += pause));
        const passed = use(limit, ...moments).filter((each) => each === 'ok').length;
        expect(passed).toBeLessThanOrEqual(limit.burst + (at / 1000) * limit.perSecond + 1e-6);
      }),
    );
  });

  it('lets through who has waited as told', () => {
    fc.assert(
      fc.property(limits, (limit) => {
        let left: Allowance | undefined;
        let error: SignerError | undefined;
        while (error === undefined) {
          error = refusal(() => {
            left = spend(limit, left, 0);
          });
        }
        const waited = Number(error.headers['retry-after']) * 1000;
        expect(refusal(() => spend(limit, left, waited + 1))).toBeUndefined();
      }),
    );
  });
});
