/** The schema of a current Kubernetes, as the package `kubernetes-models` has it. */

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './signer.ts';

const root = join(import.meta.dirname, '../..');
const models: Readonly<Record<string, string>> = {
  v1: 'kubernetes-models/v1',
  'apps/v1': 'kubernetes-models/apps/v1',
  'batch/v1': 'kubernetes-models/batch/v1',
  'networking.k8s.io/v1': 'kubernetes-models/networking.k8s.io/v1',
};

/** Objects of other projects have none. */
export function hasSchema({ apiVersion }: KubernetesObject): boolean {
  return Object.hasOwn(models, apiVersion);
}

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata?: { readonly name?: string };
}

/**
 * What a current Kubernetes would not take: by the validators of its schema, and, since that allows unknown fields, by
 * its types, with the objects written out as literals.
 */
export async function schemaProblems(objects: readonly KubernetesObject[]): Promise<string[]> {
  const found: string[] = [];
  const literals: string[] = [];
  const imports = new Set<string>();
  for (const object of objects) {
    const { apiVersion, kind, ...rest } = object;
    const model = models[apiVersion];
    if (model === undefined) throw new Error(`no schema for ${apiVersion}`);
    const kinds = (await import(model)) as Record<string, new (object: object) => { validate(): void }>;
    const Kind = kinds[kind];
    if (Kind === undefined) throw new Error(`no schema for ${apiVersion} ${kind}`);
    try {
      new Kind(withoutLineBreaks(rest)).validate();
    } catch (error) {
      found.push(`${title(object)}: ${error instanceof Error ? error.message : String(error)}`);
    }
    imports.add(`import type { I${kind} } from '${model}';`);
    literals.push(
      `export const object${literals.length}: I${kind} = ${JSON.stringify({ apiVersion, kind, ...rest })};`,
    );
  }
  using directory = temporaryDirectory();
  const file = join(directory.path, 'objects.ts');
  writeFileSync(file, [...imports, ...literals].join('\n'));
  const project = {
    compilerOptions: {
      noEmit: true,
      strict: true,
      skipLibCheck: true,
      module: 'nodenext',
      target: 'es2024',
      types: [],
      paths: { 'kubernetes-models/*': [join(root, 'node_modules/kubernetes-models/*')] },
    },
    files: [file],
  };
  writeFileSync(join(directory.path, 'tsconfig.json'), JSON.stringify(project));
  const { status, stdout } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['--project', directory.path], {
    encoding: 'utf8',
  });
  if (status !== 0) {
    // One line of the file is one object.
    const titled = stdout.trim().replaceAll(/^\S*objects\.ts\((\d+),/gm, (place, line) => {
      const object = objects[Number(line) - imports.size - 1];
      return `${object === undefined ? '' : title(object)}: ${place}`;
    });
    found.push(...titled.split('\n'));
  }
  return found;
}

function title({ kind, metadata }: KubernetesObject): string {
  return `${kind}/${metadata?.name}`;
}

/** The API server takes the base64 of a Secret with the line breaks that kustomize puts into it; the schema does not. */
function withoutLineBreaks(object: object): object {
  if (!('data' in object)) return object;
  const data = Object.entries(object.data as Readonly<Record<string, string>>).map(([name, text]) => [
    name,
    text.replaceAll('\n', ''),
  ]);
  return { ...object, data: Object.fromEntries(data) };
}
