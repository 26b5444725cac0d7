/**
 * Challenges: a provider sends a token before it sends any message, and wants its HMAC as proof of the secret. The token
 * comes from outside, so no token may be a message of the scheme.
 */

import * as z from 'zod/mini';
import { malformedField } from '../../api/errors.ts';
import type { BytesEncoding, ChallengeAnswer, ChallengeRequest } from '../../api/messages.ts';
import { parse } from '../../api/schema.ts';
import type { ChallengeScheme } from '../../api/webhook-scheme.ts';
import { encode } from '../../bytes/encoding.ts';
import type { SigningContext } from '../../signing/format.ts';
import { tagOf } from '../../signing/mac.ts';
import type { OptionProblem } from '../definition.ts';
import { commonWord, createAutomaton } from './automaton.ts';
import { fixed, type Language, matcherOf } from './language.ts';
import type { SignedTemplate } from './signed.ts';
import { type Part, parseTemplate, variablesOf, write } from './template.ts';
import { readPattern } from './token-pattern.ts';
import { languagesOf, type Notation } from './variables.ts';

export interface Challenge {
  readonly signed: readonly Part[];
  readonly response: readonly Part[];
  readonly output: BytesEncoding;
  readonly token: RegExp;
  /** What a token looks like, as the scheme says it. */
  readonly pattern: string;
  /** Whether a token can be a message of the scheme. */
  readonly collidesWithMessage: boolean;
}

export const challengeRequest: z.ZodMiniType<ChallengeRequest> = z.strictObject({ token: z.string() });
export const challengeAnswer: z.ZodMiniType<ChallengeAnswer> = z.object({ response: z.string() });

const usualPattern = '[A-Za-z0-9_-]{8,128}';

/** The scheme to which a challenge belongs. */
interface Surrounding {
  readonly signed: SignedTemplate;
  readonly notation: Notation;
  readonly isBuiltIn: boolean;
}

/** Adds what is wrong to `problems`. */
export function compileChallenge(
  { signed, response, output = 'hex', pattern = usualPattern }: ChallengeScheme,
  scheme: Surrounding,
  problems: OptionProblem[],
): Challenge | undefined {
  const template = (field: 'signed' | 'response', text: string, variable: string) => {
    const report = (message: string) => problems.push({ path: ['challenge', field], message });
    const parsed = parseTemplate(text, [variable]);
    if ('problem' in parsed) report(parsed.problem);
    else if (variablesOf(parsed.parts).length !== 1) report(`must hold {${variable}} once`);
    else return parsed.parts;
    return undefined;
  };
  const signedParts = template('signed', signed, 'token');
  const responseParts = template('response', response, 'signature');
  const token = readPattern(pattern);
  if (typeof token === 'string') problems.push({ path: ['challenge', 'pattern'], message: token });
  if (signedParts === undefined || responseParts === undefined || typeof token === 'string') return undefined;
  const collision = collisionOf(signedParts, token, scheme);
  // A provider's own scheme cannot be changed.
  if (collision !== undefined && !scheme.isBuiltIn) {
    const example = JSON.stringify(collision);
    problems.push({
      path: ['challenge', 'pattern'],
      message: `accepts tokens whose signature is that of a message, or of its beginning (for example ${example}), so whoever sends a challenge could have a message signed; make the pattern narrower`,
    });
  }
  return {
    signed: signedParts,
    response: responseParts,
    output,
    token: matcherOf(token),
    pattern,
    collidesWithMessage: collision !== undefined,
  };
}

/** A text that is signed for some token, and that is or begins a signed string of the scheme. */
function collisionOf(
  parts: readonly Part[],
  token: Language,
  { signed, notation }: Surrounding,
): string | undefined {
  const challenge = parts.map((part) => ('text' in part ? fixed(part.text) : token));
  return commonWord(createAutomaton(challenge), createAutomaton(languagesOf(signed.parts, notation)), true);
}

/** @throws {SignerError} `malformed_request` */
export function answerChallenge(
  { signed, response, output, token, pattern }: Challenge,
  { keys: [primary], notes }: SigningContext,
  request: unknown,
): ChallengeAnswer {
  const { token: given } = parse(challengeRequest, request);
  if (!token.test(given)) {
    throw malformedField(
      'token',
      `does not match the pattern of this scheme, ${pattern}; give the token exactly as the provider sent it`,
    );
  }
  const tag = tagOf(
    primary.mac,
    write(signed, () => given),
  );
  const signature = encode(tag, output);
  if (notes) Object.assign(notes, { signature, keyId: primary.id, bytes: Buffer.byteLength(given) });
  return { response: write(response, () => signature) };
}
