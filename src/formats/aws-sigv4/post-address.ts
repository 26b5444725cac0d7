/**
 * The address of a bucket, to which a form is sent, and of the objects in it, which the policy limits. The signer builds
 * the address itself: the signature of a form covers the bucket and not the host, so a host that the caller chooses could
 * make `hosts` and `pathPrefixes` mean another bucket.
 */

/** Where a form is sent, and what the policy compares. */
export interface PostAddress {
  readonly scheme: string;
  readonly authority: string;
  /** The bucket as the form is sent to it: a slash, or with the bucket behind it. */
  readonly bucketPath: string;
  /** The object, or what the names of all allowed objects begin with, percent-encoded. */
  readonly objectPath: string;
}

/** Such as `https://minio.example:9000`. */
export function isEndpoint(text: string): boolean {
  return /^https?:\/\/[a-z0-9.:[\]-]+$/.test(text) && URL.parse(text)?.origin === text;
}

/** A region that has an endpoint below amazonaws.com. Those of isolated partitions have other domains. */
export function isAwsRegion(region: string): boolean {
  return /^[a-z]{2}(?:-gov)?-[a-z]+-\d{1,2}$/.test(region);
}

/**
 * Puts the bucket in front of the host, or in front of the path. It is always in the path, as the AWS SDK does it, if it
 * has a dot, since the certificate of S3 holds for one label only, or if the host is an IP address.
 * @param name the name of an object, or how names must begin, as it stands in a form and not percent-encoded
 */
export function addressOf(
  endpoint: string | undefined,
  region: string,
  { bucket, pathStyle }: { readonly bucket: string; readonly pathStyle: boolean },
  name: string,
): PostAddress {
  const { protocol, host } = new URL(endpoint ?? awsEndpoint(region));
  const isInPath = pathStyle || bucket.includes('.') || isAddress(host);
  const root = isInPath ? `/${bucket}/` : '/';
  return {
    scheme: protocol.slice(0, -1),
    authority: isInPath ? host : `${bucket}.${host}`,
    bucketPath: isInPath ? `/${bucket}` : '/',
    objectPath: root + name.split('/').map(encodeURIComponent).join('/'),
  };
}

function isAddress(host: string): boolean {
  return /^\[|^\d+\.\d+\.\d+\.\d+(?::|$)/.test(host);
}

function awsEndpoint(region: string): string {
  return `https://s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}
