/** Defines the format of a provider that the signer knows by name. Its scheme is data; a configuration sets its limits. */

import * as z from 'zod/mini';
import type { WebhookVerification } from '../../api/messages.ts';
import { type ProviderName, providers } from '../../api/providers.ts';
import { onDemand } from '../../api/schema.ts';
import type { Provider } from '../../api/webhook-scheme.ts';
import { headersAnswer, text, verification, verificationWith } from '../answers.ts';
import type { FormatDefinition } from '../definition.ts';
import { compileScheme } from './compile.ts';
import { createFormat } from './format.ts';
import { requestsOf } from './request.ts';
import type { Scheme } from './scheme.ts';
import { type Tolerance, toleranceFields, toTolerance } from './time.ts';
import { requestVariables } from './variables.ts';

/** What a configuration says under the name of the provider. */
interface Options extends Partial<Tolerance> {
  readonly signWith?: 'primary' | 'all';
}

export const signWith = z.optional(z.enum(['primary', 'all']));

/** Everything but the name is made when it is asked for: a configuration uses few of the providers. */
export function defineProvider(name: ProviderName): FormatDefinition {
  const provider: Provider = providers[name];
  const { signed, headers, bodyTimestamp, secretEncoding = 'text', minKeyBytes = 0 } = provider;
  const isTimed = signed.includes('{timestamp}') || bodyTimestamp !== undefined;
  const isSigned = (variable: string) => signed.includes(`{${variable}}`);
  // Where a message can carry several signatures, every key may sign.
  const isSeveral = Object.entries(headers).some(
    ([header, template]) => header.includes('{n}') || typeof template !== 'string',
  );
  const takesSignWith = isSeveral && provider.signWith === undefined;
  const compiled = onDemand(() => compileProvider(provider));
  const fields = onDemand((): FormatDefinition['fields'] => {
    const shape = { ...(isTimed && toleranceFields), ...(takesSignWith && { signWith }) };
    return isTimed || takesSignWith ? { [name]: z.optional(z.strictObject(shape)) } : {};
  });

  return {
    name,
    get fields() {
      return fields();
    },
    get requests() {
      return requestsOf({
        sends: new Set(isSigned('id') ? ['id'] : []),
        members: new Set(requestVariables.filter(isSigned)),
        signedHeaders: [],
      });
    },
    get answers() {
      return { signature: headersAnswer, verification: verificationOf(isTimed, isSigned('id')) };
    },
    create: (configured) => {
      const { [name]: options = {} }: { readonly [_ in string]?: Options } = configured;
      const tolerance = toTolerance({ ...provider, ...options });
      const { signWith = 'primary' } = options;
      const { time } = compiled();
      const scheme: Scheme = {
        ...compiled(),
        signsWithAll: signWith === 'all',
        time: time && { ...time, tolerance },
      };
      const shown = { ...(isTimed && tolerance), ...(takesSignWith && { signWith }) };
      return { name, ...createFormat(scheme, shown), minKeyBytes: () => minKeyBytes, secretEncoding };
    },
  };
}

/** @throws {Error} if the table is wrong, which a test of every entry rules out */
function compileProvider(provider: Provider): Scheme {
  const compiled = compileScheme(provider, provider.algorithm ?? 'HS256', true);
  if ('signed' in compiled) return compiled;
  throw new Error(compiled.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
}

function verificationOf(isTimed: boolean, hasId: boolean): z.ZodMiniType<WebhookVerification> {
  if (hasId) return verificationWithId;
  return isTimed ? verificationWithTime : verification;
}

const verificationWithTime: z.ZodMiniType<WebhookVerification> = verificationWith({ timestamp: text });
const verificationWithId: z.ZodMiniType<WebhookVerification> = verificationWith({
  id: text,
  timestamp: text,
});
