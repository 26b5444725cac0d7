/** The format `slack` by the published vector. */

import { describe, expect, it } from 'vitest';
import { at, inUse } from '../support/format.ts';
import { readVectors } from '../support/vectors.ts';

interface Vector {
  readonly name: string;
  readonly secret: string;
  readonly timestamp: number;
  readonly body: string;
  readonly signature: string;
}

describe.each(readVectors<Vector>('slack'))('$name', ({ secret, timestamp, body, signature }) => {
  const slack = inUse('slack', {}, { secrets: [secret], now: at(timestamp) });
  const headers = { 'X-Slack-Request-Timestamp': `${timestamp}`, 'X-Slack-Signature': signature };

  it('signs as published', () => {
    expect(slack.sign({ body }).headers).toEqual(headers);
  });

  it('verifies what is published', () => {
    expect(slack.verify({ body, headers })).toMatchObject({ valid: true });
  });

  it.each([
    ['without a version', signature.replace('v0=', '')],
    ['of another version', signature.replace('v0', 'v1')],
    ['with a space behind the version', signature.replace('=', '= ')],
  ])('refuses a signature %s', (_, value) => {
    expect(slack.verify({ body, headers: { ...headers, 'X-Slack-Signature': value } })).toEqual({
      valid: false,
      reason: 'malformed',
    });
  });

  it('lets no time run into the body', () => {
    // The same bytes are signed, cut in two places.
    const cut = slack.verify({
      body: body.slice(1),
      headers: { ...headers, 'X-Slack-Request-Timestamp': `${timestamp}:${body[0]}` },
    });
    expect(cut).toEqual({ valid: false, reason: 'malformed' });
  });
});
