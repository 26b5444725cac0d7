/** The scheme of a key set, and other schemes by which a message could have been signed. */

import type { BytesEncoding } from '../../api/messages.ts';
import { type ProviderName, providers } from '../../api/providers.ts';
import { type Provider, receivedNames, type WebhookScheme } from '../../api/webhook-scheme.ts';
import { compileScheme } from '../../formats/webhook/compile.ts';
import type { Scheme } from '../../formats/webhook/scheme.ts';
import { parseSigned, type SignedTemplate } from '../../formats/webhook/signed.ts';
import { variablesOf } from '../../formats/webhook/template.ts';
import { requestVariables, sentVariables } from '../../formats/webhook/variables.ts';
import type { KeySettings } from '../../key-sets/settings.ts';
import type { Algorithm } from '../../signing/mac.ts';
import type { Difference } from './difference.ts';
import type { ReceivedRequest } from './request.ts';

/** What is signed, and where the signature is. */
export interface Candidate {
  readonly scheme: Scheme;
  /** The template of the signed bytes. */
  readonly signed: string;
  readonly differences: readonly Difference[];
}

const entries = Object.entries(providers) as readonly (readonly [ProviderName, Provider])[];

/** In `raw`, any header holds the signature; this one stands for it. */
export const rawHeader = 'X-Signature';

/** @returns undefined for a format that is not explained */
export function schemeOf({ format }: KeySettings, algorithm: Algorithm): Candidate | undefined {
  const definition = definitionOf(format.name, format.options);
  const scheme = definition && compile(definition, algorithm, format.name !== 'webhook');
  return definition && scheme && { scheme, signed: definition.signed, differences: [] };
}

function definitionOf(name: string, options: object): WebhookScheme | undefined {
  if (name === 'webhook') return options as WebhookScheme;
  if (name === 'raw') {
    const { output } = options as { readonly output?: BytesEncoding };
    return { signed: '{body}', headers: { [rawHeader]: '{signature}' }, output };
  }
  const known = entries.find(([each]) => each === name)?.[1];
  return known && { ...known, ...options };
}

function compile(definition: WebhookScheme, algorithm: Algorithm, isBuiltIn: boolean): Scheme | undefined {
  const compiled = compileScheme(definition, algorithm, isBuiltIn);
  return 'signed' in compiled ? compiled : undefined;
}

/** The schemes of known providers that use headers of this request, except those that are the same as the key set's own. */
export function otherProviders(
  own: Candidate,
  name: string,
  { headers }: ReceivedRequest,
): readonly Candidate[] {
  return entries.flatMap(([provider, definition]) => {
    if (provider === name || !receivedNames(definition).some((each) => headers.has(each))) return [];
    const algorithm = definition.algorithm ?? 'HS256';
    const scheme = compile(definition, algorithm, true);
    if (scheme === undefined || isSame(own, { scheme, signed: definition.signed })) return [];
    const remedy = `Set "format: ${provider}" for this key set, if the message comes from there.`;
    const when = `it is one by the scheme of ${provider}`;
    return { scheme, signed: definition.signed, differences: [{ code: 'format', when, remedy }] };
  });
}

function isSame(a: Pick<Candidate, 'scheme' | 'signed'>, b: Pick<Candidate, 'scheme' | 'signed'>): boolean {
  const facts = ({ scheme, signed }: typeof a) => [
    signed,
    scheme.algorithm,
    scheme.output,
    scheme.time?.unit,
    scheme.carriers.map(({ reads, items }) => [reads, items.map(({ pattern }) => pattern.source)]),
  ];
  return JSON.stringify(facts(a)) === JSON.stringify(facts(b));
}

/** Other signed strings with the headers of the key set's own scheme: those that providers use. */
export function otherTemplates({ scheme, signed: own }: Candidate, name: string): readonly Candidate[] {
  const templates = [...new Set(entries.map(([, { signed }]) => signed))];
  return templates.flatMap((signed) => {
    const parsed = signed === own ? undefined : parseSigned({ signed, headers: {} });
    if (parsed === undefined || 'message' in parsed) return [];
    const users = entries.filter(([, definition]) => definition.signed === signed).map(([each]) => each);
    const known = users.length > 3 ? `${users.slice(0, 3).join(', ')} and others` : users.join(', ');
    const remedy =
      name === 'webhook'
        ? `Set "signed: '${signed}'" under "webhook".`
        : `This is not how the format ${name} signs; ${known} sign this string. Choose the format of the sender, or describe it with "format: webhook".`;
    return {
      scheme: { ...scheme, ...variablesIn(parsed), signed: parsed },
      signed,
      differences: [{ code: 'signed-string', when: `what is signed is ${signed}`, remedy }],
    };
  });
}

function variablesIn({ parts }: SignedTemplate): Pick<Scheme, 'members' | 'proven' | 'signedHeaders'> {
  const variables = variablesOf(parts);
  return {
    members: new Set(requestVariables.filter((each) => variables.includes(each))),
    proven: new Set(sentVariables.filter((each) => variables.includes(each))),
    signedHeaders: [],
  };
}
