/**
 * The components of a request that a signature can cover (RFC 9421 §2), and the signature base (§2.5). Supports requests,
 * so not `@status`, and of the component parameters only `name`.
 */

import { type Item, parseItem, serializeItem } from 'structured-headers';
import { fieldValues, type HttpMessage, headerNamePattern } from '../http-request.ts';

/** A covered component. */
export interface Component {
  readonly name: string;
  /** The decoded name of the query parameter that `@query-param` covers (RFC 9421 §2.2.8). */
  readonly parameter?: string;
  /** The component identifier of the signature base: the name in quotes, with its parameters. */
  readonly identifier: string;
}

const derived: ReadonlyMap<string, (message: HttpMessage) => string> = new Map([
  ['@method', ({ method }) => method],
  ['@target-uri', (message) => `${message.scheme}://${message.authority}${requestTarget(message)}`],
  ['@authority', ({ authority }) => authority],
  ['@scheme', ({ scheme }) => scheme],
  ['@request-target', requestTarget],
  ['@path', ({ path }) => path],
  ['@query', ({ query }) => `?${query ?? ''}`],
]);

/** These fields change when a signature is added, so no signature can cover them. */
const ofSignatures: ReadonlySet<string> = new Set(['signature', 'signature-input']);

/** Components that contain others: a signature that covers the first one also covers those in its list. */
const contained: ReadonlyMap<string, readonly string[]> = new Map([
  ['@target-uri', ['@scheme', '@authority', '@path', '@query']],
  ['@request-target', ['@path', '@query']],
]);

/** Parses components as configurations write them: `@method`, `content-type`, `@query-param;name="id"`. */
export function parseComponents(texts: readonly string[]): readonly Component[] | undefined {
  try {
    const items = texts.map((text) => {
      const [, name, parameters] = /^([^;]*)(.*)$/.exec(text) ?? [];
      return parseItem(`"${name}"${parameters}`);
    });
    const components = toComponents(items);
    return typeof components === 'string' ? undefined : components;
  } catch {
    return undefined;
  }
}

/** Why components cannot be used: this format does not support one of them, or RFC 9421 §2 does not allow them. */
type Unusable = 'unsupported' | 'malformed';

export function toComponents(items: readonly Item[]): readonly Component[] | Unusable {
  const components: Component[] = [];
  for (const item of items) {
    const component = toComponent(item);
    if (typeof component === 'string') return component;
    components.push(component);
  }
  const identifiers = new Set(components.map(({ identifier }) => identifier));
  return identifiers.size === components.length ? components : 'malformed';
}

function toComponent([name, parameters]: Item): Component | Unusable {
  if (typeof name !== 'string' || name === '@signature-params') return 'malformed';
  const isDerived = /^@[a-z-]+$/.test(name);
  if (!isDerived && !headerNamePattern.test(name)) return 'malformed';
  const identifier = serializeItem([name, parameters]);
  if (name === '@query-param' && parameters.has('name')) {
    if (parameters.size > 1) return 'unsupported';
    const parameter = decodeFormText(parameters.get('name'));
    return parameter === undefined ? 'malformed' : { name, parameter, identifier };
  }
  if (name === '@query-param') return 'malformed';
  if (parameters.size > 0 || ofSignatures.has(name)) return 'unsupported';
  return isDerived && !derived.has(name) ? 'unsupported' : { name, identifier };
}

export function covers(covered: readonly Component[], wanted: Component): boolean {
  return covered.some(
    ({ identifier, name }) => identifier === wanted.identifier || contained.get(name)?.includes(wanted.name),
  );
}

/**
 * Builds the string that is signed (RFC 9421 §2.5), or returns the first component that the request does not have.
 * @param signatureParameters the value of `@signature-params`
 */
export function signatureBase(
  components: readonly Component[],
  message: HttpMessage,
  signatureParameters: string,
):
  | { readonly base: string; readonly missing?: never }
  | { readonly base?: never; readonly missing: Component } {
  let parameters: URLSearchParams | undefined;
  const parameterValues = (name: string) => {
    parameters ??= new URLSearchParams(`?${message.query ?? ''}`);
    return parameters.getAll(name);
  };
  let base = '';
  for (const component of components) {
    const { name, parameter, identifier } = component;
    const value = parameter === undefined ? valueIn(message, name) : onlyValue(parameterValues(parameter));
    if (value === undefined) return { missing: component };
    base += `${identifier}: ${value}\n`;
  }
  return { base: `${base}"@signature-params": ${signatureParameters}` };
}

function valueIn(message: HttpMessage, name: string): string | undefined {
  const derive = derived.get(name);
  return derive === undefined ? fieldValues(message, name)?.join(', ') : derive(message);
}

/** The parameter must appear exactly once (RFC 9421 §2.2.8). Invalid UTF-8 is refused: it all decodes to U+FFFD. */
function onlyValue([value, ...others]: readonly string[]): string | undefined {
  const ambiguous = value === undefined || others.length > 0 || value.includes('\ufffd');
  return ambiguous ? undefined : encodeFormText(value);
}

/** Encodes as application/x-www-form-urlencoded, but writes a space as %20 (RFC 9421 §2.2.8). */
function encodeFormText(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1).replaceAll('+', '%20');
}

/** Undefined for what `encodeFormText` would not have written. */
function decodeFormText(text: unknown): string | undefined {
  if (typeof text !== 'string' || !/^(?:[A-Za-z0-9*._-]|%[0-9A-F]{2})*$/.test(text)) return undefined;
  const [[decoded = ''] = []] = new URLSearchParams(`${text}=`);
  return encodeFormText(decoded) === text ? decoded : undefined;
}

function requestTarget({ path, query }: HttpMessage): string {
  return query === undefined ? path : `${path}?${query}`;
}
