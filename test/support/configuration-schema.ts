/**
 * The JSON Schema of the configuration, for editors and for programs that write one: the signer's own schemas, with the
 * texts of the documentation, and with the rules between fields. It is draft-07, which every editor understands.
 */

import * as z from 'zod/mini';
import { fieldsAt } from '../../src/api/schema.ts';
import { keySetFieldNames, shapeOf } from '../../src/config/fields.ts';
import { type FormatDefinition, formats } from '../../src/formats/index.ts';
import { webhookAlgorithms } from '../../src/formats/webhook/custom.ts';
import { keySetNamePattern } from '../../src/key-sets/settings.ts';
import { fieldTexts } from './field-texts.ts';

export type Schema = { readonly [member: string]: unknown };
type Properties = Readonly<Record<string, Schema>>;

export function configurationSchema(): Schema {
  const texts = fieldTexts();
  const { $schema, ...keySet } = z.toJSONSchema(shapeOf(undefined), {
    io: 'input',
    target: 'draft-7',
    unrepresentable: 'any',
  }) as Schema;
  const described = describe(keySet, '', texts);
  const fields = described['properties'] as Properties;
  const names = [...keySetFieldNames, ...Object.keys(fields)];
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Configuration of sidecar-signer',
    description:
      'Which key sets there are, and what each may be used for. "sidecar-signer check" also finds what a schema cannot say.',
    type: 'object',
    properties: {
      keys: {
        description: texts.get('keys'),
        type: 'object',
        minProperties: 1,
        propertyNames: { pattern: keySetNamePattern.source },
        additionalProperties: { $ref: '#/definitions/keySet' },
      },
    },
    required: ['keys'],
    additionalProperties: false,
    definitions: {
      keySet: {
        title: 'A key set',
        description: 'Where its keys come from, and what they may be used for. Every field is optional.',
        ...described,
        // The fields of every format first.
        properties: Object.fromEntries(names.map((name) => [name, fields[name]])),
        type: ['object', 'null'],
        dependencies: { ...betweenFields, ...ownersOf(names) },
        allOf: [...neededSections(names), ...algorithms(), ...challenges],
      },
    },
  };
}

/** @param path of the object in a key set, with a dot at its end */
function describe(schema: Schema, path: string, texts: ReadonlyMap<string, string>): Schema {
  const { properties, ...rest } = schema;
  if (properties === undefined) return schema;
  return {
    ...rest,
    properties: Object.fromEntries(
      Object.entries(properties as Properties).map(([name, field]) => {
        const description = texts.get(`${path}${name}`);
        if (description === undefined) throw new Error(`no table of the documentation has ${path}${name}`);
        return [
          name,
          { description, ...describe(field, `${path}${name}.`, texts), ...within[`${path}${name}`] },
        ];
      }),
    ),
  };
}

/** The `then` is a keyword of JSON Schema; an object with such a member could be taken for a promise. */
function when(condition: Schema, result: Schema): Schema {
  return Object.fromEntries([
    ['if', condition],
    ['then', result],
  ]);
}
const absent = { not: {} };
const without = (...fields: string[]) => ({
  properties: Object.fromEntries(fields.map((field) => [field, absent])),
});
const is = (field: string, value: unknown) => ({
  properties: { [field]: { const: value } },
  required: [field],
});
const isOneOf = (field: string, values: readonly unknown[]) => ({
  properties: { [field]: { enum: values } },
  required: [field],
});
/** Also where the field is absent. */
const mayBe = (field: string, schema: Schema) => ({ properties: { [field]: schema } });

/** Rules within the options of a format. */
const within: Readonly<Record<string, Schema>> = {
  'signed-url': {
    dependencies: {
      ...Object.fromEntries(
        ['imgproxy', 'laravel', 'akamai'].map((scheme) => [scheme, is('scheme', scheme)]),
      ),
      methods: mayBe('scheme', { const: 'sidecar' }),
      parameters: mayBe('scheme', { const: 'sidecar' }),
      hosts: mayBe('laravel', mayBe('absolute', { const: true })),
    },
    ...when(is('scheme', 'imgproxy'), { required: ['imgproxy'], ...without('pathPrefixes') }),
  },
  'aws-sigv4': {
    dependencies: {
      maxPostBytes: {
        properties: {
          services: { contains: { const: 's3' } },
          methods: { contains: { const: 'POST' } },
          maxExpiresSeconds: { minimum: 1 },
        },
      },
    },
  },
};

const all = [...formats.values()];
/** Enough of a configuration to make each format. */
const least: Readonly<Record<string, object>> = {
  'aws-sigv4': { accessKeyId: 'AKIDEXAMPLE', services: ['s3'], regions: ['eu-central-1'] },
  webhook: { signed: '{body}', headers: { 'X-Signature': '{signature}' } },
};
const made = ({ name, create }: FormatDefinition) => create({ [name]: least[name] ?? {} });
const namesOf = (isMeant: (format: FormatDefinition) => boolean) =>
  all.filter(isMeant).map(({ name }) => name);
const signWithAll = namesOf(({ name, fields: { [name]: options } }) =>
  fieldsAt(options ?? z.object({}), []).includes('signWith'),
);

/** What goes with a field, and what does not. */
const betweenFields: Schema = {
  file: without('env', 'deriveFrom'),
  env: without('deriveFrom'),
  allow: without('callers'),
  tenants: ['deriveFrom'],
  allowExport: ['deriveFrom'],
  deriveFrom: mayBe('allowWeakKey', { const: false }),
  alsoVerify: {
    properties: {
      env: absent,
      deriveFrom: absent,
      encoding: { not: { const: 'jwks' } },
      ...Object.fromEntries(signWithAll.map((name) => [name, mayBe('signWith', { const: 'primary' })])),
    },
  },
  allowUndecoded: {
    allOf: [
      is('encoding', 'text'),
      isOneOf(
        'format',
        namesOf((format) => made(format).secretEncoding === 'whsec'),
      ),
      without('deriveFrom'),
    ],
  },
};

/** A field of a format is for this format alone. */
function ownersOf(names: readonly string[]): Schema {
  const owned = all.flatMap(({ name, fields }) => Object.keys(fields).map((field) => [field, name] as const));
  return Object.fromEntries(
    owned
      .filter(([field]) => names.includes(field))
      .map(([field, name]) => [
        field,
        // It is the format of a key set that names none.
        name === 'raw' ? mayBe('format', { const: name }) : is('format', name),
      ]),
  );
}

/** The formats that have options without which there is no key set. */
function neededSections(names: readonly string[]): readonly Schema[] {
  return all
    .filter(({ name, fields }) => names.includes(name) && !z.safeParse(z.object(fields), {}).success)
    .map(({ name }) => when(is('format', name), { required: [name] }));
}

/** Which algorithms the formats have. */
function algorithms(): readonly Schema[] {
  const groups = Map.groupBy(all, (format) =>
    (format.name === 'webhook' ? webhookAlgorithms : made(format).algorithms).join(),
  );
  return [...groups].map(([names, group]) => {
    const isMeant = mayBe('format', { enum: group.map(({ name }) => name) });
    const isDefault = group.some(({ name }) => name === 'raw');
    const condition = isDefault ? isMeant : { ...isMeant, required: ['format'] };
    return when(condition, mayBe('algorithm', { enum: names.split(',') }));
  });
}

/** Only some formats have challenges, and a scheme of the configuration has one if it says so. */
const noChallenge = { items: { not: { const: 'challenge' } } };
const challenges: readonly Schema[] = [
  {
    if: {
      anyOf: [
        isOneOf(
          'format',
          namesOf((format) => made(format).challenge !== undefined),
        ),
        { properties: { webhook: { required: ['challenge'] } }, required: ['webhook'] },
      ],
    },
    else: { properties: { allow: noChallenge, callers: { additionalProperties: noChallenge } } },
  },
];
