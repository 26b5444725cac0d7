/**
 * Whether a verify request is right, by an independent judgement: `node:crypto` and the fuzzer's own keys, or for signed
 * HTTP requests the requests that were signed. It is lenient in how a signature is written, and exact in what is signed.
 */

import { createHash, createHmac } from 'node:crypto';
import type { FormatName, Json } from './samples.ts';
import { isRightWebhook } from './webhook-oracle.ts';

/** @param signed verify requests whose signatures the signer has made */
export function isRight(format: FormatName, key: Buffer, request: Json, signed: readonly Json[]): boolean {
  const hmac = (...parts: readonly (string | Uint8Array)[]) => {
    const stream = createHmac('sha256', key);
    for (const part of parts) stream.update(part);
    return stream.digest();
  };
  const text = (field: string) => String(request[field]);
  switch (format) {
    case 'raw': {
      const output = (request['output'] ?? 'hex') as BufferEncoding;
      return hmac(bytesOf(request, 'message')).toString(output) === text('signature');
    }
    case 'jwt': {
      const [header = '', payload = '', tag, ...more] = text('token').split('.');
      const { alg, crit } = JSON.parse(fromBase64url(header));
      const { exp } = JSON.parse(fromBase64url(payload));
      const isSigned = hmac(`${header}.${payload}`).toString('base64url') === tag;
      const isMeant = alg === 'HS256' && crit === undefined && exp > Date.now() / 1000;
      return isSigned && isMeant && more.length === 0;
    }
    case 'cookie': {
      const [, value = '', tag] = /^s:(.*)\.(.*)$/s.exec(text('cookie')) ?? [];
      return hmac(value).toString('base64').replace(/=+$/, '') === tag;
    }
    case 'signed-url':
      return isRightUrl(key, request);
    case 'http-signature':
    case 'aws-sigv4':
      return signed.some((each) => isSameRequest(format, each, request));
    default:
      return isRightWebhook(format, key, request, bytesOf(request, 'body'));
  }
}

export function bytesOf(request: Json, field: 'message' | 'body'): Buffer {
  return Buffer.from(String(request[field]), request['encoding'] as BufferEncoding | undefined);
}

/** By the specification in docs/formats/signed-url.md. */
function isRightUrl(key: Buffer, { url, method }: Json): boolean {
  const { host, pathname, search } = new URL(String(url));
  const pairs = search.slice(1).split('&');
  const own = new Map(pairs.map((pair) => pair.split('=') as [string, string]));
  const others = pairs
    .map((pair, index) => ({ pair, name: pair.split('=')[0] ?? '', index }))
    .filter(({ name }) => !['expires', 'kid', 'signature'].includes(name))
    .toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)) || a.index - b.index)
    .map(({ pair }) => pair);
  const expires = own.get('expires') ?? '';
  const isSigned = ['*', String(method)].some((each) => {
    const text = ['sidecar-signer-url-v1', each, host, pathname, others.join('&'), expires].join('\n');
    return createHmac('sha256', key).update(text).digest('base64url') === own.get('signature');
  });
  return isSigned && Number(expires) > Date.now() / 1000;
}

/** Whether a request has a signature, and the method, URL, body and covered headers that it was made for. */
function isSameRequest(format: FormatName, signed: Json, received: Json): boolean {
  const [tag, covered] = signatureOf(format, signed);
  if (signatureOf(format, received)[0] !== tag) return false;
  const names = covered.filter((name) => !name.startsWith('@') && name !== 'host');
  const meaning = (request: Json) =>
    JSON.stringify([
      request['method'],
      meaningOf(format, String(request['url'])),
      names.map((name) => headerOf(request, name).replaceAll(/\s*([,;])\s*|\s+/g, '$1')),
    ]);
  return meaning(signed) === meaning(received) && isSameBody(format, signed, received);
}

function signatureOf(
  format: FormatName,
  request: Json,
): readonly [tag: string | undefined, covered: string[]] {
  if (format === 'http-signature') {
    const [, tag] = /:([\w+/=]{44}):/.exec(headerOf(request, 'signature')) ?? [];
    const [, components = ''] = /\(([^)]*)\)/.exec(headerOf(request, 'signature-input')) ?? [];
    return [tag, components.split(' ').map((each) => each.replaceAll('"', ''))];
  }
  const written = `${headerOf(request, 'authorization')} ${decodeURIComponent(String(request['url']))}`;
  const [, tag] = /Signature=([0-9a-f]{64})/.exec(written) ?? [];
  const [, names = ''] = /SignedHeaders=([^,&\s]*)/.exec(written) ?? [];
  return [tag, names.split(';')];
}

/** AWS reads a path without empty segments, and a query in any order. */
function meaningOf(format: FormatName, url: string): readonly string[] {
  const { host, pathname, search } = new URL(url);
  if (format === 'http-signature') return [host, pathname, search];
  const query = search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '' && !pair.startsWith('X-Amz-Signature='));
  const pairs = query.map((pair) => decodeURIComponent(pair.includes('=') ? pair : `${pair}=`));
  return [host, decodeURI(pathname).replaceAll(/\/+/g, '/'), ...pairs.toSorted()];
}

/** An absent body is an empty one. */
function isSameBody(format: FormatName, signed: Json, received: Json): boolean {
  const digest = ({ body = '', bodySha256, ...request }: Json) =>
    bodySha256 ??
    createHash('sha256')
      .update(bytesOf({ body, ...request }, 'body'))
      .digest('hex');
  const isUnsigned =
    format === 'aws-sigv4' &&
    (headerOf(signed, 'x-amz-content-sha256') === 'UNSIGNED-PAYLOAD' ||
      /\/s3\/|%2Fs3%2F/.test(String(signed['url'])));
  return isUnsigned || digest(signed) === digest(received);
}

function headerOf({ headers }: Json, name: string): string {
  const [, value = ''] = Object.entries(Object(headers)).find(([each]) => each.toLowerCase() === name) ?? [];
  return [value]
    .flat()
    .join(',')
    .replaceAll(/\r\n[\t ]+/g, ' ')
    .trim();
}

function fromBase64url(text: string): string {
  return Buffer.from(text, 'base64url').toString();
}
