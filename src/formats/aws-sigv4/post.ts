/**
 * Signs a presigned POST: the form of a browser upload to S3. The signer writes the POST policy document, which S3 checks
 * the form against, so that nobody can have a condition signed that the key set's policy does not allow.
 */

import type { AwsPost, AwsPostForm, AwsPostRequest } from '../../api/aws-post.ts';
import { malformedField, SignerError } from '../../api/errors.ts';
import type { SigningContext } from '../../signing/format.ts';
import { tagOf } from '../../signing/mac.ts';
import { nowSeconds } from '../tolerance.ts';
import type { AwsPolicy } from './options.ts';
import { addressOf } from './post-address.ts';
import { chosenFields } from './post-request.ts';
import { aboutOf, chosen, forbidden, notAllowed } from './request-policy.ts';
import { algorithm, awsTime, credentialScope, type Scope, type SigningKeys } from './signing-key.ts';

/** As the AWS SDK has it, where the policy allows as much. */
const usualExpiresSeconds = 3600;

/** @throws {SignerError} `malformed_request`, `operation_not_allowed`, `message_too_large` */
export function signPost(
  policy: AwsPolicy,
  signingKeys: SigningKeys,
  { keys, now, checkSize, notes }: SigningContext,
  request: AwsPostRequest,
): AwsPostForm {
  const { post } = request;
  const service = chosen('service', 'services', policy, request.service);
  if (service !== 's3') throw malformedField('service', 'must be s3, because only S3 takes forms');
  const region = chosen('region', 'regions', policy, request.region);
  checkKms(post);
  const expiresSeconds = checkLimits(policy, post);
  checkSize(post.maxBytes);
  const { name, isPrefix } = nameOf(post);
  const { bucket, pathStyle = false } = post;
  const address = addressOf(policy.postEndpoint, region, { bucket, pathStyle }, name);
  const ownFields = chosenFields(post);
  const { scheme, authority, bucketPath, objectPath: path } = address;
  const fields = new Map(ownFields.map(([field, value]) => [field.toLowerCase(), [value]]));
  const message = { method: 'POST', scheme, authority, path, query: undefined, fields, body: undefined };
  const limit = forbidden(policy, message, [], service);
  if (limit !== undefined) throw notAllowed(limit);

  const time = awsTime(now);
  const scope: Scope = { date: time.slice(0, 8), region, service };
  const [{ id, mac }] = keys;
  const signed = Object.fromEntries([
    ...ownFields,
    ['bucket', bucket],
    ['X-Amz-Algorithm', algorithm],
    ['X-Amz-Credential', `${policy.accessKeyId}/${credentialScope(scope)}`],
    ['X-Amz-Date', time],
    ...(post.sessionToken === undefined ? [] : [['X-Amz-Security-Token', post.sessionToken]]),
  ]);
  const document = {
    expiration: `${new Date(now + expiresSeconds * 1000).toISOString().slice(0, 19)}Z`,
    conditions: [
      ['content-length-range', 0, post.maxBytes],
      ...Object.entries(signed).map(([field, value]) => ({ [field]: value })),
      isPrefix ? ['starts-with', '$key', name] : { key: name },
    ],
  };
  const Policy = Buffer.from(JSON.stringify(document)).toString('base64');
  const signature = tagOf(signingKeys(mac, scope, scope.date), Policy).toString('hex');
  if (notes) {
    notes.signature = signature;
    notes.about = { ...aboutOf(policy, message, service, nowSeconds(now) + expiresSeconds), bucket };
  }
  // S3 puts the name of the uploaded file in the place of ${filename}.
  const key = isPrefix ? `${name}\${filename}` : name;
  return {
    url: `${scheme}://${authority}${bucketPath}`,
    fields: { ...signed, key, Policy, 'X-Amz-Signature': signature },
    keyId: id,
  };
}

/** Returns for how long the form works. */
function checkLimits(
  { maxPostBytes, maxExpiresSeconds }: AwsPolicy,
  { maxBytes, expiresSeconds }: AwsPost,
): number {
  if (maxPostBytes === undefined) {
    throw new SignerError(
      'operation_not_allowed',
      'this key may not sign forms for uploads; its configuration would have to set "maxPostBytes"',
    );
  }
  if (maxBytes > maxPostBytes) throw notAllowed('maxPostBytes');
  const seconds = expiresSeconds ?? Math.min(usualExpiresSeconds, maxExpiresSeconds);
  if (seconds > maxExpiresSeconds || seconds === 0) throw notAllowed('maxExpiresSeconds');
  return seconds;
}

function nameOf({ key, keyPrefix }: AwsPost): { readonly name: string; readonly isPrefix: boolean } {
  if (key !== undefined && keyPrefix !== undefined) {
    throw malformedField('post.key', 'give only one of "key" and "keyPrefix"');
  }
  if (key !== undefined) return { name: key, isPrefix: false };
  if (keyPrefix !== undefined) return { name: keyPrefix, isPrefix: true };
  throw malformedField('post.key', 'is missing; give "key", or "keyPrefix" for all names that begin like it');
}

/** S3 takes the settings of KMS only with an encryption by KMS. */
function checkKms({ serverSideEncryption, kmsKeyId, bucketKeyEnabled }: AwsPost): void {
  if (serverSideEncryption?.startsWith('aws:kms')) return;
  const field = kmsKeyId !== undefined ? 'kmsKeyId' : bucketKeyEnabled !== undefined && 'bucketKeyEnabled';
  if (field)
    throw malformedField(`post.${field}`, 'needs "serverSideEncryption" to be aws:kms or aws:kms:dsse');
}
