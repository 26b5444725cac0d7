/** The parameters of the paths in the OpenAPI document: a part of the path, and headers. */

import { targetHeaders } from '../api/message-headers.ts';
import { keySetNamePattern } from '../key-sets/settings.ts';

export const parameters = {
  name: {
    name: 'name',
    in: 'path',
    required: true,
    description: 'The name of a key set. Its format decides what a request and an answer look like.',
    schema: { type: 'string', pattern: keySetNamePattern.source },
  },
  guard: {
    name: 'Sec-Signer',
    in: 'header',
    required: true,
    description: 'A header that neither a web page nor a redirect can add.',
    schema: { const: '1' },
  },
  signature: {
    name: 'Sec-Signer-Signature',
    in: 'header',
    description: 'The signature, where the body is the message itself.',
    schema: { type: 'string' },
  },
};

/** The parts of a webhook's HTTP request that its scheme signs, where the body is the message itself. */
export const targets: readonly object[] = Object.entries(targetHeaders).map(([member, name]) => ({
  name,
  in: 'header',
  description: `The field "${member}" of the request, for webhook formats whose body is the message itself.`,
  schema: { type: 'string' },
}));
