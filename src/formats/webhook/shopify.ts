/** The format `shopify`: `X-Shopify-Hmac-Sha256` over the body. */

import { bodyFormat } from './body-only.ts';

export const shopify = bodyFormat('shopify', {
  header: 'X-Shopify-Hmac-Sha256',
  label: '',
  output: 'base64',
});
