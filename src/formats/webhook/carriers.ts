/** Compiles `headers`: which headers carry a scheme, and by which names they are read. */

import { cannotBePassedOn } from '../../api/foreign-headers.ts';
import { headerNames, type WebhookScheme } from '../../api/webhook-scheme.ts';
import type { OptionProblem } from '../definition.ts';
import { compileValue, type HeaderValue } from './header-value.ts';
import { type Part, variablesOf } from './template.ts';
import { has, type Notation } from './variables.ts';

/** A header of a scheme. */
export interface Carrier extends HeaderValue {
  /** As it is written. With `{n}`, one for each key. */
  readonly names: readonly [string, ...string[]];
  readonly isNumbered: boolean;
  /** In lower case: the names to read, and those to read if none of the scheme's own names is there. */
  readonly reads: readonly string[];
  readonly aliases: readonly string[];
  /** Whether a message without this header has no signature. Headers with nothing that is signed may be absent. */
  readonly isNeeded: boolean;
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

/** Adds what is wrong to `problems`. */
export function compileCarriers(
  scheme: WebhookScheme,
  signed: readonly Part[],
  notation: Notation,
  problems: OptionProblem[],
): readonly Carrier[] {
  const { headers, aliases = {} } = scheme;
  const isNeeded = (variables: ReadonlySet<string>) =>
    [...variables].some((variable) => variable === 'signature' || has(signed, variable));
  const report = (path: readonly PropertyKey[], message: string) => {
    problems.push({ path: ['headers', ...path], message });
  };
  const known = new Set<string>();
  const carriers: Carrier[] = [];
  for (const [name, template] of Object.entries(headers)) {
    const written = headerNames(name, scheme);
    const wrong = written.map((each) => nameProblem(each, known)).find((each) => each !== undefined);
    for (const each of written) known.add(each.toLowerCase());
    if (wrong !== undefined) report([], wrong);
    // An invalid name may be a key that was pasted here, so leave it out of the path.
    const path = wrong === undefined ? [name] : [];
    const compiled = compileValue(template, notation, (message) => report(path, message));
    if (compiled === undefined) continue;
    const reads = written.map((each) => each.toLowerCase());
    carriers.push({
      ...compiled,
      names: written,
      isNumbered: name.includes('{n}'),
      reads,
      aliases: [],
      isNeeded: isNeeded(compiled.variables),
    });
  }
  const all = withAliases(carriers, aliases, known, problems);
  for (const name of signedHeaders(signed)) {
    // A header that cannot be passed on can be signed all the same, because a JSON request carries it.
    if (!known.has(name)) continue;
    problems.push({ path: ['signed'], message: `holds {header:${name}}, which the scheme itself writes` });
  }
  return all;
}

/** The names of the headers of the request that are signed. */
export function signedHeaders(signed: readonly Part[]): readonly string[] {
  return variablesOf(signed).flatMap((each) => (each.startsWith('header:') ? [each.slice(7)] : []));
}

function nameProblem(name: string, known: ReadonlySet<string>): string | undefined {
  if (!token.test(name)) {
    return 'a name is not that of a header; it may hold letters, digits and - and perhaps {n} once';
  }
  if (known.has(name.toLowerCase())) {
    return `the header ${name} stands twice in the scheme; letter case makes no difference`;
  }
  // Assigning `__proto__` on an object of JavaScript sets no header.
  if (name === '__proto__') return 'the header __proto__ cannot carry a signature; choose another name';
  if (!cannotBePassedOn(name.toLowerCase())) return undefined;
  return `the header ${name} cannot be passed on to the signer, because a request to it uses or refuses that name; let the receiver pass it on under another name, and write that one here`;
}

function withAliases(
  carriers: readonly Carrier[],
  aliases: NonNullable<WebhookScheme['aliases']>,
  known: Set<string>,
  problems: OptionProblem[],
): readonly Carrier[] {
  const byName = new Map<string, readonly string[]>();
  for (const [name, others] of Object.entries(aliases)) {
    const report = (message: string) => {
      problems.push({ path: token.test(name) ? ['aliases', name] : ['aliases'], message });
    };
    const carrier = carriers.find(({ reads }) => reads.includes(name.toLowerCase()));
    if (carrier === undefined) report('is not one of the names under "headers"');
    else if (carrier.isNumbered) report('a header with {n} cannot have an alias');
    if (byName.has(name.toLowerCase())) report('stands twice; letter case makes no difference');
    for (const other of others) {
      const wrong = nameProblem(other, known);
      if (wrong !== undefined) report(wrong);
      known.add(other.toLowerCase());
    }
    byName.set(
      name.toLowerCase(),
      others.map((other) => other.toLowerCase()),
    );
  }
  return carriers.map((carrier) => ({ ...carrier, aliases: byName.get(carrier.reads[0] ?? '') ?? [] }));
}
