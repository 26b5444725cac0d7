/** Reads Kubernetes Secret manifests by kubectl's rules, and keeps their comments when it writes them. */

import { isUtf8 } from 'node:buffer';
import { type Document, isMap, isScalar, LineCounter, parseAllDocuments, stringify } from 'yaml';
import { decode } from '../bytes/encoding.ts';
import { ok, type Result, refused } from '../key-sets/result.ts';
import { isKeySetName, keySetNameRule } from '../key-sets/settings.ts';
import { CommandFailure } from './failure.ts';

/** A manifest may have several Secrets: as several documents, or in a list of objects. */
export interface SecretManifest {
  /** The entries of all Secrets. If `data` and `stringData` share a name, `stringData` wins, as in the API server. */
  readonly entries: readonly SecretEntry[];
  /** What is wrong with `data` and `stringData` as a whole. */
  readonly problems: readonly string[];
  /** @returns the manifest as YAML, with the changes that were written to its entries */
  toString(): string;
}

/** An entry of a Secret, which is a file in a mounted volume. */
export interface SecretEntry {
  readonly name: string;
  read(): Result<Uint8Array>;
  /** @throws {CommandFailure} if the entry is a YAML alias, or text that cannot hold these bytes */
  write(content: Uint8Array): void;
  /** The entry of another name in the same Secret. */
  readonly beside: (name: string) => SecretEntry | undefined;
  /** Adds an entry behind this one, in the same field. @throws {CommandFailure} as `write` does */
  addBehind(name: string, content: Uint8Array): void;
}

/** An object of the manifest, and where it is in the YAML. */
interface KubernetesObject {
  readonly document: Document;
  readonly path: readonly (string | number)[];
  readonly value: unknown;
}

const fields = ['data', 'stringData'] as const;
type Field = (typeof fields)[number];

/** The manifest may also have other objects. */
export function parseSecretManifest(text: string): Result<SecretManifest> {
  const lines = new LineCounter();
  // kubectl reads YAML 1.1, in which an unquoted `yes` is a boolean.
  const options = { version: '1.1', stringKeys: true, prettyErrors: false, lineCounter: lines } as const;
  const documents: readonly Document[] = parseAllDocuments(text, options);
  const objects: KubernetesObject[] = [];
  for (const document of documents) {
    const [broken] = [...document.errors, ...document.warnings];
    if (broken !== undefined) {
      return refused(`the manifest is not valid YAML (line ${lines.linePos(broken.pos[0]).line})`);
    }
    try {
      objects.push(...objectsOf(document));
    } catch {
      // An alias has no target, or there are so many aliases that the result would be huge.
      return refused('the manifest is not valid YAML');
    }
  }
  const secrets = objects.filter(({ value }) => kindOf(value) === 'Secret');
  if (secrets.length === 0) {
    const kinds = objects.flatMap(({ value }) => kindOf(value) ?? []).join(', ');
    return refused(
      `the manifest holds no Secret (kind: ${kinds || 'none'}); give one as "kubectl get secret NAME -o yaml" writes it`,
    );
  }
  const problems: string[] = [];
  const entries = secrets.flatMap((secret) => entriesOf(secret, problems));
  return ok({ entries, problems, toString: () => write(documents) });
}

/** The files of a volume in which all Secrets of the manifest are mounted. */
export function filesOf({ entries, ...manifest }: SecretManifest): Result<ReadonlyMap<string, Uint8Array>> {
  const problems = [...manifest.problems];
  const files = new Map<string, Uint8Array>();
  for (const { name, read } of entries) {
    const content = read();
    if (!content.ok) problems.push(...content.problems);
    else if (files.has(name)) problems.push(`${name}: is in two Secrets; rename one of them`);
    else files.set(name, content.value);
  }
  if (problems.length === 0 && files.size === 0) problems.push('the Secret holds no file; put a key into it');
  return problems.length > 0 ? refused(...problems) : ok(files);
}

export function newSecretManifest(secretName: string, entries: ReadonlyMap<string, Uint8Array>): string {
  const base64 = (content: Uint8Array) => Buffer.from(content).toString('base64');
  return stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: secretName },
    type: 'Opaque',
    data: Object.fromEntries([...entries].map(([name, content]) => [name, base64(content)])),
  });
}

/** The objects of a document: one, or the items of a list, as `kubectl get` writes several objects. */
function objectsOf(document: Document): readonly KubernetesObject[] {
  const value: unknown = document.toJS();
  if (!isObject(value) || !Array.isArray(value['items']) || value['items'].length === 0) {
    return [{ document, path: [], value }];
  }
  return value['items'].map((item, index) => ({ document, path: ['items', index], value: item }));
}

/** The kind of an object, if it looks like one. Other text could be a secret, and is not repeated. */
function kindOf(value: unknown): string | undefined {
  const kind = isObject(value) ? value['kind'] : undefined;
  return typeof kind === 'string' && /^[A-Z][A-Za-z]{2,62}$/.test(kind) ? kind : undefined;
}

function entriesOf(object: KubernetesObject, problems: string[]): readonly SecretEntry[] {
  const entries = new Map<string, SecretEntry>();
  for (const field of fields) {
    const values = (isObject(object.value) && object.value[field]) ?? {};
    if (isObject(values)) {
      for (const name of Object.keys(values)) {
        entries.set(
          name,
          entryOf(object, field, name, values[name], (other) => entries.get(other)),
        );
      }
    } else problems.push(`${field}: must be an object with an entry for each file`);
  }
  return [...entries.values()];
}

function entryOf(
  { document, path }: KubernetesObject,
  field: Field,
  name: string,
  value: unknown,
  beside: SecretEntry['beside'],
): SecretEntry {
  const at = [...path, field, name];
  const refuseAlias = () => {
    if (isScalar(document.getIn(at, true))) return;
    throw new CommandFailure(`${field}.${name}: is an alias (*); write its value out`);
  };
  const textOf = (content: Uint8Array) => {
    if (field === 'data') return Buffer.from(content).toString('base64');
    if (isUtf8(content)) return Buffer.from(content).toString();
    throw new CommandFailure(
      `${field}.${name}: text cannot hold these bytes; move the entry to data, as base64`,
    );
  };
  return {
    name,
    beside,
    read: () => {
      if (!isKeySetName(name)) return refused(`${field}: a name is not usable; use ${keySetNameRule}`);
      if (value === null) return ok(new Uint8Array());
      if (typeof value !== 'string') return refused(`${field}.${name}: must be text; put it in quotes`);
      if (field === 'stringData') return ok(Buffer.from(value));
      // The API server skips line breaks in base64, and kubectl leaves them as they are.
      const bytes = decode(value.replace(/[\r\n]/g, ''), 'base64');
      if (bytes !== undefined) return ok(bytes);
      return refused(`${field}.${name}: is not base64; use stringData for plain text`);
    },
    write: (content) => {
      refuseAlias();
      document.setIn(at, textOf(content));
    },
    addBehind: (added, content) => {
      refuseAlias();
      const entries = document.getIn([...path, field], true);
      if (!isMap(entries))
        throw new CommandFailure(`${field}: must be an object with an entry for each file`);
      const here = entries.items.findIndex(({ key }) => isScalar(key) && key.value === name);
      const pair = document.createPair(added, textOf(content));
      // In the style of this entry, so that JSON stays JSON.
      const model = entries.items[here];
      for (const part of ['key', 'value'] as const) {
        const [own, other] = [pair[part], model?.[part]];
        if (isScalar(own) && isScalar(other) && other.type !== undefined) own.type = other.type;
      }
      entries.items.splice(here + 1, 0, pair);
    },
  };
}

function write(documents: readonly Document[]): string {
  // Folded lines would not be JSON any more, which kubectl also writes.
  const texts = documents.map((document) => document.toString({ lineWidth: 0 }));
  return texts.reduce((all, next) => `${all}${/^---/.test(next) ? '' : '---\n'}${next}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
