/** Compiles the templates of a header's value. */

import type { HeaderTemplate, WebhookScheme } from '../../api/webhook-scheme.ts';
import { commonWord, createAutomaton, twoReadings } from './automaton.ts';
import { anyNumber, bytes, everyByte, fixed, matcherOf, sequence } from './language.ts';
import { type Part, parseTemplate, repeatedOf, shown, variablesOf } from './template.ts';
import { headerVariables, languagesOf, type Notation, type ReadTemplate } from './variables.ts';

/** How the value of a header is written, and how it is read. */
export interface HeaderValue {
  readonly items: readonly Item[];
  readonly isList: boolean;
  readonly separator: string;
  /** Separates the words of a received value. */
  readonly between: RegExp;
  /** The variables of all items. */
  readonly variables: ReadonlySet<string>;
}

/** One item of a list, or the whole value. */
export interface Item {
  readonly parts: readonly Part[];
  readonly variables: readonly string[];
  /** Matches the item; the values of the variables are its groups, in their order. */
  readonly pattern: RegExp;
  /** The text before the first variable. */
  readonly begin: string;
  /** Into how many words its commas separate it. */
  readonly words: number;
}

/** Undefined if a template cannot be read. */
export function compileValue(
  template: HeaderTemplate,
  notation: Notation,
  report: (message: string) => void,
): HeaderValue | undefined {
  const isList = typeof template !== 'string';
  const { items: templates, separator } = listOf(template);
  const parsed = templates.map((each) => parseTemplate(each, headerVariables));
  const items: Item[] = [];
  for (const [index, each] of parsed.entries()) {
    const text = templates[index] ?? '';
    if ('problem' in each) report(each.problem);
    else if (each.parts.length === 0) report('must not be empty');
    else {
      const [repeated] = repeatedOf(each.parts);
      if (repeated !== undefined) report(`holds {${repeated}} twice in ${shown(text)}; use it once`);
      items.push(compileItem(each.parts, notation));
    }
  }
  if (items.length < parsed.length) return undefined;
  if (isList && !/^(?:[!-~] ?| )$/.test(separator)) {
    report('separator: must be one printable character, perhaps with a space after it');
  }
  checkReading(items, templates, isList ? separator.charAt(0) : undefined, notation, report);
  return {
    items,
    isList,
    separator,
    between: betweenItems(separator),
    variables: new Set(items.flatMap(({ variables }) => variables)),
  };
}

/** The parts of each template that can be read, with the separator of its list. */
export function headerParts({ headers }: WebhookScheme): readonly ReadTemplate[] {
  return Object.values(headers).flatMap((template) => {
    const { items, separator } = listOf(template);
    const end = typeof template === 'string' ? '' : separator.charAt(0);
    const parsed = items.map((item) => parseTemplate(item, headerVariables));
    return parsed.flatMap((each) => ('parts' in each ? [{ parts: each.parts, separator: end }] : []));
  });
}

/** Many times as much as any provider has. Each pair of items is compared, which takes time. */
const [maxTemplates, maxLength] = [32, 512];

export function sizeProblem({ headers }: WebhookScheme): string | undefined {
  const items = Object.values(headers).flatMap((template) => listOf(template).items);
  const length = items.reduce((sum, item) => sum + item.length, 0);
  return items.length <= maxTemplates && length <= maxLength
    ? undefined
    : `have at most ${maxTemplates} templates, with ${maxLength} characters together`;
}

function listOf(template: HeaderTemplate): { readonly items: readonly string[]; readonly separator: string } {
  if (typeof template === 'string') return { items: [template], separator: ',' };
  return 'items' in template ? template : { items: template, separator: ',' };
}

function compileItem(parts: readonly Part[], notation: Notation): Item {
  const [first] = parts;
  const pattern = languagesOf(parts, notation)
    .map((language, at) => {
      const source = matcherOf(language).source.slice(1, -1);
      return 'variable' in (parts[at] ?? {}) ? `(${source})` : source;
    })
    .join('');
  return {
    parts,
    variables: variablesOf(parts),
    pattern: new RegExp(`^${pattern}$`),
    begin: first !== undefined && 'text' in first ? first.text : '',
    words: 1 + parts.reduce((sum, part) => sum + ('text' in part ? part.text.split(',').length - 1 : 0), 0),
  };
}

/** Checks that a value can be read in one way only. */
function checkReading(
  items: readonly Item[],
  templates: readonly string[],
  separator: string | undefined,
  notation: Notation,
  report: (message: string) => void,
): void {
  const automata = items.map(({ parts }) => createAutomaton(languagesOf(parts, notation)));
  const anything = anyNumber(bytes(everyByte));
  const holding =
    separator === undefined ? undefined : createAutomaton([sequence(anything, fixed(separator), anything)]);
  for (const [at, automaton] of automata.entries()) {
    const template = shown(templates[at] ?? '');
    if (twoReadings(automaton) !== undefined) {
      report(`${template} can be read in two ways; put a separator between its variables`);
    }
    if (holding && commonWord(automaton, holding) !== undefined) {
      report(`${template} can hold the separator of the list; choose another "separator"`);
    }
    for (const [before, other] of automata.slice(0, at).entries()) {
      const word = commonWord(automaton, other);
      if (word === undefined) continue;
      const both = `${template} and ${shown(templates[before] ?? '')}`;
      report(
        `${both} can be the same text, for example ${JSON.stringify(word)}; begin each item with a name of its own`,
      );
    }
  }
}

/** A header that was received several times is joined by commas (RFC 9110 §5.3), so these separate items as well. */
function betweenItems(separator: string): RegExp {
  if (separator === ' ') return /, ?| /;
  return new RegExp(`[,\\u${separator.charCodeAt(0).toString(16).padStart(4, '0')}]`);
}
