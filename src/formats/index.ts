/** The table of formats, the only place that looks up a format by its name. */

import { awsSigv4 } from './aws-sigv4/index.ts';
import { cookie } from './cookie.ts';
import type { FormatDefinition } from './definition.ts';
import { httpSignature } from './http-signature/index.ts';
import { jwt } from './jwt/index.ts';
import { raw } from './raw.ts';
import { signedUrl } from './signed-url/index.ts';
import { webhookFormats } from './webhook/index.ts';

export type { FormatDefinition } from './definition.ts';
export { challengeAnswer, challengeRequest } from './webhook/challenge.ts';

/** A key set has exactly one of these formats. */
export const formats: ReadonlyMap<string, FormatDefinition> = new Map(
  [raw, jwt, ...webhookFormats, cookie, httpSignature, awsSigv4, signedUrl].map((format) => [
    format.name,
    format,
  ]),
);
