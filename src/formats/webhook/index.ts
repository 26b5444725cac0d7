/** The webhook formats: one for each provider that the signer knows, and `webhook` for any other. */

import { type ProviderName, providers } from '../../api/providers.ts';
import type { FormatDefinition } from '../definition.ts';
import { webhook } from './custom.ts';
import { defineProvider } from './provider.ts';

export const webhookFormats: readonly FormatDefinition[] = [
  ...(Object.keys(providers) as ProviderName[]).map(defineProvider),
  webhook,
];
