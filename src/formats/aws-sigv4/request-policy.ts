/** Which AWS requests a key may sign. The signer refuses every request that these lists do not allow. */

import { malformedField, SignerError } from '../../api/errors.ts';
import type { About } from '../../signing/format.ts';
import { mayLeave } from '../dot-segments.ts';
import type { HttpMessage } from '../http-request.ts';
import { isListedHost } from '../request-limits.ts';
import { comparablePath, type Parameters } from './canonical-request.ts';
import type { AwsPolicy } from './options.ts';

/**
 * Headers that name an object beside the one in the URL: the source of a copy or of a rename, at AWS and at compatible
 * services (`x-goog-`, `x-oss-` and others), the target of a symbolic link or of a processed image, the parts of a large
 * object, and where a service unpacks an archive. S3 also reads them as parameters of a presigned URL, and `compose` is a
 * parameter of Google's. Some servers read an underscore in such a name as a hyphen.
 */
const namesAnotherObject = new RegExp(
  [
    '^x[-_](?:[a-z0-9]+[-_])?(?:(?:copy|move|rename)[-_](?:source|from)|symlink[-_]target|save[-_](?:object|bucket))',
    '^x[-_](?:[a-z0-9]+[-_])?object[-_]manifest',
    '^x[-_]amz[-_]meta[-_](?:minio[-_])?snowball[-_]',
    '^compose(?:$|=|%3D)',
  ].join('|'),
  'i',
);

/** The option that does not allow this request; undefined if all do. */
export function forbidden(
  { hosts, methods, pathPrefixes, allowCopy }: AwsPolicy,
  { authority, method, path, fields }: HttpMessage,
  parameters: Parameters,
  service: string,
): 'hosts' | 'methods' | 'pathPrefixes' | 'allowCopy' | undefined {
  if (hosts !== undefined && !isListedHost(hosts, authority)) return 'hosts';
  if (methods?.includes(method) === false) return 'methods';
  if (pathPrefixes !== undefined && matchingPrefix(pathPrefixes, path, service) === undefined)
    return 'pathPrefixes';
  const limit = pathPrefixes ? 'pathPrefixes' : hosts && 'hosts';
  if (limit !== undefined && mayLeave(path)) return limit;
  if (allowCopy) return undefined;
  // Some servers also separate parameters by semicolons.
  const inQuery = parameters.flatMap(([name, value]) => `${name}=${value}`.split('%3B'));
  return [...fields.keys(), ...inQuery].some((name) => namesAnotherObject.test(name))
    ? 'allowCopy'
    : undefined;
}

function matchingPrefix(prefixes: readonly string[], path: string, service: string): string | undefined {
  const comparable = comparablePath(service, path);
  return prefixes.find((prefix) => comparable.startsWith(comparablePath(service, prefix)));
}

/** What the audit may tell of a request. A path can name a person, so it tells only the prefix that allows it. */
export function aboutOf(
  { pathPrefixes = [] }: AwsPolicy,
  { method, authority, path }: HttpMessage,
  service: string,
  expires: number | undefined,
): About {
  return { method, host: authority, pathPrefix: matchingPrefix(pathPrefixes, path, service), expires };
}

export function notAllowed(option: keyof AwsPolicy): SignerError {
  return new SignerError(
    'operation_not_allowed',
    `this key may not sign such a request; its configuration limits it by "${option}"`,
  );
}

/** The service or region that the request names, or the only one that the policy allows. */
export function chosen(
  field: 'service' | 'region',
  list: 'services' | 'regions',
  policy: AwsPolicy,
  named: string | undefined,
): string {
  const [first = '', ...others] = policy[list];
  if (named === undefined && others.length > 0)
    throw malformedField(field, `is required, because the configuration of this key lists several ${list}`);
  if (named !== undefined && !policy[list].includes(named)) throw notAllowed(list);
  return named ?? first;
}
