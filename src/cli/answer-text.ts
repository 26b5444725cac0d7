/** Writes the answers of a signer as text: what somebody at a terminal, or a script, does something with. */

import type { AwsPostForm } from '../api/aws-post.ts';
import type { Formats, Verification } from '../api/messages.ts';
import { escapeControls } from '../bytes/text.ts';
import { CommandFailure } from './failure.ts';

type Signature = Formats[keyof Formats]['signature'];

export function isSignature(answer: object): answer is Signature {
  const fields: { readonly [_ in string]?: unknown } = { ...answer };
  if ('headers' in answer) return isTexts(answer.headers);
  if ('fields' in answer && !isTexts(answer.fields)) return false;
  return ['signature', 'token', 'cookie', 'url'].some((name) => typeof fields[name] === 'string');
}

function isTexts(value: unknown): value is Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((each) => typeof each === 'string');
}

/** @throws {CommandFailure} if a terminal would not show the text, or obey it */
export function formatSignature(answer: Signature): string {
  const lines = linesOf(answer);
  if (lines.every((line) => escapeControls(line) === line)) return lines.join('\n');
  throw new CommandFailure(
    'the signature has control or formatting characters, which text does not show; print it with --json',
  );
}

function linesOf(answer: Signature): readonly string[] {
  if ('headers' in answer) {
    // As `curl -H @-` reads them.
    return Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}`);
  }
  if ('signature' in answer) return [answer.signature];
  if ('token' in answer) return [answer.token];
  if ('cookie' in answer) return [answer.cookie];
  return 'fields' in answer ? formLines(answer) : [answer.url];
}

/** A form as `curl -K -` reads it. */
function formLines({ url, fields }: AwsPostForm): readonly string[] {
  const quote = (text: string) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
  const parts = Object.entries(fields).map(([name, value]) => `form-string = ${quote(`${name}=${value}`)}`);
  return [`url = ${quote(url)}`, ...parts];
}

export function isVerification(answer: object): answer is Verification {
  if (!('valid' in answer)) return false;
  if (answer.valid !== true) return answer.valid === false && 'reason' in answer;
  return 'keyId' in answer && 'primary' in answer;
}

/** What a valid signature proves, and what whoever asks cannot read in the request. */
const proven = ['claims', 'value', 'expiresAt'];

export function formatVerification(answer: Verification): string {
  if (!answer.valid) {
    const { reason, detail } = answer;
    return escapeControls(`not valid: ${reason}${detail === undefined ? '' : ` (${detail})`}`);
  }
  const lines = [`valid, by ${answer.primary ? 'the primary key' : 'an earlier key'} ${answer.keyId}`];
  const fields: { readonly [_ in string]?: unknown } = { ...answer };
  for (const name of proven) {
    const { [name]: value } = fields;
    if (value === undefined) continue;
    lines.push(`${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  }
  return lines.map(escapeControls).join('\n');
}
