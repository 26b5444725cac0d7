/** Kubernetes Secret manifests, as kubectl reads and writes them. */

import { parseAllDocuments } from 'yaml';
import { SettingError } from '../config/setting-error.ts';
import { decode } from '../encoding.ts';

/**
 * The files that a mounted Secret would have. `stringData` wins over `data`, as in the API server.
 * @throws {SettingError} naming the field, never a value
 */
export function parseSecretManifest(text: string): ReadonlyMap<string, Uint8Array> {
  const documents = parseAllDocuments(text, { prettyErrors: false });
  const broken = documents.find(({ errors }) => errors.length > 0);
  if (broken !== undefined) throw new SettingError('the manifest is not valid YAML');
  const secrets = documents.map((document): unknown => document.toJS()).filter(isSecret);
  if (secrets.length === 0) throw new SettingError('the manifest holds no "kind: Secret"');
  const files = new Map<string, Uint8Array>();
  for (const { data, stringData } of secrets) {
    for (const [name, value] of Object.entries(data ?? {})) {
      // The API server skips line breaks in base64, and kubectl leaves them as they are.
      const bytes = decode(String(value).replace(/[\r\n]/g, ''), 'base64');
      if (bytes === undefined)
        throw new SettingError(`data.${name} is not base64; use stringData for plain text`);
      files.set(name, bytes);
    }
    for (const [name, value] of Object.entries(stringData ?? {})) {
      if (typeof value !== 'string')
        throw new SettingError(`stringData.${name} must be text; put it in quotes`);
      files.set(name, Buffer.from(value));
    }
  }
  return files;
}

interface SecretManifest {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly stringData?: Readonly<Record<string, unknown>> | null;
}

function isSecret(document: unknown): document is SecretManifest {
  return (
    typeof document === 'object' && document !== null && 'kind' in document && document.kind === 'Secret'
  );
}
