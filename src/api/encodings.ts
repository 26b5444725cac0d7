/** How bytes are written as text. */

/** How the bytes of a signature are written as text: `base64` is padded, `base64url` is not. */
export type BytesEncoding = 'hex' | 'base64' | 'base64url';

/** How the bytes of a message are written as text in JSON. Default: `utf8`. */
export type MessageEncoding = 'utf8' | 'base64' | 'hex';
