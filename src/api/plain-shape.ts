/**
 * Accepts requests of plain shapes without zod, which needs longer for a short request than its signature takes. What is not
 * accepted here is left to zod, which also says what is wrong with it.
 */

import type * as z from 'zod/mini';

type Accepts = (value: unknown) => boolean;

const known = new WeakMap<z.ZodMiniType, Accepts>();

/** Whether a value certainly fits the schema, which also leaves it as it is. */
export function isPlainly(schema: z.ZodMiniType, value: unknown): boolean {
  let accepts = known.get(schema);
  if (accepts === undefined) {
    accepts = plainShape(schema) ?? (() => false);
    known.set(schema, accepts);
  }
  return accepts(value);
}

/** @returns undefined unless the schema is a text, a listed text, or a strict object of these, of which each may be optional */
function plainShape(schema: z.core.$ZodType): Accepts | undefined {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (hasChecks(def)) return undefined;
  switch (def.type) {
    case 'string':
      return 'format' in def ? undefined : (value) => typeof value === 'string';
    case 'enum': {
      const values = new Set<unknown>(Object.values(def.entries));
      return (value) => values.has(value);
    }
    case 'object':
      return def.catchall?._zod.def.type === 'never' ? objectOf(def.shape) : undefined;
    default:
      return undefined;
  }
}

function hasChecks({ checks = [] }: z.core.$ZodTypeDef): boolean {
  return checks.length > 0;
}

function objectOf(shape: z.core.$ZodShape): Accepts | undefined {
  const fields = new Map<string, Accepts>();
  const required: string[] = [];
  for (const [name, schema] of Object.entries(shape)) {
    const { def } = (schema as z.core.$ZodTypes)._zod;
    const isOptional = def.type === 'optional' && !hasChecks(def);
    const accepts = plainShape(isOptional ? def.innerType : schema);
    if (accepts === undefined) return undefined;
    fields.set(name, accepts);
    if (!isOptional) required.push(name);
  }
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    for (const name in value) {
      const accepts = fields.get(name);
      if (accepts === undefined || !accepts((value as Record<string, unknown>)[name])) return false;
    }
    return required.every((name) => Object.hasOwn(value, name));
  };
}
