/** The journal on a sink that takes as much as a test lets it: groups, failures, what is missing, and what waits. */

import { describe, expect, it } from 'vitest';
import { follows, hashOf, origin, placeOf } from '../../src/audit/chain.ts';
import { createJournal, type JournalOptions } from '../../src/audit/journal.ts';
import type { AuditEvent } from '../../src/audit/line.ts';
import { manualClocks } from '../support/keys.ts';

const ok: AuditEvent = { caller: 'tcp', operation: 'sign', outcome: 'ok' };
const refusal: AuditEvent = { caller: 'tcp', operation: 'sign', outcome: 'rate_limited' };

/** @param room how many bytes the sink takes at each write; all of them if there is no number left */
function createBench(options: Partial<JournalOptions> = {}, isDrained = false) {
  const clocks = manualClocks();
  const turns: (() => void)[] = [];
  const timers: { at: number; run: () => void }[] = [];
  const room: number[] = [];
  let text = '';
  let writes = 0;
  const journal = createJournal({
    sink: {
      isDrained,
      append: (bytes) => {
        writes += 1;
        const written = Math.min(room.shift() ?? bytes.length, bytes.length);
        text += Buffer.from(bytes.subarray(0, written)).toString('latin1');
        return written === bytes.length ? { written } : { written, problem: 'full' };
      },
    },
    head: origin,
    instance: 'pod-1',
    onFailure: 'refuse',
    ...clocks,
    soon: (run) => turns.push(run),
    later: (run, ms) => timers.push({ at: clocks.monotonicMs() + ms, run }),
    ...options,
  });
  return {
    journal,
    room,
    text: () => text,
    writes: () => writes,
    /** Ends the turn of the event loop. */
    turn: () => {
      for (const run of turns.splice(0)) run();
    },
    advance: (ms: number) => {
      clocks.advance(ms);
      const due = timers.filter(({ at }) => at <= clocks.monotonicMs());
      for (const timer of due) {
        timers.splice(timers.indexOf(timer), 1);
        timer.run();
      }
    },
  };
}

/** The lines, of which each follows the one before. */
function chained(text: string): readonly Record<string, unknown>[] {
  let head = origin;
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const place = placeOf(line);
      expect(place && follows(head, place), line).toBe(true);
      head = { seq: place?.seq ?? 0, hash: hashOf(line) };
      return JSON.parse(line);
    });
}

describe('operations of one turn', () => {
  it('wait for one write', async () => {
    const bench = createBench();
    const answers = [bench.journal.record(ok), bench.journal.record(ok), bench.journal.record(ok)];
    expect(bench.writes()).toBe(0);
    bench.turn();
    expect(await Promise.all(answers)).toEqual([true, true, true]);
    expect([bench.writes(), chained(bench.text())]).toMatchObject([1, [{ seq: 1 }, { seq: 2 }, { seq: 3 }]]);
    expect(bench.journal.head.seq).toBe(3);
  });

  it('are refused together, and leave no gap', async () => {
    const bench = createBench();
    bench.room.push(0);
    const answers = [bench.journal.record(ok), bench.journal.record(ok)];
    bench.turn();
    expect(await Promise.all(answers)).toEqual([false, false]);
    expect(bench.journal).toMatchObject({ problem: 'full', failures: 2, head: origin });
    const next = bench.journal.record(ok);
    bench.turn();
    expect([await next, chained(bench.text())]).toMatchObject([true, [{ seq: 1, outcome: 'ok' }]]);
    expect(bench.journal.problem).toBeUndefined();
  });

  it('that leave unrecorded are counted in the next line', async () => {
    const problems: string[] = [];
    const bench = createBench({
      onFailure: 'continue',
      onProblem: (problem) => problems.push(problem),
      onSolved: () => problems.push('solved'),
    });
    bench.room.push(0, 0);
    for (let turn = 0; turn < 2; turn++) {
      const answers = [bench.journal.record(ok), bench.journal.record(ok)];
      bench.turn();
      expect(await Promise.all(answers)).toEqual([true, true]);
    }
    void bench.journal.record(ok);
    bench.turn();
    expect(chained(bench.text())).toMatchObject([{ outcome: 'unrecorded', count: 4 }, { outcome: 'ok' }]);
    expect(problems).toEqual(['full', 'solved']);
    expect(bench.journal.failures).toBe(4);
  });
});

describe('a line that was written in part', () => {
  it.each([1, 150, 250, 400, 550])('after %i bytes is completed first', async (taken) => {
    const bench = createBench();
    bench.room.push(taken, 3);
    const answers = [bench.journal.record(ok), bench.journal.record(ok), bench.journal.record(ok)];
    bench.turn();
    expect(await Promise.all(answers)).toEqual([false, false, false]);
    const again = bench.journal.record(ok);
    bench.turn();
    expect(await again).toBe(false);
    const last = bench.journal.record({ ...ok, caller: 'last' });
    bench.turn();
    expect(await last).toBe(true);
    const lines = chained(bench.text());
    expect(lines.at(-1)).toMatchObject({ caller: 'last', seq: lines.length });
  });

  it('waits a moment for a reader, and no longer once that was in vain', async () => {
    const bench = createBench({}, true);
    bench.room.push(100);
    const slow = bench.journal.record(ok);
    bench.turn();
    const behind = bench.journal.record(ok);
    bench.turn();
    bench.advance(2);
    expect(await slow).toBe(true);
    bench.turn();
    expect(await behind).toBe(true);
    expect(chained(bench.text())).toHaveLength(2);

    bench.room.push(...Array(500).fill(0));
    const vain = bench.journal.record(ok);
    bench.turn();
    const writes = bench.writes();
    for (let waited = 0; waited < 300; waited += 2) bench.advance(2);
    expect(await vain).toBe(false);
    expect(bench.writes() - writes).toBeGreaterThan(100);
    const after = bench.journal.record(ok);
    bench.turn();
    expect(await after).toBe(false);
  });
});

describe('what waits', () => {
  it('is written before the turn ends, if one turn has more than may wait', async () => {
    const bench = createBench();
    const long: AuditEvent = { ...ok, reference: '\u0001'.repeat(256) };
    const answers = Array.from({ length: 4000 }, () => bench.journal.record(long));
    expect(bench.writes()).toBe(1);
    bench.turn();
    expect(new Set(await Promise.all(answers))).toEqual(new Set([true]));
    expect([bench.writes(), chained(bench.text()).length, bench.journal.failures]).toEqual([2, 4000, 0]);
  });

  it('is limited', async () => {
    const bench = createBench({}, true);
    bench.room.push(...Array(1000).fill(0));
    void bench.journal.record(ok);
    bench.turn();
    const reference = 'r'.repeat(256);
    const answers = Array.from({ length: 20_000 }, () => bench.journal.record({ ...ok, reference }));
    expect(await answers.at(-1)).toBe(false);
    expect(bench.journal.failures).toBeGreaterThan(1000);
    expect(bench.journal.failures).toBeLessThan(19_000);
  });
});

describe('refusals', () => {
  it('have ten lines a second for each caller and outcome', async () => {
    const bench = createBench();
    const answers = Array.from({ length: 25 }, () => bench.journal.record(refusal));
    expect(answers.filter((answer) => answer === undefined)).toHaveLength(15);
    void bench.journal.record({ ...refusal, caller: 'web' });
    void bench.journal.record({ ...refusal, outcome: 'unknown_key' });
    for (let count = 0; count < 50; count++) expect(bench.journal.record(ok)).toBeInstanceOf(Promise);
    bench.turn();
    expect(chained(bench.text())).toHaveLength(62);
    bench.advance(1000);
    bench.turn();
    const lines = chained(bench.text());
    expect(lines.slice(62)).toMatchObject([{ caller: 'tcp', outcome: 'rate_limited', count: 15 }]);
    expect(bench.journal.record(refusal)).toBeInstanceOf(Promise);
  });

  it('are counted at the end, too', () => {
    const bench = createBench();
    for (let count = 0; count < 12; count++) void bench.journal.record(refusal);
    bench.journal.flush();
    expect(chained(bench.text()).at(-1)).toMatchObject({ count: 2 });
  });

  it('whose number could not be written are missing', async () => {
    const bench = createBench();
    for (let count = 0; count < 12; count++) void bench.journal.record(refusal);
    bench.turn();
    bench.room.push(0);
    bench.advance(1000);
    bench.turn();
    void bench.journal.record(ok);
    bench.turn();
    expect(chained(bench.text()).slice(10)).toMatchObject([
      { outcome: 'unrecorded', count: 2 },
      { outcome: 'ok' },
    ]);
  });
});
