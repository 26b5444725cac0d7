/** The format `github` by the published vectors. */

import { describe, expect, it } from 'vitest';
import { inUse } from '../support/format.ts';
import { readVectors } from '../support/vectors.ts';

interface Vector {
  readonly name: string;
  readonly secret: string;
  readonly body: string;
  readonly signature: string;
}

describe.each(readVectors<Vector>('github'))('$name', ({ secret, body, signature }) => {
  const github = inUse('github', {}, { secrets: [secret] });

  it('signs as published', () => {
    expect(github.sign({ body }).headers).toEqual({ 'X-Hub-Signature-256': signature });
  });

  it('verifies what is published', () => {
    const headers = { 'x-hub-signature-256': signature };
    expect(github.verify({ body, headers })).toMatchObject({ valid: true });
    expect(github.verify({ body: `${body}\n`, headers })).toEqual({ valid: false, reason: 'mismatch' });
  });

  it.each([
    ['without its label', signature.replace('sha256=', '')],
    ['by its label in another case', signature.replace('sha256', 'SHA256')],
    ['with the label of SHA-1', signature.replace('sha256', 'sha1')],
    ['with a space behind its label', signature.replace('=', '= ')],
    ['with a semicolon behind it', `${signature};`],
  ])('refuses the signature %s', (_, value) => {
    expect(github.verify({ body, headers: { 'x-hub-signature-256': value } })).toEqual({
      valid: false,
      reason: 'malformed',
    });
  });
});
