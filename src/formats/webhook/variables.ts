/** The variables of templates, and the values that verification accepts for each. */

import type { BytesEncoding } from '../../api/messages.ts';
import type { TimeUnit } from '../../api/webhook-scheme.ts';
import { anyNumber, bytes, everyByte, except, fixed, type Language, repeated, sequence } from './language.ts';
import { type Part, variablesOf } from './template.ts';
import { notations } from './timestamp.ts';

/** What the languages of some variables depend on. */
export interface Notation {
  readonly timestamp: TimeUnit;
  readonly output: BytesEncoding;
  /** The length of a tag. */
  readonly tagBytes: number;
  /** The characters that end an identifier where a template holds it, so its value must not hold them. */
  readonly ends: Readonly<Record<Identifier, string>>;
}

const identifiers = ['id', 'nonce', 'keyId'] as const;
type Identifier = (typeof identifiers)[number];

/** Values that a header carries. `header:` is any header that the request has. */
export const sentVariables = ['timestamp', 'id', 'nonce'] as const;
export type SentVariable = (typeof sentVariables)[number];
/** Values that come from the request that is signed. */
export const requestVariables = ['method', 'url', 'path', 'query', 'host'] as const;
export type RequestVariable = (typeof requestVariables)[number];

export const signedVariables: readonly string[] = [
  'body',
  'form',
  ...sentVariables,
  ...requestVariables,
  'header:',
];
export const headerVariables: readonly string[] = ['signature', ...sentVariables, 'keyId'];

const any = anyNumber(bytes(everyByte));

/** Neither a path nor a query holds white space or a fragment (RFC 3986 §3.3, §3.4). */
const inPath = bytes(except('!', '\xff', '#?\x7f'));
const inQuery = bytes(except('!', '\xff', '#\x7f'));

/** What stands in a request line, and the URL of which it is a part. */
export const requestLanguages: Readonly<Record<RequestVariable, Language>> = {
  method: anyNumber(bytes('AZ'), 1),
  // With a bare "?" at its end, some programs see an empty query and others none.
  url: sequence(anyNumber(bytes(except('!', '~', '#'))), bytes(except('!', '~', '#?'))),
  path: sequence(fixed('/'), anyNumber(inPath)),
  query: anyNumber(inQuery),
  host: anyNumber(bytes(except('!', '~', '#/?@\\')), 1),
};
const headerValue = anyNumber(bytes(except('\x00', '\xff', '\x00\n\r')));

export function languageOf(variable: string, notation: Notation): Language {
  switch (variable) {
    case 'body':
    case 'form':
      return any;
    case 'timestamp':
      return notations[notation.timestamp].language;
    case 'id':
    case 'nonce':
    case 'keyId':
      return identifier(notation.ends[variable]);
    case 'signature':
      return signature(notation);
    case 'method':
    case 'url':
    case 'path':
    case 'query':
    case 'host':
      return requestLanguages[variable];
    default:
      return headerValue;
  }
}

/** The languages of a template's parts. */
export function languagesOf(parts: readonly Part[], notation: Notation): readonly Language[] {
  return parts.map((part) => ('text' in part ? fixed(part.text) : languageOf(part.variable, notation)));
}

export interface ReadTemplate {
  readonly parts: readonly Part[];
  /** Of the list in which the template stands; empty if it stands alone. */
  readonly separator: string;
}

/** The characters that follow identifiers: in the text of a template, and between the items of a list. */
export function endsOf(templates: readonly ReadTemplate[]): Notation['ends'] {
  const ends = { id: '', nonce: '', keyId: '' };
  for (const { parts, separator } of templates) {
    for (const [at, part] of parts.entries()) {
      const name = identifiers.find((each) => 'variable' in part && part.variable === each);
      const after = parts[at + 1];
      if (name !== undefined) ends[name] += separator;
      if (name !== undefined && after !== undefined && 'text' in after) ends[name] += after.text.charAt(0);
    }
  }
  return ends;
}

/**
 * Printable ASCII as headers carry it: without a space at either end, and without a comma, because a repeated header is
 * joined by commas.
 */
function identifier(ends: string): Language {
  const character = bytes(except('!', '~', `,${ends}`));
  const spaces = ends.includes(' ') ? fixed('') : anyNumber(bytes('  '));
  return sequence(character, anyNumber(sequence(spaces, character)));
}

function signature({ output, tagBytes }: Notation): Language {
  if (output === 'hex') return repeated(bytes('09af'), tagBytes * 2);
  const [alphabet, rest] = [bytes(output === 'base64' ? '++/9AZaz' : '--09AZ__az'), tagBytes % 3];
  const padding = output === 'base64' && rest > 0 ? fixed('='.repeat(3 - rest)) : fixed('');
  return sequence(repeated(alphabet, Math.ceil((tagBytes * 4) / 3)), padding);
}

export function has(parts: readonly Part[], variable: string): boolean {
  return variablesOf(parts).includes(variable);
}
