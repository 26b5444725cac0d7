/** Which URLs a key may sign, and how long they are valid. */

import { SignerError } from '../../api/errors.ts';
import type { About } from '../../signing/format.ts';
import { isListedHost } from '../request-limits.ts';
import { akamaiScheme, defaultTokenName } from './akamai.ts';
import { defaultOptions, imgproxyScheme } from './imgproxy.ts';
import { laravelScheme } from './laravel.ts';
import type { SignedUrlOptions } from './options.ts';
import type { UrlScheme } from './scheme.ts';
import { parameterNames, sidecarScheme } from './sidecar.ts';
import type { UrlParts } from './url-parts.ts';

export interface UrlPolicy {
  readonly scheme: UrlScheme;
  /** Undefined allows every host, method or path. */
  readonly hosts: readonly string[] | undefined;
  readonly methods: readonly string[] | undefined;
  readonly pathPrefixes: readonly string[] | undefined;
  readonly maxExpiresSeconds: number;
}

const defaultMaxExpiresSeconds = 3600;

export function createUrlPolicy(configured: SignedUrlOptions): UrlPolicy {
  const { hosts, methods, pathPrefixes, maxExpiresSeconds = defaultMaxExpiresSeconds } = configured;
  return { scheme: createScheme(configured), hosts, methods, pathPrefixes, maxExpiresSeconds };
}

function createScheme({
  scheme,
  parameters,
  methods,
  imgproxy,
  laravel,
  akamai,
}: SignedUrlOptions): UrlScheme {
  if (scheme === 'imgproxy' && imgproxy !== undefined) {
    const { salt, sources, options = defaultOptions, pathPrefix = '' } = imgproxy;
    return imgproxyScheme({ salt: Buffer.from(salt, 'hex'), sources, options, pathPrefix });
  }
  if (scheme === 'laravel') return laravelScheme(laravel?.absolute === false ? 'relative' : 'absolute');
  if (scheme === 'akamai') {
    const { tokenName = defaultTokenName, escapeEarly = false, salt, acl } = akamai ?? {};
    return akamaiScheme({ tokenName, escapeEarly, salt, acl });
  }
  return sidecarScheme(parameterNames(parameters), methods !== undefined);
}

/** The options in use, as callers may see them. A salt is nobody's concern but the receiver's. */
export function describePolicy(configured: SignedUrlOptions): object {
  const { scheme = 'sidecar', maxExpiresSeconds = defaultMaxExpiresSeconds, imgproxy, akamai } = configured;
  const { salt: _, ...images } = imgproxy ?? {};
  const { salt: __, ...tokens } = akamai ?? {};
  return {
    ...configured,
    scheme,
    maxExpiresSeconds,
    ...(scheme === 'sidecar' && { parameters: parameterNames(configured.parameters) }),
    ...(imgproxy && { imgproxy: { ...images, options: imgproxy.options ?? defaultOptions } }),
    ...(akamai && { akamai: tokens }),
  };
}

/** The option that does not allow this URL; undefined if all do. The URL has no signature yet. */
export function forbidden({ scheme, hosts, pathPrefixes }: UrlPolicy, url: UrlParts): string | undefined {
  if (hosts !== undefined && !isListedHost(hosts, url.authority)) return 'hosts';
  if (pathPrefixes?.some((prefix) => url.path.startsWith(prefix)) === false) return 'pathPrefixes';
  return scheme.forbidden(url);
}

/** What the audit may tell of a URL. A path can name a person, so it tells only the prefix that allows it. */
export function aboutOf(
  { scheme, pathPrefixes }: UrlPolicy,
  url: UrlParts,
  expires: number | undefined,
): About {
  const pathPrefix = pathPrefixes?.find((prefix) => url.path.startsWith(prefix)) ?? scheme.matching?.(url);
  return { host: url.authority === '' ? undefined : url.authority, pathPrefix, expires };
}

export function notAllowed(option: string): SignerError {
  return new SignerError(
    'operation_not_allowed',
    `this key may not sign such a URL; its configuration limits it by "${option}"`,
  );
}
