/** The parameters of the paths in the OpenAPI document: a part of the path, and headers. */

import { targetHeaders } from '../api/message-headers.ts';
import { keySetNamePattern } from '../key-sets/settings.ts';
import { ref, type Schema } from './openapi-schemas.ts';

/** A part of a webhook's HTTP request that its scheme signs, where the body is the message itself. */
type Target = keyof typeof targetHeaders;

export const parameters: Readonly<Record<string, object>> = {
  name: {
    name: 'name',
    in: 'path',
    required: true,
    description: 'The name of a key set. Its format decides what a request and an answer look like.',
    schema: { type: 'string', pattern: keySetNamePattern.source },
    example: 'orders',
  },
  guard: {
    name: 'Sec-Signer',
    in: 'header',
    required: true,
    description: 'A header that neither a web page nor a redirect can add.',
    schema: { type: 'string', const: '1' },
    example: '1',
  },
  signature: {
    name: 'Sec-Signer-Signature',
    in: 'header',
    description: 'The signature, where the body is the message itself.',
    schema: { type: 'string' },
    example: '7bb0d5a5a33da9a75a7df1d8cf8c20fa0c8cd9bfa1fcbd0ab5ce7f4a53a0ec21',
  },
  url: target('url', 'https://shop.example/hooks'),
  method: target('method', 'POST'),
  id: target('id', 'msg_7'),
};

function target(member: Target, example: string): object {
  return {
    name: targetHeaders[member],
    in: 'header',
    description: `The field "${member}" of the request, for webhook formats whose body is the message itself.`,
    schema: { type: 'string' },
    example,
  };
}

export const targets: Readonly<Record<Target, Schema>> = {
  url: ref('parameters', 'url'),
  method: ref('parameters', 'method'),
  id: ref('parameters', 'id'),
};
