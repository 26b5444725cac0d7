/** The request and the answer for a presigned POST, in the format `aws-sigv4`. */

/** Asks for a presigned POST: the form with which a browser uploads a file to S3. The key set must allow it. */
export interface AwsPostRequest {
  readonly post: AwsPost;
  /** `s3`. Required if the key set allows several services. */
  readonly service?: string | undefined;
  /** The AWS region of the bucket. Default: the one that the key set allows, if it is only one. */
  readonly region?: string | undefined;
}

/** What a form may upload, and where to. Give either `key` or `keyPrefix`. */
export interface AwsPost {
  readonly bucket: string;
  /** The name of the object, as text that is not percent-encoded. */
  readonly key?: string | undefined;
  /** In the place of `key`: how the name must begin, up to a slash. The browser chooses the rest, usually the file's name. */
  readonly keyPrefix?: string | undefined;
  /** The longest file that S3 accepts. */
  readonly maxBytes: number;
  /** The media type that the object gets. Default: none, and S3 stores `binary/octet-stream`. */
  readonly contentType?: string | undefined;
  /** How long the form works. Default: an hour, or less if the key set allows only less. */
  readonly expiresSeconds?: number | undefined;
  /** Writes the bucket in the path of the URL, and not in its host. Default: `false`. */
  readonly pathStyle?: boolean | undefined;
  /** The token of temporary credentials. */
  readonly sessionToken?: string | undefined;
  /** Where S3 sends the browser after the upload. */
  readonly successActionRedirect?: string | undefined;
  /** The status with which S3 answers without a redirect. Default: 204, by S3. */
  readonly successActionStatus?: 200 | 201 | 204 | undefined;
  /** How S3 encrypts the object. */
  readonly serverSideEncryption?: 'AES256' | 'aws:kms' | 'aws:kms:dsse' | undefined;
  /** With an encryption by KMS: which key. */
  readonly kmsKeyId?: string | undefined;
  /** With an encryption by KMS: whether S3 uses a bucket key. */
  readonly bucketKeyEnabled?: boolean | undefined;
  /** User-defined metadata, without `x-amz-meta-` in the names. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** The form: where a browser sends it, and its fields in their order. The field `file` must follow them. */
export interface AwsPostForm {
  readonly url: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly keyId: string;
}
