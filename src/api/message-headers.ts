/** The HTTP headers that carry what belongs to a message, if the body of the request is the message itself. */

/** The signature to verify, of the format `raw`. */
export const signatureHeader = 'sec-signer-signature';

/** What a webhook scheme reads beside the message and the headers that came with it. */
export const targetHeaders = {
  url: 'sec-signer-url',
  method: 'sec-signer-method',
  id: 'sec-signer-id',
} as const;
