/** Writes a diagnosis for people: the verdict, what explains it, what was noticed, and what was ruled out. */

import { styleText } from 'node:util';
import { escapeControls } from '../../bytes/text.ts';
import type { Diagnosis } from './diagnose.ts';

const reasons: Readonly<Record<NonNullable<Diagnosis['reason']>, string>> = {
  missing: 'the request does not have each header that the format needs',
  malformed: 'a header that carries the signature is not written as the format has it',
  unsupported: 'the headers are those of another version of the scheme',
  mismatch: 'no key of this key set makes this signature for this request',
  expired: 'the signature matches, but its time is too old',
  not_yet_valid: 'the signature matches, but its time lies in the future',
  not_allowed: 'the signature matches, but the policy of the key set does not allow it',
  not_loaded: 'the key set cannot be loaded, so the signer verifies nothing with it',
  refused: 'the signer refuses to verify this request',
};

/** What to look at if nothing explains the signature, the most likely first. */
function checklist({ covers, format }: Diagnosis): readonly string[] {
  return [
    'Another secret: that of another endpoint, of test mode or of another account, or one that was rotated. Copy it again from the sender.',
    'Another body: save the bytes as the server receives them, before any parser, proxy or logger, and try again with that file.',
    ...(covers.url
      ? ['Another URL: give with --url exactly the one that is registered with the sender.']
      : []),
    ...(covers.time
      ? ['A time or an id from another request: all headers have to come from the same one.']
      : []),
    `Another scheme: compare the documentation of the sender with that of the format ${format}.`,
    'A request that does not come from the sender at all.',
  ];
}

export function formatDiagnosis(diagnosis: Diagnosis): string {
  return [...linesOf(diagnosis)].join('\n');
}

function* linesOf(diagnosis: Diagnosis): Generator<string> {
  const { valid, keySet, keyId, primary, reason, problems, notes, matches, clock } = diagnosis;
  if (valid) {
    const key = primary ? `the primary key ${keyId}` : `the key ${keyId}, which is not the primary`;
    yield `${styleText('green', '✓')} ${shown(`Valid, by ${key} of "${keySet}".`)}`;
  } else {
    const why = reason === undefined ? '' : `: ${reasons[reason]} (${reason})`;
    yield `${styleText('red', '✗')} ${shown(`Not valid for "${keySet}"${why}.`)}`;
  }
  for (const problem of problems) yield `  ${shown(problem)}`;
  if (!valid) {
    yield '';
    if (matches) yield* explanation(diagnosis);
    else yield* unexplained(diagnosis);
    if (clock !== undefined) yield shown(clock.text);
  }
  if (notes.length > 0) yield '';
  for (const note of notes) yield `${styleText('yellow', '!')} ${shown(note)}`;
  if (!valid) yield* tried(diagnosis);
}

function* explanation({ differences, clock }: Diagnosis): Generator<string> {
  if (differences.length > 0) {
    yield shown(`The signature matches if ${differences.map(({ when }) => when).join(', and if ')}.`);
    for (const remedy of new Set(differences.map((each) => each.remedy))) yield `  ${shown(remedy)}`;
  } else if (clock === undefined) {
    yield 'The signature itself matches the key in the file, read as the key set declares it.';
  }
}

function* unexplained(diagnosis: Diagnosis): Generator<string> {
  yield 'No difference that this command knows makes the signature match. Check, the most likely first:';
  for (const [index, advice] of checklist(diagnosis).entries()) yield shown(`  ${index + 1}. ${advice}`);
}

function* tried({ tried: counts, matches }: Diagnosis): Generator<string> {
  if (counts === undefined || matches) return;
  const { keys, bodies, messages, pairs, isBounded } = counts;
  yield '';
  yield 'Ruled out:';
  yield `  ${counted(keys, 'reading')} of the secret: text, hex, base64, whsec, with and without what can stand around it`;
  yield `  ${counted(messages, 'reading')} of the headers, the URL and the signed string, other known formats among them`;
  yield `  ${counted(bodies, 'form')} of the body: JSON written anew, newlines, character sets, forms`;
  yield `  ${counted(pairs, 'pair')} of these${isBounded ? '; not all pairs, because the body is long' : ''}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Names and templates come from outside. */
function shown(text: string): string {
  return escapeControls(text);
}
