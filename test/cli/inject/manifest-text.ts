/** Writes manifests in the many styles that people and tools write them in, for property tests. */

import fc from 'fast-check';

/** How a manifest is written. */
export interface Style {
  readonly step: 2 | 4;
  /** Whether lists are indented under their key. */
  readonly isListIndented: boolean;
  readonly lineBreak: '\n' | '\r\n';
  readonly isMarked: boolean;
  readonly hasByteOrderMark: boolean;
  readonly hasFinalBreak: boolean;
  readonly quotes: 'none' | 'double' | 'single';
  /** Each number decides about one place where there may be a comment, a blank line or a flow collection. */
  readonly choices: readonly number[];
  readonly hasFlow: boolean;
  /** How nothing is written. */
  readonly nothing: '' | ' null' | ' ~';
}

export const style: fc.Arbitrary<Style> = fc.record({
  step: fc.constantFrom(2, 4),
  isListIndented: fc.boolean(),
  lineBreak: fc.constantFrom('\n', '\r\n'),
  isMarked: fc.boolean(),
  hasByteOrderMark: fc.boolean(),
  hasFinalBreak: fc.boolean(),
  quotes: fc.constantFrom('none', 'double', 'single'),
  choices: fc.array(fc.nat(11), { minLength: 60, maxLength: 60 }),
  hasFlow: fc.boolean(),
  nothing: fc.constantFrom('', ' null', ' ~'),
});

export function write(value: object, style: Style): string {
  let used = 0;
  const choose = () => style.choices[used++ % style.choices.length] ?? 0;
  const scalar = (each: unknown) => {
    if (typeof each !== 'string') return JSON.stringify(each);
    if (each.includes('\n')) return JSON.stringify(each);
    if (each.includes('"')) return `'${each}'`;
    const isPlain = /^[a-z/][a-z0-9/.-]*(?::[a-z0-9]+)*$/i.test(each) && each !== 'true';
    if (style.quotes === 'single') return `'${each}'`;
    return isPlain && style.quotes === 'none' ? each : JSON.stringify(each);
  };
  const flow = (each: unknown): string => {
    if (Array.isArray(each)) return `[${each.map(flow).join(', ')}]`;
    if (typeof each !== 'object' || each === null) return scalar(each);
    const entries = Object.entries(each).map(([key, item]) => `${key}: ${flow(item)}`);
    return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
  };
  const filler = (indent: string): readonly string[] => {
    const choice = choose();
    if (choice === 8) return [`${indent}# a comment`];
    if (choice === 9) return [''];
    return choice === 10 ? ['# at the margin: - x'] : [];
  };
  const entryLines = (key: string, each: unknown, indent: string): readonly string[] => {
    const comment = choose() === 11 ? ' # why' : '';
    if (each === null) return [`${indent}${key}:${style.nothing}${comment}`];
    if (typeof each === 'string' && each.endsWith('\n')) {
      const lines = each.trimEnd().split('\n');
      const inner = indent + ' '.repeat(style.step);
      return [
        `${indent}${key}: |${comment}`,
        ...lines.map((line) => inner + line),
        ...(choose() > 7 ? [''] : []),
      ];
    }
    const isInline =
      typeof each !== 'object' || Object.keys(each).length === 0 || (style.hasFlow && choose() === 4);
    if (isInline) return [`${indent}${key}: ${flow(each)}${comment}`];
    return [`${indent}${key}:${comment}`, ...filler(indent), ...block(each, indent)];
  };
  const block = (each: object, indent: string): readonly string[] => {
    const inner = indent + ' '.repeat(style.step);
    if (!Array.isArray(each)) {
      return Object.entries(each).flatMap(([key, item]) => [
        ...entryLines(key, item, inner),
        ...filler(inner),
      ]);
    }
    const dash = style.isListIndented ? inner : indent;
    return each.flatMap((item: unknown) => {
      if (typeof item !== 'object' || item === null || (style.hasFlow && choose() === 5)) {
        return [`${dash}- ${flow(item)}`];
      }
      const [first = '', ...rest] = Object.entries(item).flatMap(([key, field]) =>
        entryLines(key, field, `${dash}  `),
      );
      return [`${dash}- ${first.trimStart()}`, ...rest, ...filler(dash)];
    });
  };
  const top = Object.entries(value).flatMap(([key, each]) => entryLines(key, each, ''));
  const lines = [...(style.isMarked ? ['---'] : []), ...filler(''), ...top];
  const text = lines.join(style.lineBreak) + (style.hasFinalBreak ? style.lineBreak : '');
  return (style.hasByteOrderMark ? '\uFEFF' : '') + text;
}

/** A field that may be absent, or there and empty. */
const nullable = <T>(some: fc.Arbitrary<T>, empty: T): fc.Arbitrary<T | null | undefined> =>
  fc.oneof({ weight: 3, arbitrary: some }, fc.constantFrom(undefined, null, empty));

const list = <T>(item: fc.Arbitrary<T>) =>
  nullable<readonly T[]>(fc.array(item, { minLength: 1, maxLength: 3 }), []);

const container = (name: string): fc.Arbitrary<object> =>
  fc
    .record({
      // Tools sort fields, so that any of them may be the first.
      first: fc.constantFrom('name', 'image', 'env', 'volumeMounts', 'command'),
      env: list(
        fc.record({ name: fc.constantFrom('A', 'B'), value: fc.constantFrom('1', 'x y', '$(HOST)') }),
      ),
      volumeMounts: list(
        fc.record({ name: fc.constant('tmp'), mountPath: fc.constantFrom('/tmp', '/var/tmp') }),
      ),
      command: fc.constantFrom(undefined, ['sh', '-c'], 'a: script\nof lines # two\n'),
      securityContext: nullable<object>(fc.constant({ runAsUser: 1000 }), {}),
    })
    .map(({ first, ...fields }) => {
      const all: Record<string, unknown> = { name, image: 'registry.example.com/app:1', ...fields };
      return defined({ [first]: all[first], ...all });
    });

const volumes = list(
  fc.constantFrom(
    { name: 'tmp', emptyDir: {} },
    { name: 'data', persistentVolumeClaim: { claimName: 'data' } },
  ),
);

const switchValue = fc.constantFrom(undefined, undefined, null, false);

const template = fc
  .record({
    metadata: fc.constantFrom(
      undefined,
      null,
      {},
      { labels: { app: 'x' } },
      { annotations: null },
      {
        annotations: {},
        labels: { app: 'x' },
      },
      { annotations: { note: 'a "quoted" one' } },
    ),
    initContainers: nullable<readonly object[]>(
      container('migrate').map((each) => [each]),
      [],
    ),
    containers: fc
      .tuple(container('web'), container('worker'))
      .chain((both) => fc.constantFrom(both, both.slice(1))),
    volumes,
    isVolumesFirst: fc.boolean(),
    automountServiceAccountToken: switchValue,
    enableServiceLinks: switchValue,
    shareProcessNamespace: switchValue,
    serviceAccountName: fc.constantFrom(undefined, 'app'),
  })
  .map(({ metadata, isVolumesFirst, volumes, ...rest }) =>
    defined({
      metadata,
      spec: defined(isVolumesFirst ? { volumes, ...rest } : { ...rest, volumes }),
    }),
  );

/** A workload of any kind, with a label that asks for the signer. */
export const workload: fc.Arbitrary<object> = fc
  .tuple(
    fc.constantFrom('Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'CronJob', 'Pod'),
    template,
  )
  .map(([kind, pod]) => {
    const apiVersion = kind === 'Pod' ? 'v1' : kind.endsWith('Job') ? 'batch/v1' : 'apps/v1';
    const metadata = { name: 'app', labels: { 'sidecar-signer/inject': 'true' } };
    switch (kind) {
      case 'Pod': {
        const { metadata: own, spec } = pod as { metadata?: object | null; spec: object };
        return { apiVersion, kind, metadata: { ...metadata, ...own, labels: metadata.labels }, spec };
      }
      case 'CronJob':
        return {
          apiVersion,
          kind,
          metadata,
          spec: { schedule: '0 * * * *', jobTemplate: { spec: { template: pod } }, suspend: true },
        };
      default:
        return { apiVersion, kind, metadata, spec: { template: pod, minReadySeconds: 1 } };
    }
  });

function defined(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
