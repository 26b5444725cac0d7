/** What an OpenAPI document does not describe. */

type Node = { readonly [member: string]: unknown };

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null;

/** The members of a document whose entries, by any name, must have a description. */
const maps = new Set([
  'properties',
  'responses',
  'parameters',
  'headers',
  'schemas',
  'requestBodies',
  'tags',
]);

/** @returns the paths to operations, parameters, headers, bodies, answers, schemas and members without a description */
export function undescribed(document: object): readonly string[] {
  const found: string[] = [];
  const needs = (value: unknown, at: string) => {
    if (!isNode(value)) return;
    const { description, summary } = value;
    if (!('$ref' in value) && !/^\S.*\.$/s.test(String(description ?? summary ?? ''))) found.push(at);
  };
  const visit = (value: unknown, at: readonly string[]) => {
    if (!isNode(value)) return;
    if ('operationId' in value && !value['summary']) found.push(at.join('.'));
    for (const [name, inner] of Object.entries(value)) {
      // Values, which are no part of the document.
      if (name === 'example' || name === 'examples') continue;
      const path = [...at, name];
      const isMember = at.at(-1) === 'properties' && at.at(-2) !== 'properties';
      if (maps.has(name) && !isMember && isNode(inner)) {
        for (const [key, each] of Object.entries(inner)) needs(each, [...path, key].join('.'));
      } else if (name === 'requestBody') needs(inner, path.join('.'));
      visit(inner, path);
    }
  };
  visit(document, []);
  return found;
}
