/** Compiles the template `signed`: what stands around the body, and whether it can be read in one way only. */

import type { WebhookScheme } from '../../api/webhook-scheme.ts';
import type { OptionProblem } from '../definition.ts';
import { createAutomaton, twoReadings } from './automaton.ts';
import { type Part, parseTemplate, repeatedOf, shown, variablesOf } from './template.ts';
import { languagesOf, type Notation, signedVariables } from './variables.ts';

export interface SignedTemplate {
  readonly parts: readonly Part[];
  readonly before: readonly Part[];
  readonly after: readonly Part[];
  /** Whether the pairs of a form stand in the place of the body. */
  readonly isForm: boolean;
}

/** Text may hold a line feed and no other control character. */
const allowed = /^[\n -~\u0080-\uffff]*$/;

const noBody =
  'must hold {body} or {form}, because otherwise a signature would not cover the message, and any message could be put in its place';

export function parseSigned({ signed: template }: WebhookScheme): SignedTemplate | OptionProblem {
  const problem = (message: string): OptionProblem => ({ path: ['signed'], message });
  const parsed = parseTemplate(template, signedVariables, allowed);
  if ('problem' in parsed) {
    const inHeaders = parseTemplate(template, [...signedVariables, 'signature', 'keyId'], allowed);
    return problem(
      'parts' in inHeaders
        ? 'must not hold {signature} or {keyId}, which only headers carry'
        : parsed.problem,
    );
  }
  const { parts } = parsed;
  const bodies = variablesOf(parts).filter((name) => name === 'body' || name === 'form');
  if (bodies.length === 0) return problem(noBody);
  if (bodies.length > 1) return problem(`must hold {body} or {form} once; ${shown(template)} holds two`);
  const [repeated] = repeatedOf(parts);
  if (repeated !== undefined) return problem(`holds {${repeated}} twice in ${shown(template)}; use it once`);
  const at = parts.findIndex((part) => 'variable' in part && part.variable === bodies[0]);
  return { parts, before: parts.slice(0, at), after: parts.slice(at + 1), isForm: bodies[0] === 'form' };
}

/** What an attacker could shift, as two readings of the same bytes; undefined if there is one reading only. */
export function ambiguityOf({ parts, isForm }: SignedTemplate, notation: Notation): string | undefined {
  if (isForm) {
    return 'different forms have the same {form}: a=1&b=2 and a=1b2 are both signed as "a1b2"';
  }
  const readings = twoReadings(createAutomaton(languagesOf(parts, notation)));
  if (readings === undefined) return undefined;
  const [one, other] = readings.map((texts) => describe(parts, texts));
  return `the same bytes are ${one}, and ${other}`;
}

function describe(parts: readonly Part[], texts: readonly string[]): string {
  return parts
    .flatMap((part, at) => ('variable' in part ? [`${part.variable} ${JSON.stringify(texts[at])}`] : []))
    .join(' with ');
}
