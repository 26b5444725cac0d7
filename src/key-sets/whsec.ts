/**
 * Secrets as Standard Webhooks writes them: `whsec_` and base64. The key is what the base64 stands for; to take the text
 * for the key is the most frequent mistake with them.
 */

import type { KeySettings } from './settings.ts';
import { latin1 } from './wrapping.ts';

export const whsecPrefix = 'whsec_';

const undecoded = 'is a whole "whsec_…" secret; the key is only the part after "whsec_", decoded from base64';

export const undecodedText = `${undecoded}; set "encoding: whsec", which decodes it; if its issuer signs with the text itself, set "encoding: text" and "allowUndecoded: true"`;

export const undecodedKey = `${undecoded}; give that part, in this file's own encoding`;

/** Whether the key is the text of a secret that the format decodes. */
export function isUndecoded(key: Uint8Array, { allowUndecoded, format, source }: KeySettings): boolean {
  if (allowUndecoded || format.secretEncoding !== 'whsec' || 'root' in source) return false;
  return prefixLength(key) > 0;
}

/** The same memory without the prefix. */
export function withoutPrefix(text: Uint8Array): Uint8Array {
  return text.subarray(prefixLength(text));
}

/** A secret, an encoding and a format that do not go together, most likely because the encoding or the format was forgotten. */
export function formatWarnings(
  content: Uint8Array,
  { encoding, format, source }: KeySettings,
): readonly string[] {
  if (format.secretEncoding === 'whsec' || 'root' in source) return [];
  const isText = format.secretEncoding === 'text';
  if (encoding === 'whsec') {
    const remedy = isText
      ? `the format ${format.name} uses the whole text "whsec_…" as the key; set "encoding: text"`
      : 'a Standard Webhooks secret needs "format: standard-webhooks"';
    return [`has the encoding whsec and the format ${format.name}; ${remedy}`];
  }
  if (isText || prefixLength(content) === 0) return [];
  return [
    'is a "whsec_…" secret; for Standard Webhooks set "encoding: whsec" and "format: standard-webhooks", for Stripe "encoding: text" and "format: stripe"',
  ];
}

/** Some dashboards put a version in front of the prefix. */
function prefixLength(text: Uint8Array): number {
  const [prefix = ''] = /^(?:v1,)?whsec_/.exec(latin1(text.subarray(0, 16))) ?? [];
  return prefix.length;
}
