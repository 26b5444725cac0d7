/**
 * Long runs. Of the secret volume, on Node and on Bun: no torn reading, nothing that grows, no missed update, and what a
 * large volume costs. Of the compiled binary: mutations of every request, and an audit that misses nothing. `npm run soak -- --help` lists the options; the
 * exit code is 1 when a bound is not kept.
 */

import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs, styleText } from 'node:util';
import { setup as buildBinary } from '../support/build-binary.ts';
import type { Resources } from '../support/resources.ts';
import { temporaryDirectory, waitFor } from '../support/signer.ts';
import { startWriter, type Writer } from '../support/writer-process.ts';
import { soakAudit } from './audit.ts';
import { fuzz } from './fuzz.ts';
import { type FormatName, formatNames } from './samples.ts';
import { type Subject, startSubject, type WatcherKind } from './subject.ts';

const { values: options } = parseArgs({
  options: {
    swaps: { type: 'string' },
    updates: { type: 'string', default: '50' },
    runtime: { type: 'string', multiple: true, default: ['node', 'bun'] },
    part: { type: 'string', multiple: true, default: ['torn', 'day', 'missed', 'load', 'fuzz', 'audit'] },
    operations: { type: 'string', default: '200000' },
    mutations: { type: 'string', default: '10000' },
    seed: { type: 'string', default: `${randomInt(2 ** 31)}` },
    format: { type: 'string', multiple: true },
    help: { type: 'boolean', default: false },
  },
});

const help = `Long runs of the secret volume and of the compiled binary.
  --part P       torn, day, missed, load, fuzz or audit; repeatable; default: all

Of the secret volume (torn, day, missed, load):
  --swaps N      updates of the parts torn and day; default: 100,000 and 86,400
  --updates N    updates of the part missed, for each kind of watcher; default: 50
  --runtime R    node or bun; repeatable; default: both

Of the compiled binary (fuzz):
  --mutations N  how many each operation of a format gets; default: 10,000
  --seed N       repeats a run; default: a random one, which is printed
  --format F     such as jwt; repeatable; default: all

Of the audit that the compiled binary writes (audit):
  --operations N how many are answered; default: 200,000
`;

const root = join(import.meta.dirname, '../..');
const runtimes: Readonly<Record<string, readonly string[]>> = {
  node: [process.execPath, '--expose-gc'],
  bun: [join(root, 'node_modules/.bin/bun')],
};
const mebibyte = 2 ** 20;

interface Stage {
  readonly directory: string;
  readonly writer: Writer['call'];
  readonly runtime: readonly string[];
  subject(within?: readonly string[]): Subject;
}

/** What a part measured, and which of its bounds were not kept. */
interface Outcome {
  readonly measured: string;
  readonly failures: readonly string[];
}

const parts: Readonly<Record<string, (stage: Stage) => Promise<Outcome>>> = { torn, day, missed, load };

/** Readings are taken all the time while the volume is swapped as fast as a reading can be taken at all. */
async function torn(stage: Stage): Promise<Outcome> {
  const swaps = Number(options.swaps ?? 100_000);
  const names = ['a', 'b', 'c', 'd'];
  const { directory, writer } = stage;
  const { call } = stage.subject();
  await writer.storm(directory, names, 0, 1, 0);
  await call.open(directory, names, 'events', 1000);
  await call.hammer(directory);
  let maxPauseMs = 5;
  await inBatches('torn', swaps, async (first, count) => {
    await writer.storm(directory, names, first, count, maxPauseMs);
    // On a busy machine, a reading takes longer. Torn ones can only be found among those that come to an end.
    if ((await call.account(directory)).readings < first / 10) maxPauseMs = Math.min(maxPauseMs + 1, 50);
  });
  const end = await reached(call, directory, swaps);
  return {
    measured: `${swaps} swaps, ${end.readings} readings, ${end.torn} torn, ${end.rescuedByPoll} rescued by the poll`,
    failures: [
      ...unless(end.torn === 0, `${end.torn} readings were torn`),
      ...unless(end.readings > swaps / 20, `only ${end.readings} readings: too few to tell`),
      ...unless(end.problem === undefined, `it ended with a problem: ${end.problem}`),
    ],
  };
}

/** A day of one swap a second, as fast as they go: nothing may grow. */
async function day(stage: Stage): Promise<Outcome> {
  const swaps = Number(options.swaps ?? 86_400);
  const names = ['a', 'b'];
  const { directory, writer } = stage;
  const { call } = stage.subject();
  await writer.storm(directory, names, 0, 1, 0);
  await call.open(directory, names, 'events', 1000);
  const samples: (Resources & { swap: number })[] = [];
  await inBatches('day', swaps, async (first, count) => {
    await writer.storm(directory, names, first, count, 0);
    samples.push({ swap: first + count - 1, ...(await call.resources()) });
  });
  const end = await reached(call, directory, swaps);
  // The first half warms the runtime up.
  const settled = samples.slice(Math.floor(samples.length / 2));
  const growth = (of: 'rssBytes' | 'heapBytes') => {
    const mebibytes = settled.map((sample) => sample[of] / mebibyte);
    return {
      mebibytes,
      slope:
        slope(
          settled.map(({ swap }) => swap),
          mebibytes,
        ) * swaps,
    };
  };
  const [heap, rss] = [growth('heapBytes'), growth('rssBytes')];
  const descriptors = range(samples.map((sample) => sample.descriptors));
  const watches = range(samples.map((sample) => sample.watches));
  // A short run cannot tell a slope from the garbage of the moment; an allocator keeps what the busiest moment took.
  const allowed = options.swaps === undefined ? { heap: 4, rss: 16 } : { heap: 32, rss: 128 };
  const told = ({ mebibytes, slope }: typeof heap) =>
    `${mebibytes[0]?.toFixed(1)} to ${mebibytes.at(-1)?.toFixed(1)} MiB in the second half (${slope.toFixed(2)} MiB a day)`;
  return {
    measured:
      `${swaps} swaps, ${end.readings} readings, ${samples.length} samples; descriptors ${descriptors.join(' to ')}, ` +
      `watches ${watches.join(' to ')}, heap ${told(heap)}, resident ${told(rss)}`,
    failures: [
      ...unless(end.torn === 0, `${end.torn} readings were torn`),
      ...unless(descriptors[1] - descriptors[0] <= 3, `descriptors went from ${descriptors.join(' to ')}`),
      ...unless(watches[1] === 1 && watches[0] >= 0, `watches went from ${watches.join(' to ')}`),
      ...unless(heap.slope < allowed.heap, `the heap grows; ${allowed.heap} MiB a day are allowed`),
      ...unless(rss.slope < allowed.rss, `resident memory grows; ${allowed.rss} MiB a day are allowed`),
    ],
  };
}

/** Whatever the watcher is worth, the first look after an update finds it. */
async function missed(stage: Stage): Promise<Outcome> {
  const updates = Number(options.updates);
  const pollMs = 200;
  const outcomes: string[] = [];
  const failures: string[] = [];
  const kinds: readonly (readonly [string, WatcherKind, readonly string[]])[] = [
    ['dead', 'dead', []],
    ['deaf', 'deaf', []],
    ['off', 'off', []],
    ['without inotify', 'events', withoutInotify],
  ];
  for (const [name, kind, within] of kinds) {
    const directory = join(stage.directory, name.replaceAll(' ', '-'));
    const { call } = stage.subject(within);
    await stage.writer.storm(directory, ['a'], 0, 1, 0);
    await call.open(directory, ['a'], kind, pollMs);
    await call.noteLooks(directory);
    await waitFor(async () => ((await call.account(directory)).current === 0 ? true : undefined));
    const looks: number[] = [];
    const delays: number[] = [];
    await inBatches(
      `missed, ${name}`,
      updates,
      async (number) => {
        await stage.writer.storm(directory, ['a'], number, 1, pollMs);
        const since = Date.now();
        const found = await waitFor(() => call.found(directory, number, since));
        looks.push(found.looks);
        delays.push(found.afterMs);
      },
      1,
    );
    const { watcher } = await call.account(directory);
    const most = Math.max(...looks);
    outcomes.push(`${name} ${median(delays).toFixed(0)} ms (at most ${Math.max(...delays).toFixed(0)})`);
    failures.push(
      ...unless(most <= 1, `${name}: an update was found only by look ${most} after it`),
      ...unless(
        watcher === { dead: 'down', deaf: 'up', off: 'off', events: 'down' }[kind],
        `${name}: watcher ${watcher}`,
      ),
    );
  }
  return {
    measured: `${updates} updates each, polled every ${pollMs} ms; found after ${outcomes.join(', ')}`,
    failures,
  };
}

/** The most a volume may hold: 1,024 files and 16 MiB. */
async function load(stage: Stage): Promise<Outcome> {
  const { directory, writer } = stage;
  const { call } = stage.subject();
  const costs: Awaited<ReturnType<typeof call.load>>[] = [];
  await inBatches(
    'load',
    15,
    async () => {
      await writer.writeLarge(directory, 1024, 16 * 1024);
      costs.push(await call.load(directory));
    },
    1,
  );
  const loads = costs.map(({ loadMs }) => loadMs);
  const delays = costs.map(({ heldUpMs }) => heldUpMs);
  // The best of them is what it costs; the rest is what else the machine does.
  const [load, delay] = [Math.min(...loads), Math.min(...delays)];
  return {
    measured:
      `1,024 files of 16 KiB in ${load.toFixed(0)} ms (median ${median(loads).toFixed(0)}); ` +
      `the event loop held up by ${delay.toFixed(1)} ms (median ${median(delays).toFixed(1)})`,
    failures: [
      ...unless(load < 300, `the fastest load took ${load.toFixed(0)} ms; 300 are allowed`),
      ...unless(delay < 5, `the event loop was held up by ${delay.toFixed(1)} ms; 5 are allowed`),
    ],
  };
}

const withoutInotify = [
  'unshare',
  '-Ur',
  'sh',
  '-c',
  'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"',
  'sh',
];

async function reached(call: Subject['call'], directory: string, number: number) {
  return waitFor(async () => {
    const account = await call.account(directory);
    return account.current === number && account.problem === undefined ? account : undefined;
  }, 60_000);
}

/** Calls an act for 1 to `total`, in fifty batches or of the given size, and shows how far it is. */
async function inBatches(
  what: string,
  total: number,
  act: (first: number, count: number) => Promise<unknown>,
  size: number = Math.max(Math.ceil(total / 50), 1),
): Promise<void> {
  for (let first = 1; first <= total; first += size) {
    await act(first, Math.min(size, total - first + 1));
    if (process.stdout.isTTY) {
      const done = Math.min(first + size - 1, total);
      process.stdout.write(`\r\x1b[K${what}: ${done} of ${total}${done === total ? '\r\x1b[K' : ''}`);
    }
  }
}

function unless(kept: boolean, failure: string): readonly string[] {
  return kept ? [] : [failure];
}

function range(numbers: readonly number[]): readonly [number, number] {
  return [Math.min(...numbers), Math.max(...numbers)];
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

/** Least squares. */
function slope(xs: readonly number[], ys: readonly number[]): number {
  const mean = (numbers: readonly number[]) => numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
  const [meanX, meanY] = [mean(xs), mean(ys)];
  const covariance = xs.reduce((sum, x, index) => sum + (x - meanX) * ((ys[index] ?? 0) - meanY), 0);
  return covariance / xs.reduce((sum, x) => sum + (x - meanX) ** 2, 0);
}

async function main(): Promise<void> {
  if (options.help) {
    process.stdout.write(help);
    return;
  }
  if (options.part.includes('fuzz')) await runFuzz();
  if (options.part.includes('audit')) await runAudit();
  const writer = startWriter();
  try {
    for (const part of options.part.filter((each) => each !== 'fuzz' && each !== 'audit')) {
      for (const name of options.runtime) await run(part, name, writer);
    }
  } finally {
    writer.kill();
  }
}

/** Builds the binary first, if it is not that of the source. */
async function runFuzz(): Promise<void> {
  buildBinary();
  const seed = Number(options.seed);
  process.stdout.write(`fuzz with --seed ${seed}\n`);
  let started = performance.now();
  const formats = options.format?.map(formatNamed);
  for await (const outcome of fuzz({ seed, count: Number(options.mutations), formats })) {
    const counts = [...outcome.outcomes].toSorted(([, a], [, b]) => b - a);
    const measured = counts.map(([name, count]) => `${name} ${count}`).join(', ');
    report(`fuzz of ${outcome.format}`, started, {
      measured: `${outcome.mutations} mutations: ${measured}`,
      failures: outcome.failures,
    });
    started = performance.now();
  }
}

async function runAudit(): Promise<void> {
  buildBinary();
  const started = performance.now();
  report('audit', started, await soakAudit(Number(options.operations)));
}

function formatNamed(name: string): FormatName {
  const format = formatNames.find((each) => each === name);
  if (format === undefined) throw new Error(`there is no format ${name}`);
  return format;
}

function report(what: string, started: number, { measured, failures }: Outcome): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const mark = failures.length === 0 ? styleText('green', '✓') : styleText('red', '✗');
  process.stdout.write(`${mark} ${what}, ${seconds} s: ${measured}\n`);
  for (const failure of failures) process.stdout.write(`  ${styleText('red', failure)}\n`);
  if (failures.length > 0) process.exitCode = 1;
}

async function run(part: string, runtimeName: string, writer: Writer): Promise<void> {
  const act = parts[part];
  const runtime = runtimes[runtimeName];
  if (act === undefined || runtime === undefined)
    throw new Error(`no part ${part} on ${runtimeName}; see --help`);
  using place = temporaryDirectory();
  const subjects: Subject[] = [];
  const subject = (within: readonly string[] = []) => {
    const started = startSubject({ runtime, within });
    subjects.push(started);
    return started;
  };
  const started = performance.now();
  try {
    const stage = { directory: join(place.path, 'volume'), writer: writer.call, runtime, subject };
    report(`${part} on ${runtimeName}`, started, await act(stage));
  } finally {
    for (const each of subjects) each.kill();
  }
}

await main();
