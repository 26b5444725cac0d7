/** The log: lines of named fields, into which neither an error nor a buffer can get. */

import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createLog,
  describeFault,
  type Log,
  type LogFields,
  type LogLevel,
  logLevels,
} from '../../src/ops/log.ts';
import { leaks } from '../support/leaks.ts';

/** What a log of this level writes, a line an element. */
function written(level: LogLevel, act: (log: ReturnType<typeof createLog>) => void): readonly string[] {
  const lines: string[] = [];
  act(createLog(level, { write: (line) => lines.push(line) }));
  return lines;
}

describe('a line', () => {
  it('is one JSON object of the level, the time, the fields and the message', () => {
    const [line = ''] = written('info', (log) =>
      log.info('started', { port: 8700, tls: false, keys: ['a'] }),
    );
    expect(line).toMatch(/^\{[^\n]*\}\n$/);
    expect(JSON.parse(line)).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      port: 8700,
      tls: false,
      keys: ['a'],
      msg: 'started',
    });
  });

  it('cannot be broken up or forged by the content of a field', () => {
    const forged = 'a\n{"level":"error","msg":"forged"}';
    const lines = written('info', (log) => log.info('named', { name: forged }));
    expect(lines).toHaveLength(1);
    expect(lines[0]?.trimEnd()).not.toContain('\n');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ name: forged, msg: 'named' });
  });

  it('names neither the host nor the process', () => {
    const [line = ''] = written('info', (log) => log.info('started'));
    expect(Object.keys(JSON.parse(line))).toEqual(['level', 'time', 'msg']);
  });
});

describe('the log of a running signer', () => {
  it('takes no line that is not in the table, and no other field', () => {
    const lines: string[] = [];
    const log: Log = createLog('debug', { write: (line) => lines.push(line) });
    log.info('starting', { version: '1.2.3' });
    log.warn('a key set …', { key: 'orders' }, 'a key set has a weak key');
    // @ts-expect-error: another line
    log.info('started', { version: '1.2.3' });
    // @ts-expect-error: at another level
    log.warn('starting', { version: '1.2.3' });
    // @ts-expect-error: another field
    log.info('starting', { version: '1.2.3', port: 8700 });
    // @ts-expect-error: a field of another type
    log.info('starting', { version: 1 });
    // @ts-expect-error: a field is missing
    log.info('keys loaded', { directory: '/k' });
    // @ts-expect-error: no text, where the table has only a part of it
    log.warn('a key set …', { key: 'orders' });
    expect(lines.map((line) => JSON.parse(line).msg).slice(0, 2)).toEqual([
      'starting',
      'a key set has a weak key',
    ]);
  });
});

it.each<[LogLevel, readonly string[]]>([
  ['debug', ['debug', 'info', 'warn', 'error']],
  ['info', ['info', 'warn', 'error']],
  ['warn', ['warn', 'error']],
  ['error', ['error']],
  ['silent', []],
])('at level %s writes %j', (level, expected) => {
  const lines = written(level, (log) => {
    log.debug('z');
    log.info('a');
    log.warn('b');
    log.error('c');
  });
  expect(lines.map((line) => JSON.parse(line).level)).toEqual(expected);
  expect(logLevels).toContain(level);
});

describe('a field', () => {
  const secret = randomBytes(32);

  it('has no type for an error, a buffer, a request or a nested object', () => {
    const refused: LogFields[] = [
      // @ts-expect-error: an error
      { error: new Error('x') },
      // @ts-expect-error: bytes
      { key: secret },
      // @ts-expect-error: a request
      { request: new Request('http://localhost') },
      // @ts-expect-error: an object
      { nested: { key: 'x' } },
      // @ts-expect-error: no value
      { nothing: undefined },
    ];
    expect(refused).toHaveLength(5);
  });

  it.each<[string, unknown]>([
    ['an error', new Error(secret.toString('hex'))],
    ['an error with a cause', new Error('x', { cause: secret.toString('hex') })],
    ['bytes', secret],
    ['a typed array', new Uint8Array(secret)],
    ['a list of bytes', [secret]],
    ['a nested object', { key: secret.toString('base64') }],
    ['an object that writes itself', { toJSON: () => secret.toString('hex') }],
    ['a map', new Map([['key', secret.toString('hex')]])],
    ['a function', Object.assign(() => secret, { toJSON: () => secret.toString('hex') })],
    ['a symbol', Symbol(secret.toString('hex'))],
    ['a big integer', BigInt(`0x${secret.toString('hex')}`)],
  ])('that got past the compiler as %s is written as its type alone', (_, value) => {
    const fields = { field: value, err: value, msg: value } as unknown as LogFields;
    const lines = written('info', (log) => log.info('careless', fields));
    expect(lines).toHaveLength(1);
    expect(leaks(lines.join(), secret)).toEqual([]);
    expect(lines.join()).not.toContain(BigInt(`0x${secret.toString('hex')}`).toString());
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ field: expect.any(String) });
  });

  it.each<[string, unknown]>([
    ['an error', Object.assign(new Error('x'), { input: secret.toString('hex') })],
    ['bytes', secret],
    ['a list', [secret.toString('hex')]],
  ])('is left out where %s stands in the place of the fields', (_, value) => {
    const [line = ''] = written('info', (log) => log.info('careless', value as LogFields));
    expect(Object.keys(JSON.parse(line))).toEqual(['level', 'time', 'msg']);
  });
});

describe('the description of a fault', () => {
  const secret = randomBytes(24).toString('base64url');

  it('has the kind of the error and where it arose', () => {
    const { kind, at } = describeFault(new RangeError('x'));
    expect(kind).toBe('RangeError');
    expect(at).toEqual(expect.arrayContaining([expect.stringMatching(/^at .*log\.test\.ts/)]));
  });

  it.each([
    secret,
    `first line\n${secret}`,
    `an inner error\n    at ${secret}`,
    `an inner error\n    at ${secret} (file.ts:1:1)\n    at other (file.ts:2:2)`,
    `\n    at ${secret}:1:1`,
    `${secret}\n`,
  ])('never has its message: %j', (message) => {
    expect(JSON.stringify(describeFault(new Error(message)))).not.toContain(secret);
    expect(JSON.stringify(describeFault(new Error('outer', { cause: message })))).not.toContain(secret);
    expect(JSON.stringify(describeFault(new AggregateError([new Error(message)])))).not.toContain(secret);
  });

  it('never has a message that was changed after the error was made', () => {
    const error = new Error(`an inner error\n    at ${secret} (file.ts:1:1)`);
    expect(error.stack).toContain(secret);
    error.message = 'short';
    expect(JSON.stringify(describeFault(error))).not.toContain(secret);
  });

  it('never has its message, whatever that is', () => {
    const unit = fc.constantFrom('\n', ' ', '    at ', 'x', '(', ')', ':1:1', 'Error: ', secret);
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 12 }), (message) => {
        expect(JSON.stringify(describeFault(new Error(message)))).not.toContain(secret);
      }),
      { numRuns: 500 },
    );
  });

  it.each([secret, 42, null, undefined, { message: secret }, [secret], Symbol(secret)])(
    'of something that is no error is its type (%#)',
    (thrown) => {
      expect(describeFault(thrown)).toEqual({ kind: typeof thrown });
    },
  );
});
