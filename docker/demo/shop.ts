/**
 * The shop with the signer. It has no key: the signer signs and verifies its webhooks and session tokens. The file
 * own-key.ts is the same shop as it is usually written.
 */

import { type ClientOptions, SignerClient } from 'sidecar-signer/client';

export type Headers = Readonly<Record<string, string>>;

export interface SignedOrder {
  /** To be sent with the body. Names are in lower case. */
  readonly headers: Headers;
  readonly keyId: string;
}

export interface Session {
  readonly token: string;
  readonly keyId: string;
}

export type Verdict =
  | { readonly valid: true; readonly keyId: string; readonly primary: boolean; readonly claims?: unknown }
  | { readonly valid: false; readonly reason: string };

export interface KeyInUse {
  readonly name: string;
  readonly format: string;
  /** The id of the key that signs. */
  readonly keyId: string;
  /** The ids of earlier keys, which still verify. */
  readonly earlierKeyIds: readonly string[];
  /** When the key began to sign (RFC 3339). */
  readonly since: string;
}

export interface Shop {
  signOrder(body: string): Promise<SignedOrder>;
  verifyOrder(body: string, headers: Headers): Promise<Verdict>;
  startSession(user: string): Promise<Session>;
  verifySession(token: string): Promise<Verdict>;
  keys(): Promise<readonly KeyInUse[]>;
}

export const sessionSeconds = 600;

export function shopWithSigner(options: ClientOptions): Shop {
  const signer = new SignerClient({ timeoutMs: 2000, ...options });
  const sessions = signer.keySet('session', 'jwt');
  return {
    signOrder: async (body) => (await ordersOf(signer)).signOrder(body),
    verifyOrder: async (body, headers) => (await ordersOf(signer)).verifyOrder(body, headers),
    startSession: (user) => sessions.sign({ claims: { sub: user }, lifetimeSeconds: sessionSeconds }),
    verifySession: (token) => sessions.verify({ token }),
    keys: async () =>
      (await signer.keySets()).map(({ name, format, primary, keyIds, since }) => {
        return { name, format, keyId: primary, earlierKeyIds: keyIds.slice(1), since };
      }),
  };
}

/** The configuration of the signer decides how orders are signed: as Standard Webhooks, or as a tag in one header. */
async function ordersOf(signer: SignerClient): Promise<Pick<Shop, 'signOrder' | 'verifyOrder'>> {
  const { format } = await signer.keySet('orders', 'raw').describe();
  if (format === 'raw') {
    const orders = signer.keySet('orders', format);
    return {
      signOrder: async (body) => {
        const { signature, keyId } = await orders.sign({ message: body });
        return { headers: { 'shop-signature': signature }, keyId };
      },
      verifyOrder: (body, headers) =>
        orders.verify({ message: body, signature: headers['shop-signature'] ?? '' }),
    };
  }
  const orders = signer.keySet('orders', 'standard-webhooks');
  return {
    signOrder: (body) => orders.sign({ body }),
    verifyOrder: (body, headers) => orders.verify({ body, headers }),
  };
}
