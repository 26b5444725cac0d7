/** Compiles a webhook scheme: checks every rule that makes its signatures mean something, and reports each that is broken. */

import type { Provider } from '../../api/webhook-scheme.ts';
import { type Algorithm, tagBytes } from '../../signing/mac.ts';
import type { OptionProblem } from '../definition.ts';
import { type Carrier, compileCarriers, signedHeaders } from './carriers.ts';
import { compileChallenge } from './challenge.ts';
import { headerParts, sizeProblem } from './header-value.ts';
import { matcherOf } from './language.ts';
import { pointerProblem } from './pointer.ts';
import type { Scheme } from './scheme.ts';
import { passesSelfTest } from './self-test.ts';
import { ambiguityOf, parseSigned, type SignedTemplate } from './signed.ts';
import { variablesOf } from './template.ts';
import { toTolerance } from './time.ts';
import { endsOf, has, languageOf, type Notation, requestVariables, sentVariables } from './variables.ts';

/** More than a rotation needs. */
const maxInList = 16;

/** A scheme of which the templates could be read. */
interface Draft {
  readonly scheme: Omit<Provider, 'source'>;
  readonly signed: SignedTemplate;
  readonly notation: Notation;
  readonly carriers: readonly Carrier[];
}

type Problems = Generator<OptionProblem, void>;

/** @param isBuiltIn whether the scheme is a provider's, which the signer knows by name */
export function compileScheme(
  scheme: Omit<Provider, 'source'>,
  algorithm: Algorithm,
  isBuiltIn: boolean,
): Scheme | readonly OptionProblem[] {
  const { output = 'hex', timestamp = 'seconds', bodyTimestamp, signWith, urlPort, decodedInUrl } = scheme;
  const tooMuch = sizeProblem(scheme);
  if (tooMuch !== undefined) return [about('headers', tooMuch)];
  const signed = parseSigned(scheme);
  const parts = 'message' in signed ? [] : signed.parts;
  const ends = endsOf([{ parts, separator: '' }, ...headerParts(scheme)]);
  const notation: Notation = { timestamp, output, tagBytes: tagBytes(algorithm), ends };
  const problems: OptionProblem[] = [];
  const carriers = compileCarriers(scheme, parts, notation, problems);
  if ('message' in signed) return [signed, ...problems];
  const draft: Draft = { scheme, signed, notation, carriers };
  problems.push(...signatureProblems(draft), ...sentProblems(draft), ...timeProblems(draft));
  const ambiguity = problems.length === 0 ? ambiguityOf(signed, notation) : undefined;
  if (ambiguity !== undefined && !scheme.ambiguous) {
    problems.push(
      about(
        'signed',
        `can be read in two ways: ${ambiguity}. Put fixed text between the variables that no value can hold, or accept it with "ambiguous: true"`,
      ),
    );
  }
  const challenge =
    scheme.challenge && compileChallenge(scheme.challenge, { signed, notation, isBuiltIn }, problems);
  if (problems.length > 0) return problems;

  const sends = new Set(sentVariables.filter((variable) => carry(draft, variable).length > 0));
  const variables = variablesOf(parts);
  const isTimed = has(parts, 'timestamp') || bodyTimestamp !== undefined;
  const tolerance = toTolerance(scheme);
  const [signatures] = carry(draft, 'signature');
  const compiled: Scheme = {
    algorithm,
    output,
    signed,
    notation,
    carriers,
    hasAliases: carriers.some(({ aliases }) => aliases.length > 0),
    sends,
    proven: new Set(sentVariables.filter((variable) => sends.has(variable) && has(parts, variable))),
    ownId: matcherOf(languageOf('id', notation)),
    ownKeyId: carry(draft, 'keyId').length > 0 ? matcherOf(languageOf('keyId', notation)) : undefined,
    members: new Set(requestVariables.filter((each) => variables.includes(each))),
    signedHeaders: signedHeaders(parts),
    time: isTimed ? { unit: timestamp, pointer: bodyTimestamp, tolerance } : undefined,
    readsBody: signed.isForm || bodyTimestamp !== undefined,
    signsWithAll: signWith === 'all',
    maxSignatures: signatures?.isNumbered ? signatures.names.length : maxInList,
    challenge,
    urlPort,
    decodedInUrl: decodedInUrl ?? '',
    warnings: [
      ...(ambiguity === undefined
        ? []
        : [`signs bytes that can be read in two ways, so an attacker can shift them: ${ambiguity}`]),
      ...(algorithm === 'HMAC-SHA1' ? ['uses HMAC-SHA1, an old hash'] : []),
      ...(challenge?.collidesWithMessage
        ? ['answers a challenge with the signature of a message that is the token alone']
        : []),
    ],
  };
  return passesSelfTest(compiled) ? compiled : [about('signed', 'failed its self-test')];
}

/** A header holds the signature, and only there can there be several. */
function* signatureProblems(draft: Draft): Problems {
  const { names, signWith } = draft.scheme;
  const [signatures, another] = carry(draft, 'signature');
  if (signatures === undefined) yield about('headers', 'must hold {signature} in one of the values');
  if (another !== undefined) {
    yield about('headers', 'hold {signature} in two values; use it in one, perhaps with {n} in the name');
  }
  if (signWith === 'all' && signatures && !signatures.isList && !signatures.isNumbered) {
    yield about('signWith', 'can be "all" only if {signature} stands in a list, or in a header with {n}');
  }
  const numbered = draft.carriers.filter(({ isNumbered }) => isNumbered);
  for (const { variables } of numbered) {
    if ([...variables].some((each) => each !== 'signature' && each !== 'keyId')) {
      yield about('headers', 'with {n} in their name hold {signature} and {keyId} alone');
    }
  }
  if (names === undefined) return;
  if (numbered.length === 0) yield about('names', 'is only for a header with {n} in its name');
  if (new Set(names.map((name) => name.toLowerCase())).size < names.length) {
    yield about('names', 'must differ from each other; letter case makes no difference');
  }
}

const flags = { timestamp: 'unsignedTimestamp', id: 'unsignedId', nonce: 'unsignedNonce' } as const;

/** What is signed is sent, and what is sent is signed: otherwise a receiver cannot verify it, or must not rely on it. */
function* sentProblems(draft: Draft): Problems {
  for (const variable of sentVariables) {
    const { [flags[variable]]: isUnsigned } = draft.scheme;
    const [sent, another] = carry(draft, variable);
    const isSigned = has(draft.signed.parts, variable);
    if (another !== undefined) yield about('headers', `hold {${variable}} in two values; use it in one`);
    if (isSigned && sent === undefined) {
      yield about('signed', `holds {${variable}}, which no header carries, so no receiver could verify it`);
    }
    if (sent !== undefined && !isSigned && !isUnsigned) {
      yield about(
        'headers',
        `hold {${variable}}, which is not signed, so anybody could change it; add it to "signed", or set "${flags[variable]}: true"`,
      );
    }
    if (isUnsigned && (isSigned || sent === undefined)) {
      yield about(flags[variable], `is only for a {${variable}} that a header carries and "signed" does not`);
    }
  }
}

/** A time stands in one place, and options that need one are not there without. */
function* timeProblems(draft: Draft): Problems {
  const { scheme, signed } = draft;
  const { bodyTimestamp } = scheme;
  const isSigned = has(signed.parts, 'timestamp');
  if (bodyTimestamp !== undefined) {
    const problem = signed.isForm
      ? 'must not be given with {form}, because a form is no JSON'
      : pointerProblem(bodyTimestamp);
    if (isSigned) yield about('bodyTimestamp', 'must not be given if "signed" holds {timestamp}');
    else if (problem !== undefined) yield about('bodyTimestamp', problem);
  }
  if (isSigned || bodyTimestamp !== undefined) return;
  for (const field of ['timestamp', 'toleranceSeconds', 'futureToleranceSeconds'] as const) {
    const isWritten = field === 'timestamp' && carry(draft, 'timestamp').length > 0;
    if (scheme[field] !== undefined && !isWritten) {
      yield about(field, 'is only for a scheme with {timestamp} in "signed", or with "bodyTimestamp"');
    }
  }
}

/** The headers that carry a variable. */
function carry({ carriers }: Draft, variable: string): readonly Carrier[] {
  return carriers.filter(({ variables }) => variables.has(variable));
}

function about(field: keyof Provider, message: string): OptionProblem {
  return { path: [field], message };
}
