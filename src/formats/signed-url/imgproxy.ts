/**
 * The scheme `imgproxy`: the path of an imgproxy URL with its signature in front. The path holds the URL of a source image,
 * which imgproxy fetches, so the configuration lists the sources. The signer writes the expiry as an option of the path.
 */

import { decodeExactly, encode } from '../../bytes/encoding.ts';
import { tagBytes } from '../../signing/mac.ts';
import { mayLeave } from '../dot-segments.ts';
import { type ImgproxyPath, parsePath } from './imgproxy-path.ts';
import { parseTime, type UrlScheme } from './scheme.ts';
import type { UrlParts } from './url-parts.ts';

export interface ImgproxySettings {
  readonly salt: Uint8Array;
  /** What the URL of a source must begin with. */
  readonly sources: readonly string[];
  /** The processing options that a caller may choose. */
  readonly options: readonly string[];
  /** Before the signature, if imgproxy is served below a path. */
  readonly pathPrefix: string;
}

/** Options that change only how the image looks. The others load, reveal or rename something, or lift a limit. */
export const defaultOptions: readonly string[] = [
  ...['resize', 'rs', 'size', 's', 'resizing_type', 'rt', 'width', 'w', 'height', 'h', 'min-width', 'mw'],
  ...[
    'min-height',
    'mh',
    'zoom',
    'z',
    'dpr',
    'enlarge',
    'el',
    'extend',
    'ex',
    'extend_aspect_ratio',
    'extend_ar',
  ],
  ...[
    'exar',
    'gravity',
    'g',
    'crop',
    'c',
    'trim',
    't',
    'padding',
    'pd',
    'auto_rotate',
    'ar',
    'rotate',
    'rot',
  ],
  ...['flip', 'fl', 'background', 'bg', 'blur', 'bl', 'sharpen', 'sh', 'pixelate', 'pix', 'quality', 'q'],
  ...['format_quality', 'fq', 'max_bytes', 'mb', 'format', 'f', 'ext', 'cachebuster', 'cb'],
];

/** The names of the option that the signer writes. */
export const expiryNames: readonly string[] = ['exp', 'expires'];

export function imgproxyScheme({ salt, sources, options, pathPrefix }: ImgproxySettings): UrlScheme {
  const afterPrefix = (path: string) =>
    path.startsWith(`${pathPrefix}/`) ? path.slice(pathPrefix.length) : undefined;
  const parse = ({ path }: UrlParts) => parsePath(afterPrefix(path) ?? '');
  const signed = (path: string) => Buffer.concat([salt, Buffer.from(path)]);
  return {
    form: 'absolute',
    coversMethod: false,
    output: 'base64url',
    pathProblem: (path) =>
      afterPrefix(path) === undefined ? 'must have a path that begins with imgproxy.pathPrefix' : undefined,
    problem: (url) => {
      if (url.parameters.length > 0) return 'must not have a query, because imgproxy does not verify it';
      const parsed = parse(url);
      if (typeof parsed === 'string') return parsed;
      return isExpiring(parsed)
        ? 'must not have the option exp or expires, which the signer writes'
        : undefined;
    },
    forbidden: (url) => {
      const parsed = parse(url);
      if (typeof parsed === 'string' || !isWithin(sources, parsed.source)) return 'imgproxy.sources';
      return parsed.options.every(({ name }) => options.includes(name)) ? undefined : 'imgproxy.options';
    },
    matching: (url) => {
      const parsed = parse(url);
      return typeof parsed === 'string' ? undefined : sources.find((each) => parsed.source.startsWith(each));
    },
    draft: ({ start, authority, path }, { expires }) => {
      const covered = `/exp:${expires}${afterPrefix(path) ?? ''}`;
      return {
        signed: signed(covered),
        write: (tag) => `${start}${authority}${pathPrefix}/${encode(tag, 'base64url')}${covered}`,
      };
    },
    read: (url) => {
      const [, first = '', covered = ''] = /^\/([^/]*)(.*)$/.exec(afterPrefix(url.path) ?? '') ?? [];
      if (first.includes(':') || first === 'plain') return 'missing';
      const tag = decodeExactly(first, 'base64url');
      const parsed = parsePath(covered);
      if (tag?.length !== tagBytes('HS256') || typeof parsed === 'string' || url.parameters.length > 0) {
        return 'malformed';
      }
      const expiries = parsed.options.filter(({ name }) => expiryNames.includes(name));
      const times = expiries.map(({ text }) => parseTime(text.replace(/^[^:]*:/, '')));
      if (times.length > 1 || times.includes(undefined)) return 'malformed';
      const others = parsed.options.filter((option) => !expiries.includes(option));
      const path = [pathPrefix, ...others.map(({ text }) => text), parsed.written].join('/');
      return { tag, signed: [signed(covered)], url: { ...url, path }, expires: times[0] };
    },
  };
}

function isExpiring({ options }: ImgproxyPath): boolean {
  return options.some(({ name }) => expiryNames.includes(name));
}

/** Whether a source begins as one of the list does, and no server takes it for one outside of that. */
function isWithin(sources: readonly string[], source: string): boolean {
  return sources.some((each) => source.startsWith(each)) && !hasDotSegments(source);
}

export function hasDotSegments(source: string): boolean {
  return /\/\.{1,2}(?:$|[/?])/.test(source) || mayLeave(source);
}
