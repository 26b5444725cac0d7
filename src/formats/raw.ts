/**
 * The format `raw`: the tag over exactly the caller's bytes, as text. It signs whatever it is given, so a key set of
 * this format must not share its key with anything else.
 */

import * as z from 'zod/mini';
import type {
  BytesEncoding,
  RawSignature,
  RawSignRequest,
  RawVerifyRequest,
  Verification,
} from '../api/messages.ts';
import { parse } from '../api/schema.ts';
import { bytesEncodings, decodeExactly, encode } from '../bytes/encoding.ts';
import { type MessageSink, type SigningContext, verification, whole } from '../signing/format.ts';
import { algorithmNames, indexOfTag } from '../signing/mac.ts';
import { defineFormat } from './definition.ts';
import { messageBytes, messageEncoding } from './message.ts';

const output = z.optional(z.enum(bytesEncodings));
const fields = { message: z.string(), encoding: messageEncoding, output };
const signRequest: z.ZodMiniType<RawSignRequest> = z.strictObject(fields);
const verifyRequest: z.ZodMiniType<RawVerifyRequest> = z.strictObject({ ...fields, signature: z.string() });
const requests = { sign: signRequest, verify: verifyRequest };

export const raw = defineFormat('raw', { output }, requests, ({ output: usual = 'hex' }) => ({
  name: 'raw',
  options: { output: usual },
  algorithms: algorithmNames,
  minKeyBytes: () => 0,
  sign: (context, request) => {
    const { message, encoding, output = usual } = parse(signRequest, request);
    return whole(context, startSigning(context, output), messageBytes('message', message, encoding));
  },
  verify: (context, request) => {
    const { message, encoding, signature, output = usual } = parse(verifyRequest, request);
    return whole(
      context,
      startVerification(context, signature, output),
      messageBytes('message', message, encoding),
    );
  },
  startSigning: (context) => startSigning(context, usual),
  startVerification: (context, signature) => startVerification(context, signature, usual),
}));

function startSigning(
  { keys: [{ id, mac }] }: SigningContext,
  output: BytesEncoding,
): MessageSink<RawSignature> {
  const stream = mac.start();
  return {
    update: (part) => {
      stream.update(part);
    },
    finish: () => ({ signature: encode(stream.digest(), output), keyId: id, algorithm: mac.algorithm }),
  };
}

function startVerification(
  { keys }: SigningContext,
  signature: string,
  output: BytesEncoding,
): MessageSink<Verification> {
  const streams = keys.map(({ mac }) => mac.start());
  return {
    update: (part) => {
      for (const stream of streams) stream.update(part);
    },
    finish: () => {
      const tags = streams.map((stream) => stream.digest());
      const given = decodeExactly(signature, output);
      if (given === undefined || tags.every((tag) => tag.length !== given.length)) {
        return { valid: false, reason: 'malformed' };
      }
      return verification(keys, indexOfTag(tags, given));
    },
  };
}
