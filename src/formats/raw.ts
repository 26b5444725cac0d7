/**
 * The format `raw`: the HMAC of exactly the caller's bytes, as text. It signs anything, so a key set of this format must
 * not share its key with another one.
 */

import * as z from 'zod/mini';
import { SignerError } from '../api/errors.ts';
import { signatureHeader } from '../api/message-headers.ts';
import type {
  BytesEncoding,
  RawSignature,
  RawSignRequest,
  RawVerifyRequest,
  Verification,
} from '../api/messages.ts';
import { parse } from '../api/schema.ts';
import { bytesEncodings, decodeExactly } from '../bytes/encoding.ts';
import { feed, type MessageSink, type SigningContext } from '../signing/format.ts';
import { currentAlgorithms, tagBytes } from '../signing/mac.ts';
import { invalid, verifyTag } from '../signing/verify-tag.ts';
import { text, verification } from './answers.ts';
import { defineFormat } from './definition.ts';
import { messageEncoding, messageOf } from './message.ts';

const output = z.optional(z.enum(bytesEncodings));
const fields = { message: text, encoding: messageEncoding, output };
const sign: z.ZodMiniType<RawSignRequest> = z.strictObject(fields);
const verify: z.ZodMiniType<RawVerifyRequest> = z.strictObject({ ...fields, signature: text });

export const raw = defineFormat({
  name: 'raw',
  fields: { output },
  requests: { sign, verify },
  answers: {
    signature: z.object({ signature: text, keyId: text, algorithm: z.enum(currentAlgorithms) }),
    verification,
  },
  create: ({ output: defaultOutput = 'hex' }) => ({
    options: { output: defaultOutput },
    algorithms: currentAlgorithms,
    sign: (context, request) => {
      const { message, encoding, output = defaultOutput } = parse(sign, request);
      return feed(context, startSigning(context, output), messageOf('message', message, encoding));
    },
    verify: (context, request) => {
      const { message, encoding, signature, output = defaultOutput } = parse(verify, request);
      return feed(
        context,
        startVerification(context, signature, output),
        messageOf('message', message, encoding),
      );
    },
    startSigning: (context) => startSigning(context, defaultOutput),
    startVerification: (context, header) =>
      startVerification(context, signatureOf(header(signatureHeader)), defaultOutput),
    verificationHeaders: [signatureHeader],
  }),
});

function signatureOf(header: string | undefined): string {
  if (header !== undefined) return header;
  throw new SignerError(
    'malformed_request',
    'the header "Sec-Signer-Signature" must hold the signature to verify',
  );
}

function startSigning(
  { keys: [{ id, mac }], notes }: SigningContext,
  output: BytesEncoding,
): MessageSink<RawSignature> {
  const stream = mac.start();
  return {
    update: (part) => {
      stream.update(part);
    },
    finish: () => {
      const signature = stream.digest(output);
      if (notes) notes.signature = signature;
      return { signature, keyId: id, algorithm: mac.algorithm };
    },
  };
}

function startVerification(
  context: SigningContext,
  signature: string,
  output: BytesEncoding,
): MessageSink<Verification> {
  const keys = context.keys.map((key) => ({ ...key, stream: key.mac.start() }));
  return {
    update: (part) => {
      for (const { stream } of keys) stream.update(part);
    },
    finish: () => {
      const tag = decodeExactly(signature, output);
      if (tag === undefined || keys.every(({ mac }) => tagBytes(mac.algorithm) !== tag.length)) {
        return invalid('malformed');
      }
      const answer = verifyTag(keys, [tag], ({ stream }) => stream.digest());
      if (context.notes && answer.valid) context.notes.signature = signature;
      return answer;
    },
  };
}
