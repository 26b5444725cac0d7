/**
 * Parses the path of an imgproxy URL without its signature, as imgproxy does: options, then the URL of the source, plain or
 * in base64. Refuses what depends on the settings of imgproxy, so that both read the same source.
 */

import { decode } from '../../bytes/encoding.ts';
import { decodeUtf8 } from '../../bytes/text.ts';

export interface ImgproxyPath {
  readonly options: readonly ImgproxyOption[];
  /** The URL of the source, decoded. */
  readonly source: string;
  /** The source as it is written, without a slash in front. */
  readonly written: string;
}

export interface ImgproxyOption {
  readonly name: string;
  /** The name and its arguments. */
  readonly text: string;
}

const optionPattern = /^([a-z][a-z_-]*)(?::[A-Za-z0-9._-]*)+$/;
const extension = /^[a-z0-9]{1,8}$/;

/** @returns what is wrong if the path cannot be parsed; it completes the sentence `field "url": …` */
export function parsePath(path: string): ImgproxyPath | string {
  const segments = path.slice(1).split('/');
  const count = segments.findIndex((segment) => !segment.includes(':'));
  const options = segments.slice(0, Math.max(count, 0)).map((text) => ({
    text,
    name: optionPattern.exec(text)?.[1],
  }));
  const [first = '', ...rest] = count < 0 ? [] : segments.slice(count);
  if (!options.every(isNamed)) {
    return 'must have processing options of lower-case names and of arguments that are letters, digits and . _ -';
  }
  const source = first === 'plain' ? plainSource(rest.join('/')) : base64Source(first, rest.length);
  if (source === undefined) {
    return 'must end with a source that imgproxy can read: /plain/ and a percent-encoded URL, or one segment of base64url; encrypted sources are not supported';
  }
  if (!/^[\x20-\x5b\x5d-\x7e]*$/.test(source)) {
    return 'must have a source of printable ASCII without backslashes; percent-encode other characters in the URL of the source';
  }
  return { options, source, written: [first, ...rest].join('/') };
}

function isNamed(option: {
  readonly text: string;
  readonly name: string | undefined;
}): option is ImgproxyOption {
  return option.name !== undefined;
}

/** Percent-encoded, with `@` and an extension where the format changes. */
function plainSource(text: string): string | undefined {
  const [written = '', format, ...more] = text.split('@');
  if (!/^[A-Za-z0-9._~!$&'()*+,;=:/%-]+$/.test(written) || more.length > 0) return undefined;
  if (format !== undefined && !extension.test(format)) return undefined;
  try {
    return decodeURIComponent(written);
  } catch {
    return undefined;
  }
}

/** imgproxy joins several segments, or takes the last one for a file name; its settings decide. One segment is clear. */
function base64Source(text: string, moreSegments: number): string | undefined {
  const [encoded = '', format, ...more] = text.split('.');
  if (moreSegments > 0 || more.length > 0 || encoded === '') return undefined;
  if (format !== undefined && !extension.test(format)) return undefined;
  const bytes = decode(encoded, 'base64url');
  return bytes && decodeUtf8(bytes);
}
