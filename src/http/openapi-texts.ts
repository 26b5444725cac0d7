/** What the members of requests and answers mean, with an example of each, for the OpenAPI document. */

interface Text {
  readonly description: string;
  readonly example: unknown;
}

const text = (description: string, example: unknown): Text => ({ description, example });

const keyId = '2c5bcb3dc4e17f2c';
const tag = '7bb0d5a5a33da9a75a7df1d8cf8c20fa0c8cd9bfa1fcbd0ab5ce7f4a53a0ec21';
const tagBase64 = 'e7DVpaM9qadaffHYz4wg+gyM2b+h/L0KtaSvSlOg7CE=';
const token = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyLTcifQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
const time = '2027-01-15T08:00:00.000Z';
const url = 'https://shop.example/orders?id=7';
const expiring = `https://shop.example/orders?id=7&expires=1800000000&kid=${keyId}&signature=${tag}`;

/** By the name of the member; where formats differ, by `format.member`, `part.member` or `format.part.member`. */
const texts: Readonly<Record<string, Text>> = {
  // What several formats have.
  keyId: text(
    'The id of the key that made the signature. It is public, and the same on every replica.',
    keyId,
  ),
  encoding: text('How the bytes are written in this JSON. Default: utf8.', 'utf8'),
  body: text('The body, exactly as it is sent or was received.', '{"event":"order.paid"}'),
  url: text('The absolute URL, percent-encoded as it is sent.', url),
  method: text('The method of the HTTP request, in upper case.', 'POST'),
  path: text('The path of the URL, in the place of url, for a scheme that signs no more of it.', '/orders'),
  query: text('The query of the URL without its question mark, in the place of url.', 'id=7'),
  host: text('The host of the URL, perhaps with a port, in the place of url.', 'shop.example'),
  headers: text('The headers to send with the message, by their names.', { 'X-Signature': tag }),
  'verify.headers': text(
    'All the headers as you received them, in any letter case. A header that came several times has a list of values. Those that the format does not use are ignored.',
    { 'X-Signature': tag },
  ),
  'sign.headers': text('The headers of the message that the scheme signs.', { 'X-Request-Id': '7' }),
  expiresAt: text('When it expires (RFC 3339).', time),

  // The answer of a verification.
  valid: text('Whether the signature is valid.', true),
  primary: text('Whether the key is the one that signs now.', true),
  reason: text(
    'Why the signature is not valid. missing: there is none; malformed: it is not written as the format requires; unsupported: it uses a part of its standard that the signer does not support; mismatch: none of the keys made it over this message; expired, not_yet_valid: its time is outside the tolerance; not_allowed: the policy of the key set does not accept it.',
    'mismatch',
  ),
  detail: text(
    'What exactly is wrong, for people. It never repeats a value of the request.',
    'the token has no exp',
  ),

  // Formats, in the order of the table.
  message: text('The message. The signer signs exactly its bytes.', 'hello'),
  output: text('How the signature is written. Default: as the configuration says, or hex.', 'hex'),
  signature: text('The signature, written as output says.', tag),
  algorithm: text('The algorithm of the key.', 'HS256'),
  claims: text('The claims of the token (RFC 7519 §4).', { sub: 'user-7', exp: 1_800_000_000 }),
  'jwt.sign.claims': text(
    'The claims of the token (RFC 7519 §4). The signer adds the times and those that the configuration sets.',
    { sub: 'user-7' },
  ),
  lifetimeSeconds: text('Seconds until the token expires. Default: the most that the key set allows.', 900),
  token: text('The token.', token),
  'standard-webhooks.signature.headers': text(
    'The headers to send with the body, or to add to the request.',
    {
      'webhook-id': 'msg_2bXTLQkFvF6bWyQ0',
      'webhook-timestamp': '1800000000',
      'webhook-signature': `v1,${tagBase64}`,
    },
  ),
  'github.verify.headers': text('All the headers as you received them, in any letter case.', {
    'X-Hub-Signature-256': `sha256=${tag}`,
  }),
  'verification.id': text(
    'The id of the message. Remember it, to recognise a message that is sent again.',
    'msg_7',
  ),
  id: text(
    'The id of the message. Use the same for every attempt to deliver it. Default: the signer creates one.',
    'msg_7',
  ),
  timestamp: text('The time of the signature, as it stands in the message.', '1800000000'),
  nonce: text(
    'The nonce of the signature. Remember it, to refuse a second request with the same one.',
    'b3k2pp5k7z',
  ),
  value: text('The value of the cookie, without a signature.', 'user-7'),
  cookie: text('The value of the signed cookie, not URL-encoded.', `s:user-7.${tagBase64.slice(0, -1)}`),
  bodySha256: text('The SHA-256 of the body in lower-case hex, in the place of body.', tag),
  service: text('The AWS service. Default: the one that the key set allows, if it is only one.', 's3'),
  region: text(
    'The AWS region. Default: the one that the key set allows, if it is only one.',
    'eu-central-1',
  ),
  unsignedPayload: text('Makes the signature valid for any body. The key set must allow it.', false),
  presign: text('Asks for a presigned URL in the place of headers.', { expiresSeconds: 900 }),
  expiresSeconds: text('Seconds until it expires. Default: the most that the key set allows.', 900),
  'http-signature.headers': text(
    'The headers of the request. A header that is sent several times has a list of values.',
    { 'Content-Type': 'application/json' },
  ),
  'aws-sigv4.headers': text(
    'The headers of the request. A header that is sent several times has a list of values.',
    { 'Content-Type': 'application/json' },
  ),
  'aws-sigv4.signature.headers': text('The headers to add to the request.', {
    Authorization: 'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20270115/eu-central-1/s3/aws4_request, …',
  }),
  'aws-sigv4.signature.url': text('The presigned URL; with fields, where the form is sent.', url),
  fields: text('The fields of the form, in their order. The field "file" must follow them.', {
    key: 'a.png',
    'x-amz-signature': tag,
  }),
  'signed-url.sign.method': text(
    'The only method for which the URL is valid. Required if the key set lists methods, and refused otherwise.',
    'GET',
  ),
  'signed-url.verify.method': text(
    'The method with which the URL was received. Required if the key set lists methods, and refused otherwise.',
    'GET',
  ),
  'signed-url.signature.url': text('The URL with its expiry and its signature.', expiring),
  'signed-url.verify.url': text('The URL, exactly as it was received.', expiring),

  // A presigned POST.
  post: text('Asks for a presigned POST: a form with which a browser uploads a file to S3.', {
    bucket: 'uploads',
    key: 'a.png',
    maxBytes: 1_048_576,
  }),
  bucket: text('The name of the bucket.', 'uploads'),
  key: text('The name of the object, as text that is not percent-encoded. Give key or keyPrefix.', 'a.png'),
  keyPrefix: text(
    'How the name of the object must begin, up to a slash. The browser chooses the rest.',
    'users/7/',
  ),
  maxBytes: text('The longest file that S3 accepts.', 1_048_576),
  contentType: text('The media type that the object gets. Default: none.', 'image/png'),
  pathStyle: text('Writes the bucket in the path of the URL, and not in its host. Default: false.', false),
  sessionToken: text('The token of temporary credentials.', 'IQoJb3JpZ2luX2VjEXAMPLE'),
  successActionRedirect: text('Where S3 sends the browser after the upload.', 'https://shop.example/done'),
  successActionStatus: text('The status with which S3 answers without a redirect. Default: 204.', 201),
  serverSideEncryption: text('How S3 encrypts the object.', 'AES256'),
  kmsKeyId: text('With an encryption by KMS: which key.', 'alias/uploads'),
  bucketKeyEnabled: text('With an encryption by KMS: whether S3 uses a bucket key.', true),
  metadata: text('User-defined metadata, without x-amz-meta- in the names.', { user: '7' }),

  // A challenge.
  'challenge.token': text('The token, exactly as the provider sent it.', 'qgg8vlvZRS6UYooatFL8Aw'),
  response: text('What the provider wants to see.', tag),

  // The description of a key set.
  name: text('The name by which callers use the key set.', 'orders'),
  format: text('How signatures are written.', 'raw'),
  allow: text('What this caller may do with the key set.', ['sign', 'verify']),
  keyIds: text('The ids of all keys that verify, the primary first.', [keyId]),
  'keySet.primary': text('The id of the key that signs.', keyId),
  since: text('When this key became the primary in this process (RFC 3339).', time),
  derived: text('Set if each tenant has a key of its own. The ids are then those of the root keys.', true),
  policy: text('The options of the format, and the limits of the key set.', { output: 'hex' }),
  keys: text('The key sets that the caller may use.', undefined),
  caller: text('The name of the listener through which the request came.', 'tcp'),

  // A problem document (RFC 9457).
  type: text('The kind of problem, as a URN.', 'urn:sidecar-signer:problem:rate_limited'),
  title: text('The kind of problem, for people.', 'The key is used too often'),
  status: text('The HTTP status.', 429),
  'problem.detail': text(
    'What to do about it. It never repeats a value of the request.',
    'this key may be used 50 times a second; try again in 1 s',
  ),
  code: text('The kind of problem, for programs, from a closed list.', 'rate_limited'),

  // What the path adds to the request of a format.
  tenant: text(
    'The tenant whose key to use. Required if the key set derives its keys, refused otherwise.',
    'acme',
  ),
  reference: text('A text of your own, which comes back with the answer.', 'order-7'),
  items: text('The requests.', undefined),
  results: text('The answers in the order of the items.', undefined),
  error: text('Why this item could not be carried out.', undefined),
};

/** @param schema the name of a schema of the document, such as `raw.sign` */
export function textOf(schema: string, member: string): Text {
  const [format = '', part = ''] = schema.split('.');
  const names = [`${schema}.${member}`, `${part}.${member}`, `${format}.${member}`, member];
  const found = names.map((name) => texts[name]).find((each) => each !== undefined);
  if (found !== undefined) return found;
  // A test asks for each member of each schema.
  throw new Error(`the member ${member} of ${schema} has no text`);
}
