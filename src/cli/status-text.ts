/** A status for people: short enough for 80 columns, and for any number of key sets. */

import { styleText } from 'node:util';
import type { KeySetDescription } from '../api/messages.ts';
import type { KeySetStatus, KeyStatus, Status, VolumeStatus } from '../api/status.ts';
import { escapeControls } from '../bytes/text.ts';
import { shownId } from '../key-sets/key-id.ts';

/** What a signer without an ops listener tells: that it is ready, and what this caller may use. */
export interface CallerStatus extends Pick<Status, 'ready' | 'keySets'> {
  readonly caller: string;
  readonly keys: readonly KeySetDescription[];
}

interface Layout {
  /** Whether key sets were asked for by name. All of them are then printed. */
  readonly isChosen: boolean;
  /** The width of the terminal. */
  readonly columns: number;
}

/** With more, nobody would see the problems above them. */
const maxKeySets = 20;
/** A key set may keep many keys that were replaced. */
const maxKeys = 5;

/** Its text may be longer than the terminal is wide. */
interface Line {
  readonly indent: number;
  readonly text: string;
  /** Where further lines begin, relative to the first. */
  readonly hang?: number;
  readonly style?: Parameters<typeof styleText>[0];
  /** A mark in front of the text, in its own style. */
  readonly mark?: readonly [text: string, style: Parameters<typeof styleText>[0]];
}

export function formatStatus(status: Status | CallerStatus, { isChosen, columns }: Layout): string {
  const lines = 'caller' in status ? ofCaller(status, isChosen) : ofSigner(status, isChosen);
  return lines.map((line) => (line === '' ? '' : wrap(line, columns))).join('\n');
}

type Lines = readonly (Line | '')[];

function ofSigner(status: Status, isChosen: boolean): Lines {
  const { version, generation, startedAt, loadedAt, listeners, ops, volumes, audit, keys } = status;
  const loaded = loadedAt === null ? 'no keys loaded yet' : `keys loaded ${moment(loadedAt)}`;
  const places = [
    ...listeners.map(({ caller, addresses }) => [caller, addresses] as const),
    ...(ops.length === 0 ? [] : [['ops listener', ops] as const]),
  ];
  const width = Math.max(...places.map(([name]) => name.length));
  return [
    readiness(status, `sidecar-signer ${version}, generation ${generation}`),
    { indent: 2, text: `started ${moment(startedAt)}, ${loaded}`, hang: 2 },
    ...section(
      'Listeners',
      places.map(([name, addresses]) => ({
        indent: 2,
        text: `${name.padEnd(width)}  ${addresses.join(', ')}`,
        hang: 2,
      })),
    ),
    ...section('Directories', volumes.flatMap(describeVolume)),
    ...(audit === undefined ? [] : section('Audit', describeAudit(audit))),
    ...section('Key sets', some(keys, isChosen, describeKeySet), keys.length),
  ];
}

function ofCaller({ ready, caller, keys }: CallerStatus, isChosen: boolean): Lines {
  return [
    readiness({ ready, stopping: false }, `for the caller ${caller}`),
    {
      indent: 2,
      text: 'These are the key sets of this caller. The ops listener knows everything else, and was not asked (--ops-listen).',
    },
    ...section('Key sets', some(keys, isChosen, describeOwnKeySet), keys.length),
  ];
}

function readiness({ ready, stopping }: Pick<Status, 'ready' | 'stopping'>, what: string): Line {
  if (ready) return { indent: 0, text: `ready  ${what}`, hang: 2, mark: ['✓', 'green'] };
  const why = stopping ? 'stopping' : 'not ready';
  return { indent: 0, text: `${why}  ${what}`, hang: 2, mark: ['✗', 'red'] };
}

function section(title: string, lines: Lines, count?: number): Lines {
  if (lines.length === 0 && count === undefined) return [];
  const heading = count === undefined ? title : `${title} (${count})`;
  return ['', { indent: 0, text: heading, style: 'bold' }, ...lines];
}

function describeVolume(volume: VolumeStatus): Lines {
  const { directory, content, layout, generation, problems, lastSuccess, watcher } = volume;
  const facts = [content, layout ?? 'not read yet', `generation ${generation}`];
  if (watcher === 'down') facts.push('no events, the poll finds changes');
  const isGood = problems.length === 0;
  const head: Line = {
    indent: 2,
    text: `${directory}  ${facts.join(', ')}`,
    hang: 4,
    mark: isGood ? ['✓', 'green'] : ['✗', 'red'],
  };
  if (isGood) return [head];
  const kept = generation > 0 ? 'the one from before is in use' : 'nothing of it is in use';
  const good = lastSuccess === null || generation === 0 ? '' : ` Last good ${moment(lastSuccess)}.`;
  return [
    head,
    { indent: 6, text: `The newest content was refused or could not be read; ${kept}.${good}` },
    ...problems.map((problem): Line => ({ indent: 6, text: `- ${problem}`, hang: 2, style: 'red' })),
  ];
}

function describeAudit({ file, onFailure, problem, failures, head }: NonNullable<Status['audit']>): Lines {
  const otherwise = onFailure === 'refuse' ? 'requests are refused' : 'requests are answered without it';
  const place = file === '-' ? 'standard output' : file;
  const lines: Line[] = [
    {
      indent: 2,
      text: `${place}  line ${head.seq}, ${failures} not recorded`,
      hang: 4,
      mark: problem === null ? ['✓', 'green'] : ['✗', 'red'],
    },
  ];
  if (problem !== null) {
    lines.push({ indent: 6, text: `- ${problem}: ${otherwise}`, hang: 2, style: 'red' });
  }
  return lines;
}

function describeKeySet({ name, format, algorithm, derived, callers, since, keys }: KeySetStatus): Lines {
  const [primary, ...others] = keys;
  const what = derived ? `${format}, ${algorithm}, derives a key for each tenant` : `${format}, ${algorithm}`;
  return [
    heading(name, what),
    ...(primary ? keyLines(`${primary.id}  primary since ${moment(since)}`, primary) : []),
    ...others.slice(0, maxKeys).flatMap((key) => {
      const until = key.until === undefined ? '' : ` until ${moment(key.until)}, or the process ends`;
      return keyLines(`${key.id}  only verifies${until}`, key);
    }),
    ...(others.length > maxKeys ? [{ indent: 4, text: `and ${others.length - maxKeys} more keys` }] : []),
    { indent: 4, text: describeCallers(callers), hang: 2 },
  ];
}

function describeOwnKeySet({
  name,
  format,
  algorithm,
  allow,
  keyIds,
  primary,
  since,
}: KeySetDescription): Lines {
  const others = keyIds.filter((id) => id !== primary).map(shownId);
  const also =
    others.length === 0 ? [] : [{ indent: 4, text: `also verifies ${others.join(', ')}`, hang: 2 }];
  return [
    heading(name, `${format}, ${algorithm}`),
    { indent: 4, text: `${shownId(primary)}  primary since ${moment(since)}`, hang: 2 },
    ...also,
    { indent: 4, text: `may ${allow.join(', ')}`, hang: 2 },
  ];
}

function heading(name: string, what: string): Line {
  return { indent: 2, text: `${name}  ${what}`, hang: 2, style: 'bold' };
}

function keyLines(what: string, { lastUsed }: KeyStatus): Lines {
  const verbs = { sign: 'signed', verify: 'verified', challenge: 'answered a challenge' } as const;
  const uses = Object.entries(verbs).flatMap(([operation, verb]) => {
    const at = lastUsed[operation as keyof typeof verbs];
    return at === undefined ? [] : [`last ${verb} ${moment(at)}`];
  });
  const used = uses.length === 0 ? 'not used since the start' : uses.join(', ');
  return [
    { indent: 4, text: what, hang: 2 },
    { indent: 6, text: used, hang: 2, style: 'dim' },
  ];
}

/** Callers that may do the same are named together. */
function describeCallers(callers: KeySetStatus['callers']): string {
  const alike = Map.groupBy(Object.entries(callers), ([, allowed]) => allowed.join(', '));
  if (alike.size === 0) return 'no caller may use it';
  return `callers: ${[...alike].map(([allowed, who]) => `${who.map(([name]) => name).join(', ')} may ${allowed}`).join('; ')}`;
}

function some<T>(all: readonly T[], isChosen: boolean, describe: (each: T) => Lines): Lines {
  const shown = isChosen ? all : all.slice(0, maxKeySets);
  const left = all.length - shown.length;
  const lines = shown.flatMap(describe);
  if (left === 0) return lines;
  const how = '"sidecar-signer status NAME" shows one of them, and --json shows all';
  return [...lines, { indent: 2, text: `and ${left} more; ${how}`, hang: 2 }];
}

/** To the second, in UTC. */
function moment(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 19)} UTC`;
}

/** Breaks a line between words. Only a word that is longer than the line goes beyond its end, so that it can be copied. */
function wrap({ indent, text, hang = 0, style, mark }: Line, columns: number): string {
  const front = mark === undefined ? '' : `${styleText(mark[1], mark[0])} `;
  const lines: string[] = [];
  // Two spaces stay two: they stand between columns.
  let line = ' '.repeat(indent);
  let width = indent + (mark === undefined ? 0 : 2);
  let isFirst = true;
  for (const [, gap = '', word = ''] of escapeControls(text).matchAll(/( *)([^ ]+)/g)) {
    if (!isFirst && width + gap.length + word.length > columns) {
      lines.push(line);
      line = ' '.repeat(indent + hang) + word;
      width = line.length;
    } else {
      line += gap + word;
      width += gap.length + word.length;
    }
    isFirst = false;
  }
  lines.push(line);
  return lines
    .map((each, index) => {
      const start = each.search(/\S|$/);
      const words = style === undefined ? each.slice(start) : styleText(style, each.slice(start));
      return each.slice(0, start) + (index === 0 ? front : '') + words;
    })
    .join('\n');
}
