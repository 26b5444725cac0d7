/** All ways to read the headers, the URL and the signed string of a request, the literal one first. */

import type { Scheme } from '../../formats/webhook/scheme.ts';
import { type Carried, readCarried } from './carried.ts';
import { otherTimes } from './clock.ts';
import type { Difference } from './difference.ts';
import type { ReceivedRequest } from './request.ts';
import { type Candidate, otherProviders, otherTemplates } from './schemes.ts';
import type { Message } from './search.ts';
import { type Target, targetsOf } from './targets.ts';

export function messagesOf(own: Candidate, format: string, request: ReceivedRequest): readonly Message[] {
  return [
    ...readings(own, request),
    ...otherProviders(own, format, request).flatMap((each) => readings(each, request).slice(0, 1)),
    ...otherTemplates(own, format).flatMap((each) => readings(each, request).slice(0, 1)),
  ];
}

function readings({ scheme, differences }: Candidate, request: ReceivedRequest): readonly Message[] {
  const carried = readCarried(scheme, request).filter(({ values }) =>
    [...scheme.proven].every((variable) => values[variable] !== undefined),
  );
  const targets = targetsOf(scheme, request);
  const message = (headers: Carried, target: Target, more: readonly Difference[] = []): Message => ({
    scheme,
    values: { ...target.values, ...headers.values },
    tags: headers.tags,
    differences: [...differences, ...headers.differences, ...target.differences, ...more],
  });
  const [literal] = carried;
  const [asked, ...others] = targets;
  if (literal === undefined || asked === undefined) return [];
  return [
    ...carried.map((each) => message(each, asked)),
    ...others.map((each) => message(literal, each)),
    ...times(scheme, literal).map(({ carried: each, difference }) => message(each, asked, [difference])),
  ];
}

/** A sender may sign the time as another text than it sends. */
function times(scheme: Scheme, literal: Carried): readonly { carried: Carried; difference: Difference }[] {
  const { timestamp } = literal.values;
  if (timestamp === undefined || !scheme.proven.has('timestamp')) return [];
  return otherTimes(timestamp, scheme.notation.timestamp).map((text) => ({
    carried: { ...literal, values: { ...literal.values, timestamp: text } },
    difference: {
      code: 'time-text',
      when: 'the time that is signed is written in another unit than in the header',
      remedy:
        'The sender signs another text of the time than it sends; it has to send the text that it signs.',
    },
  }));
}
