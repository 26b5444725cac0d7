/** The log for people: whatever a field or a message holds, a line shows it and no terminal obeys it. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLog } from '../../src/ops/log.ts';
import { loadPrettyPrinter } from '../../src/ops/pretty.ts';

const print = await loadPrettyPrinter(false);

/** A line of the log, as it is shown. */
function shown(
  message: string,
  fields: Readonly<Record<string, string | number | readonly string[]>>,
): string {
  let line = '';
  createLog('debug', {
    write: (json) => {
      line += print(json);
    },
  }).info(message, fields);
  return line;
}

it('has the time, the level, the message and a line for each field', () => {
  expect(
    shown('keys loaded', { directory: '/etc/signer/keys', generation: 2, keys: ['a 1', 'b 2'] }),
  ).toMatch(
    /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: keys loaded\n {4}directory: "\/etc\/signer\/keys"\n {4}generation: 2\n {4}keys: \[\n {6}"a 1",\n {6}"b 2"\n {4}\]\n$/,
  );
});

it('has colours only if they are asked for', async () => {
  const json = '{"level":"warn","time":"2026-11-24T12:00:00.000Z","msg":"a"}\n';
  expect(print(json)).toBe('[12:00:00.000] WARN: a\n');
  expect((await loadPrettyPrinter(true))(json)).toContain('\u001b[33mWARN');
});

describe('a control character', () => {
  it.each([
    ['\u001b[31m', '\\u001b[31m'],
    ['a\nb\tc\r', 'a\\nb\\tc\\r'],
    ['\u007f\u009b31m', '\\u007f\\u009b31m'],
    ['\u202eexe.txt\u2028', '\\u202eexe.txt\\u2028'],
    ['\u{e0041}', '\\ue0041'],
  ])('of %j is shown as %s', (text, expected) => {
    expect(shown(text, {})).toContain(`INFO: ${expected}\n`);
    expect(shown('a', { file: text })).toContain(`file: "${expected}"\n`);
  });

  it('never comes through, and no text begins a line of its own', () => {
    const unit = fc.oneof(
      fc.constantFrom('\\', '"', '\n', 'u', '001b', '\u001b', '\u009b', '\u2028', '\u202e', '{', 'é', '😀'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    );
    const text = fc.string({ unit, maxLength: 12 });
    fc.assert(
      fc.property(text, text, (message, value) => {
        const line = shown(`m${message}`, { value, list: [value] });
        expect(line).not.toMatch(/[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u);
        expect(line.split('\n')).toHaveLength(6);
      }),
      { numRuns: 500 },
    );
  });

  it('of ordinary text is none: quotes, backslashes and other scripts stay as they are', () => {
    expect(shown('say "no" \\ to ключ', {})).toContain('INFO: say "no" \\ to ключ\n');
  });
});
