/** The received request, from one file of head and body, or from two files. Nothing is decoded. */

import { CommandFailure } from '../failure.ts';
import { readShortInput } from '../input.ts';
import { readCurlOutput } from './curl.ts';
import { type Head, parseHead, splitAtEmptyLine } from './head.ts';

export interface ReceivedRequest extends Head {
  readonly body: Uint8Array;
  /** As `--url` gives it. */
  readonly url?: string;
}

export interface RequestOptions {
  readonly headers?: string;
  readonly body?: string;
  readonly url?: string;
  readonly method?: string;
}

/** Webhooks are shorter, and the work grows with the length. */
const maxInputBytes = 16 * 2 ** 20;

/**
 * @param file of head and body; `-` for standard input. Ignored if the options name files
 * @throws {CommandFailure}
 */
export function readRequest(file: string, { headers, body, url, method }: RequestOptions): ReceivedRequest {
  const read =
    headers !== undefined && body !== undefined
      ? readTwo(headers, body)
      : readOne(readShortInput(file, maxInputBytes), file);
  return { ...read, ...(url !== undefined && { url }), ...(method !== undefined && { method }) };
}

function readOne(bytes: Uint8Array, file: string): ReceivedRequest {
  const name = shown(file);
  const ofCurl = readCurlOutput(bytes, name);
  if (ofCurl !== undefined) {
    const { head, body } = ofCurl;
    if (body !== undefined) return { ...head, body };
    throw new CommandFailure(
      `${name} is output of curl that does not hold the exact body of the request; give it as --headers, and the body with --body FILE (curl --trace FILE writes both)`,
    );
  }
  const parts = splitAtEmptyLine(bytes);
  if (parts !== undefined) return { ...parseHead(parts.head, name), body: parts.body };
  throw new CommandFailure(
    `${name} has no empty line between the head of a request and its body; give the whole request, or --headers FILE --body FILE`,
  );
}

function readTwo(headers: string, body: string): ReceivedRequest {
  const bytes = readShortInput(headers, maxInputBytes);
  const name = shown(headers);
  const ofCurl = readCurlOutput(bytes, name);
  const parts = splitAtEmptyLine(bytes);
  if (
    ofCurl === undefined &&
    parts !== undefined &&
    parts.body.some((byte) => byte !== 0x0a && byte !== 0x0d)
  ) {
    throw new CommandFailure(
      `${name} has more than headers: after an empty line it goes on; give the headers alone, or the whole request as one file`,
    );
  }
  const head = ofCurl?.head ?? parseHead(parts?.head ?? bytes, name);
  return { ...head, body: readShortInput(body, maxInputBytes) };
}

function shown(file: string): string {
  return file === '-' ? 'standard input' : file;
}
