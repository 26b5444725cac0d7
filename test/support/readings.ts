/**
 * Reads signed strings by trying everything, with the languages of the variables as the documentation has them: an oracle for
 * what the signer decides about templates.
 */

import type { TimeUnit } from '../../src/api/webhook-scheme.ts';
import { type Part, parseTemplate } from '../../src/formats/webhook/template.ts';
import { signedVariables } from '../../src/formats/webhook/variables.ts';

const times: Readonly<Record<TimeUnit, RegExp>> = {
  seconds: /^[1-9][0-9]{0,11}$/,
  milliseconds: /^[1-9][0-9]{0,14}$/,
  rfc3339: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/,
};

/** The values of a variable, as bytes in Latin-1. @param end what follows it in the template */
export function accepts(name: string, text: string, unit: TimeUnit, end: string): boolean {
  switch (name) {
    case 'body':
      return true;
    case 'timestamp':
      return times[unit].test(text);
    case 'id':
    case 'nonce':
      return (
        /^[!-~](?:[ -~]*[!-~])?$/.test(text) && !text.includes(',') && (end === '' || !text.includes(end))
      );
    case 'method':
      return /^[A-Z]+$/.test(text);
    case 'url':
      return /^[!-~]+$/.test(text) && !/#|\?$/.test(text);
    case 'path':
      return /^\//.test(text) && !/[\0- \x7f?#]/.test(text);
    case 'query':
      return !/[\0- \x7f#]/.test(text);
    case 'host':
      return /^[!-~]+$/.test(text) && !/[#/?@\\]/.test(text);
    default:
      return !/[\0\r\n]/.test(text);
  }
}

/** The first character of the text behind a part; empty if there is none. */
export function endOf(parts: readonly Part[], at: number): string {
  const next = parts[at + 1];
  return next !== undefined && 'text' in next ? next.text.charAt(0) : '';
}

/** How many assignments of values give these bytes, by trying them all. */
export function countReadings(parts: readonly Part[], text: string, unit: TimeUnit): number {
  let ways = new Map([[0, 1]]);
  for (const [at, part] of parts.entries()) {
    const next = new Map<number, number>();
    for (const [start, count] of ways) {
      for (let end = start; end <= text.length; end++) {
        const value = text.slice(start, end);
        const fits =
          'text' in part
            ? value === Buffer.from(part.text).toString('latin1')
            : accepts(part.variable, value, unit, endOf(parts, at));
        if (fits) next.set(end, (next.get(end) ?? 0) + count);
      }
    }
    ways = next;
  }
  return ways.get(text.length) ?? 0;
}

export function partsOf(template: string): readonly Part[] {
  const parsed = parseTemplate(template, signedVariables, /^[^\0]*$/);
  if ('problem' in parsed) throw new Error(`${template}: ${parsed.problem}`);
  return parsed.parts;
}
