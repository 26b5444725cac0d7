/** The requests and the signature of the format `signed-url`, as types. */

export interface SignedUrlSignRequest {
  /** The absolute URL, percent-encoded as it is sent. */
  readonly url: string;
  /** The only method for which the URL is to be valid. Required if the key set lists methods. */
  readonly method?: string | undefined;
  /** Seconds until the URL expires. Default: the most that the key set allows. */
  readonly expiresSeconds?: number | undefined;
}

export interface SignedUrl {
  readonly url: string;
  /** When the URL expires (RFC 3339), such as `2027-01-15T08:00:00.000Z`. */
  readonly expiresAt: string;
  readonly keyId: string;
}

export interface SignedUrlVerifyRequest {
  /** The URL as it was received. */
  readonly url: string;
  /** The method with which it was received. Required if the key set lists methods. */
  readonly method?: string | undefined;
}
