/** Parses templates: text with variables in braces. `{{` and `}}` stand for one brace. */

import { closest, distance } from 'fastest-levenshtein';
import { escapeControls } from '../../bytes/text.ts';

export type Part = { readonly text: string } | { readonly variable: string };

/** Twice as long as any that is in use, and short enough for automaton.ts to check in a few milliseconds. */
export const maxTemplateLength = 256;
const maxShown = 80;

export type Parsed = { readonly parts: readonly Part[] } | { readonly problem: string };

const signedHeader = /^header:([!#$%&'*+.^_`|~0-9A-Za-z-]+)$/;

/**
 * @param variables those that may stand here; with `header:`, also `{header:name}`
 * @param allowed the characters that the text may have, as the class of a regular expression
 */
export function parseTemplate(template: string, variables: readonly string[], allowed = /^[ -~]*$/): Parsed {
  if (template.length > maxTemplateLength) {
    return { problem: `has at most ${maxTemplateLength} characters` };
  }
  const parts: Part[] = [];
  let text = '';
  const tokens = template.matchAll(/\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+/g);
  for (const { 0: token, index } of tokens) {
    const placeOf = (offset: number) => `at character ${index + offset + 1} of ${shown(template)}`;
    const place = placeOf(0);
    if (token === '{' || token === '}') {
      return { problem: `"${token}" stands alone ${place}; a variable is {name}, and {{ or }} is a brace` };
    }
    if (token === '{{' || token === '}}') text += token[0];
    else if (token.startsWith('{')) {
      const name = variableOf(token.slice(1, -1), variables);
      if (name === undefined) return { problem: unknown(token.slice(1, -1), variables, place) };
      if (text !== '') parts.push({ text });
      parts.push({ variable: name });
      text = '';
    } else if (/\\[nrt]/.test(token)) {
      const at = placeOf(token.search(/\\[nrt]/));
      return {
        problem: `has a backslash and a letter, which are two characters, ${at}; in YAML, only "\\n" in double quotation marks is a line feed`,
      };
    } else if (allowed.test(token)) text += token;
    else {
      const wrong = token.split('').findIndex((character) => !allowed.test(character));
      return { problem: `has a character that cannot stand ${placeOf(wrong)}` };
    }
  }
  if (text !== '') parts.push({ text });
  return { parts };
}

/** A template for a message. One without a variable may be a key that was pasted here. */
export function shown(template: string): string {
  if (!/\{[^{}]+\}/.test(template)) return 'the template';
  const start = template.length > maxShown ? `${template.slice(0, maxShown)}…` : template;
  return escapeControls(JSON.stringify(start));
}

export function variablesOf(parts: readonly Part[]): readonly string[] {
  return parts.flatMap((part) => ('variable' in part ? [part.variable] : []));
}

/** The variables that stand in the parts a second time. */
export function repeatedOf(parts: readonly Part[]): readonly string[] {
  const all = variablesOf(parts);
  return [...new Set(all.filter((name, at) => all.indexOf(name) !== at))];
}

export function write(parts: readonly Part[], valueFor: (variable: string) => string): string {
  let text = '';
  for (const part of parts) text += 'text' in part ? part.text : valueFor(part.variable);
  return text;
}

function variableOf(name: string, variables: readonly string[]): string | undefined {
  if (variables.includes(name) && name !== 'header:') return name;
  const header = variables.includes('header:') ? signedHeader.exec(name)?.[1] : undefined;
  return header && `header:${header.toLowerCase()}`;
}

/** Repeats the name only if it is made of words, because anything else could be a key in the wrong place. */
function unknown(name: string, variables: readonly string[], place: string): string {
  const list = variables.map((each) => (each === 'header:' ? '{header:name}' : `{${each}}`)).join(', ');
  const near = closest(name, [...variables]);
  const isNear = distance(name, near) <= Math.max(2, name.length / 3) && near !== 'header:';
  const what = /^[A-Za-z:_-]{1,32}$/.test(name) ? `unknown variable {${name}}` : 'unknown variable';
  return `${what} ${place}; ${isNear ? `did you mean {${near}}? The` : 'the'} variables here are ${list}`;
}
