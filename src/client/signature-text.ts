/** What a signature may look like in a header of a request. Anything else would be refused on the way, as by an outage. */

/** No format writes a longer one that stands alone. */
const maxLength = 1024;

/** Whether a text can be sent as a signature; one that cannot be is malformed, whatever the message. */
export function isSignatureText(text: string): boolean {
  return text.length <= maxLength && /^[\x21-\x7e]*$/.test(text);
}
