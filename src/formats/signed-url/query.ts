/**
 * Parses a query into parameters, each as it is written. The signature covers the parameters in the order of their names,
 * so whoever has a signed URL can change their order. Names of which a framework could make one parameter are therefore
 * refused: their order could change what the application reads.
 */

/** One parameter of a query. */
export interface Parameter {
  /** As it is written: percent-encoded. */
  readonly name: string;
  /** The name, and the value if there is one. */
  readonly text: string;
}

/** PHP reads no more than 1,000 parameters, and Express neither. One that is not read, such as an expiry, is not checked. */
const maxParameters = 200;

/** As RFC 3986 §3.4, with the brackets of PHP and Rails, but without what browsers encode (') or some servers split at (;). */
const queryCharacters = /^[A-Za-z0-9._~!$&()*+,=:@%/?[\]-]*$/;

/** @returns the parameters in their order; or what is wrong, which completes the sentence `field "url": …` */
export function parseQuery(query: string): readonly Parameter[] | string {
  if (query === '') return 'must not end with "?"';
  if (!queryCharacters.test(query)) {
    return "must have a query in which special characters, such as ; and ', are percent-encoded";
  }
  const texts = query.split('&');
  if (texts.length > maxParameters) return `must have at most ${maxParameters} parameters`;
  const parameters = texts.map((text) => ({ name: text.replace(/=.*$/, ''), text }));
  if (parameters.some(({ name }) => name === '')) {
    return 'must have a name for each parameter, and one "&" between two of them';
  }
  const paths = new Map(parameters.map(({ name }) => [name, pathOfName(name)]));
  if ([...paths.values()].includes(undefined)) {
    return 'must have names without control characters or a second percent-encoding, and with at most 8 brackets in pairs';
  }
  return isOrderFree([...paths.values()].filter((path) => path !== undefined))
    ? parameters
    : 'must not have two names for one parameter, such as "a" with "%61" or "A", or "a[]" with "a[0]"';
}

/** Sorts by name, byte by byte. Parameters of the same name keep their order. */
export function sortParameters(parameters: readonly Parameter[]): readonly Parameter[] {
  return parameters.toSorted(({ name: a }, { name: b }) => (a < b ? -1 : a > b ? 1 : 0));
}

/** The parameters as a query, without the question mark. */
export function queryOf(parameters: readonly Parameter[]): string {
  return parameters.map(({ text }) => text).join('&');
}

/** The value of a parameter, as it is written. */
export function writtenValue({ name, text }: Parameter): string {
  return text.slice(name.length + 1);
}

/** Whether some framework could take the parameter for one that has this name. */
export function resembles({ name }: Parameter, own: string): boolean {
  const [base = ''] = pathOfName(name) ?? [own];
  // Some frameworks drop bytes that are not text.
  return base.replace(/[^\x21-\x7e]/g, '') === own.toLowerCase();
}

type NamePath = readonly string[];

/** Whether the order of parameters with different names has no meaning in any framework. */
function isOrderFree(paths: readonly NamePath[]): boolean {
  /** How many names each place belongs to, such as `a` of `a[b][c]`. */
  const uses = new Map<string, number>();
  const placesOf = (path: NamePath) => path.map((_, index) => path.slice(0, index + 1).join('['));
  for (const place of paths.flatMap(placesOf)) uses.set(place, (uses.get(place) ?? 0) + 1);
  return paths.every((path) => {
    const places = placesOf(path);
    const end = path.indexOf('', 1);
    // A value, or a list that grows at its end: no other name may have anything to do with it.
    return [places.at(-1), ...(end < 0 ? [] : [places[end - 1]])].every(
      (place = '') => uses.get(place) === 1,
    );
  });
}

/** More rounds than any chain of servers decodes. */
const maxRounds = 8;

/**
 * A name as frameworks understand it: `a[b][]` is the path a, b and the end of a list. PHP reads dots and spaces as
 * underscores; other frameworks ignore letter case. Undefined for a name that frameworks would have to guess.
 */
function pathOfName(name: string): NamePath | undefined {
  let decoded = name.replaceAll('+', ' ');
  for (let round = 0; /%[0-9a-f]{2}/i.test(decoded); round++) {
    if (round === maxRounds) return undefined;
    decoded = decoded.replace(/%([0-9a-f]{2})/gi, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    );
  }
  const [, base, inner = ''] =
    /^([^[\]]+)((?:\[[^[\]]*\]){0,8})$/.exec(decoded.toLowerCase().trimStart()) ?? [];
  if (base === undefined || /\p{Cc}/u.test(decoded.replace(/[\x80-\xff]/g, ''))) return undefined;
  return [
    base.replace(/[ .+]/g, '_'),
    ...inner
      .split(/\]?\[/)
      .slice(1)
      .map((part) => part.replace(']', '')),
  ];
}
