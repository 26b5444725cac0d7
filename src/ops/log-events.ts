/**
 * Every line that the log of a running signer can have, by its level and message, with the types of its fields. The type
 * `Log` allows no other line and no other field, and a test compares this table with docs/logs.md.
 */

/** `?` if not every line has the field. */
type FieldType = 'text' | 'number' | 'list' | 'text?' | 'number?' | 'list?';

/** Where a message has `…`, the line has further words. */
type EventsByLevel = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, FieldType>>>>>>;

const aboutKeys = { directory: 'text' } as const;
const aboutConfiguration = { file: 'text' } as const;
const aboutAudit = { file: 'text' } as const;
const aboutFault = { kind: 'text', at: 'list?' } as const;

export const logEvents = {
  debug: {
    request: {
      caller: 'text',
      keySet: 'text?',
      operation: 'text?',
      method: 'text?',
      bytes: 'number?',
      status: 'number',
      durationMs: 'number',
    },
  },
  info: {
    starting: { version: 'text' },
    listening: { signing: 'text?', sockets: 'list?', ops: 'text?', also: 'list?' },
    'directory read; waiting for the other directories or the configuration': aboutKeys,
    'configuration read; waiting for the directories with the keys': aboutConfiguration,
    'keys loaded': {
      ...aboutKeys,
      generation: 'number',
      added: 'list',
      removed: 'list',
      modified: 'list',
      keys: 'list',
    },
    'configuration loaded': { ...aboutConfiguration, generation: 'number', keys: 'list' },
    'the problem with the keys is over': aboutKeys,
    'the problem with the configuration is over': aboutConfiguration,
    'a key set …': { key: 'text' },
    'replaced keys do not verify any more': { key: 'text', ended: 'list' },
    'the problem with the events is over': aboutKeys,
    '… has plain files, …': aboutKeys,
    'audit opened': { ...aboutAudit, onFailure: 'text', seq: 'number', hash: 'text' },
    'audit head': { seq: 'number', hash: 'text' },
    'audit file opened anew': { ...aboutAudit, seq: 'number' },
    'the audit is written again': { ...aboutAudit, failures: 'number' },
    stopping: {},
    stopped: {},
  },
  warn: {
    'keys not loaded: not ready': { ...aboutKeys, problems: 'list' },
    'keys not loaded: the last good keys stay in use': { ...aboutKeys, problems: 'list' },
    'configuration not loaded: not ready': { ...aboutConfiguration, problems: 'list' },
    'configuration not loaded: the last good configuration stays in use': {
      ...aboutConfiguration,
      problems: 'list',
    },
    'a key set …': { key: 'text' },
    '… so this key set is left out …': aboutConfiguration,
    '… is a … mount …': aboutKeys,
    '… does not report every change; the poll finds them': aboutKeys,
    'no events report changes here; the poll finds them': aboutKeys,
    '… changed from …': aboutKeys,
    'the audit cannot be written: requests are refused': { ...aboutAudit, problem: 'text' },
    'the audit cannot be written: requests are answered without it': { ...aboutAudit, problem: 'text' },
    'the audit goes on in the file that was renamed': { ...aboutAudit, problem: 'text' },
    'the last line of the audit was cut off and has been removed': { ...aboutAudit, bytes: 'number' },
    'the audit is beside the configuration, which is read again with each of its lines': aboutAudit,
    'the process could not be hardened on this system: core dumps, memory access or the limit of descriptors':
      {},
  },
  error: {
    'a request failed because of a bug in the signer': aboutFault,
    'stopping because of a bug in the signer': aboutFault,
  },
} as const satisfies EventsByLevel;

type Events = typeof logEvents;
export type EventLevel = keyof Events;

interface Values {
  readonly text: string;
  readonly number: number;
  readonly list: readonly string[];
}

type Value<T> = T extends keyof Values
  ? Values[T]
  : T extends `${infer N extends keyof Values}?`
    ? Values[N]
    : never;
type Optional<F, N extends keyof F> = F[N] extends `${string}?` ? N : never;

type Fields<F> = { readonly [N in keyof F as Exclude<N, Optional<F, N>>]: Value<F[N]> } & {
  readonly [N in keyof F as Optional<F, N>]?: Value<F[N]>;
};

/** An event without fields needs none; one of which the table has only a part needs its whole text. */
type Rest<F, M> = M extends `${string}…${string}`
  ? [fields: Fields<F>, text: string]
  : keyof F extends never
    ? []
    : [fields: Fields<F>];

/** Writes a line of this level. */
export type WriteEvent<L extends EventLevel> = <M extends keyof Events[L]>(
  message: M,
  ...rest: Rest<Events[L][M], M>
) => void;
