/** Turns a compiled scheme into a format. */

import { cannotBePassedOn } from '../../api/foreign-headers.ts';
import { targetHeaders } from '../../api/message-headers.ts';
import type { HttpHeaders, WebhookSignRequest, WebhookVerifyRequest } from '../../api/messages.ts';
import { parse } from '../../api/schema.ts';
import { type Format, feed, type HeaderLookup, type SigningContext } from '../../signing/format.ts';
import { valuesByName } from '../headers.ts';
import { messageOf } from '../message.ts';
import { answerChallenge } from './challenge.ts';
import { startSigning, startVerification } from './engine.ts';
import { requestsOf, type Told, toldByHeaders } from './request.ts';
import type { Scheme } from './scheme.ts';
import type { Time } from './time.ts';

/** @param options as `GET /v1/keys` shows them */
export function createFormat(scheme: Scheme, options: object): Omit<Format, 'name'> {
  const { sign, verify } = requestsOf(scheme);
  const { challenge, carriers, warnings, signedHeaders } = scheme;
  // An HTTP request to the signer has headers of these names for itself, so only JSON can hold those of the message.
  const isJsonOnly = signedHeaders.some(cannotBePassedOn);
  return {
    options,
    algorithms: [scheme.algorithm],
    warnings: [...warnings, ...(scheme.time ? ageWarnings(scheme.time) : [])],
    sign: (context, request) => {
      const parsed = parse(sign, request) as SignRequest;
      const signing = startSigning(scheme, context, toldBy(parsed, parsed.headers ?? {}));
      return feed(context, signing, messageOf('body', parsed.body, parsed.encoding));
    },
    verify: (context, request) => {
      const parsed: VerifyRequest = parse(verify, request);
      const message = messageOf('body', parsed.body, parsed.encoding);
      return feed(context, startVerification(scheme, context, toldBy(parsed, parsed.headers)), message);
    },
    ...(!isJsonOnly && {
      startSigning: (context: SigningContext, header: HeaderLookup) => {
        const id = scheme.sends.has('id') ? header(targetHeaders.id) : undefined;
        return startSigning(scheme, context, { ...toldByHeaders(scheme, header), id });
      },
      startVerification: (context: SigningContext, header: HeaderLookup) =>
        startVerification(scheme, context, toldByHeaders(scheme, header)),
    }),
    verificationHeaders: carriers.flatMap(({ reads, aliases }) => [...reads, ...aliases]),
    ...(challenge && {
      challenge: (context: SigningContext, request: unknown) => answerChallenge(challenge, context, request),
    }),
  };
}

function ageWarnings({ tolerance }: Time): readonly string[] {
  return [
    ...(tolerance.toleranceSeconds === 'none' ? ['accepts signatures of any age'] : []),
    ...(tolerance.futureToleranceSeconds === 'none' ? ['accepts signatures of any time in the future'] : []),
  ];
}

/** The schema of the scheme decides whether there are headers. */
type SignRequest = WebhookSignRequest & Omit<Told, 'header'> & { readonly headers?: HttpHeaders };
type VerifyRequest = WebhookVerifyRequest & Omit<Told, 'header'>;

function toldBy({ url, method, path, query, host, id }: Omit<Told, 'header'>, headers: HttpHeaders): Told {
  return { url, method, path, query, host, id, header: lookup(headers) };
}

/**
 * Joins a repeated header by commas (RFC 9110 §5.3).
 * @returns a function that throws a {@link SignerError}: `malformed_request`, `message_too_large`
 */
function lookup(headers: HttpHeaders): HeaderLookup {
  let byName: ReadonlyMap<string, readonly string[]> | undefined;
  return (name) => {
    byName ??= valuesByName(headers);
    const values = byName.get(name);
    return values?.length === 1 ? values[0] : values?.join(', ');
  };
}
