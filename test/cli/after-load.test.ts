import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createAfterLoad } from '../../src/cli/after-load.ts';

const free = vi.fn();
let answer: (times: number) => void;

beforeEach(() => {
  vi.useFakeTimers();
  free.mockReset();
  const answered = createAfterLoad(free);
  answer = (times) => {
    for (let count = 0; count < times; count++) answered();
  };
});
afterEach(() => {
  vi.useRealTimers();
});

it('frees once when a load is over', () => {
  answer(10_000);
  expect(free).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1000);
  expect(free).toHaveBeenCalledOnce();
  vi.advanceTimersByTime(60_000);
  expect(free).toHaveBeenCalledOnce();
});

it('waits while the load goes on, and until little of it is left', () => {
  answer(10_000);
  for (let second = 0; second < 30; second++) {
    answer(21);
    vi.advanceTimersByTime(1000);
  }
  expect(free).not.toHaveBeenCalled();
  answer(20);
  vi.advanceTimersByTime(1000);
  expect(free).toHaveBeenCalledOnce();
});

it('does nothing, and sets no timer, for a few answers', () => {
  answer(9999);
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(60_000);
  expect(free).not.toHaveBeenCalled();
});

it('frees again after the next load', () => {
  for (let load = 1; load <= 3; load++) {
    answer(10_000);
    vi.advanceTimersByTime(1000);
    expect(free).toHaveBeenCalledTimes(load);
  }
});
