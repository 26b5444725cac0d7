/** Kubernetes Secret manifests, as kubectl reads and writes them. */

import { type Document, LineCounter, parseAllDocuments } from 'yaml';
import { decode } from '../bytes/encoding.ts';
import { isKeySetName, keySetNameRule } from '../key-sets/settings.ts';
import { VolumeError, type VolumeProblem } from '../secret-volume/index.ts';

/**
 * The files that a mounted volume of all the manifest's Secrets would have. `stringData` wins over `data`, as in the
 * API server.
 * @throws {VolumeError} with every problem, each naming the field and never a value
 */
export function parseSecretManifest(text: string): ReadonlyMap<string, Uint8Array> {
  const problems: string[] = [];
  const files = new Map<string, Uint8Array>();
  for (const secret of secretsOf(text)) {
    for (const [name, bytes] of filesOf(secret, problems)) {
      if (files.has(name)) problems.push(`${name}: stands in two Secrets; rename one of them`);
      files.set(name, bytes);
    }
  }
  if (problems.length === 0 && files.size === 0) problems.push('the Secret holds no file; put a key into it');
  if (problems.length > 0) throw refusal(problems);
  return files;
}

function secretsOf(text: string): readonly Record<string, unknown>[] {
  // YAML 1.1, as kubectl reads it: an unquoted `yes` is no text there.
  const options = { version: '1.1', stringKeys: true, prettyErrors: false } as const;
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, { ...options, lineCounter });
  const secrets = documents.flatMap((document) => objectsOf(document, lineCounter)).filter(isSecret);
  if (secrets.length === 0) throw refusal(['the manifest holds no "kind: Secret"']);
  return secrets;
}

/** `kubectl get` writes several objects as one list. */
function objectsOf(document: Document, lines: LineCounter): readonly unknown[] {
  const [broken] = [...document.errors, ...document.warnings];
  if (broken !== undefined) throw notYaml(` (line ${lines.linePos(broken.pos[0]).line})`);
  let object: unknown;
  try {
    object = document.toJS();
  } catch {
    // An alias to nothing, or so many that the result would be huge.
    throw notYaml();
  }
  return isObject(object) && Array.isArray(object['items']) ? object['items'] : [object];
}

function isSecret(object: unknown): object is Record<string, unknown> {
  return isObject(object) && object['kind'] === 'Secret';
}

function filesOf(secret: Record<string, unknown>, problems: string[]): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const field of ['data', 'stringData'] as const) {
    const entries = secret[field] ?? {};
    if (!isObject(entries)) {
      problems.push(`${field}: must hold the files by name`);
      continue;
    }
    for (const [name, value] of Object.entries(entries)) {
      const bytes = contentOf(field, value);
      if (!isKeySetName(name)) problems.push(`${field}: a name is not usable; use ${keySetNameRule}`);
      else if (typeof bytes === 'string') problems.push(`${field}.${name}: ${bytes}`);
      else files.set(name, bytes);
    }
  }
  return files;
}

/** @returns the bytes, or what is wrong */
function contentOf(field: 'data' | 'stringData', value: unknown): Uint8Array | string {
  if (value === null) return new Uint8Array();
  if (typeof value !== 'string') return 'must be text; put it in quotes';
  if (field === 'stringData') return Buffer.from(value);
  // The API server skips line breaks in base64, and kubectl leaves them as they are.
  return decode(value.replace(/[\r\n]/g, ''), 'base64') ?? 'is not base64; use stringData for plain text';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function notYaml(place = ''): VolumeError {
  return refusal([`the manifest is not valid YAML${place}`]);
}

function refusal(problems: readonly string[]): VolumeError {
  return new VolumeError(problems.map((message): VolumeProblem => ({ code: 'refused', message })));
}
