/** The API of a shop, which anyone can call. */

/** A request failed. The message is for the user. */
export class ShopError extends Error {}

const json = { 'content-type': 'application/json' };
const patienceMs = 10_000;
/** Of a large file, the page gets the beginning only. */
const maxCharacters = 2 ** 20;

/**
 * @param {string} origin of the shop; empty for the one that this page is from
 * @returns the calls that the shop answers; each throws a ShopError if it does not
 */
export function shopAt(origin) {
  const url = (path) => `${origin}/${path}`;
  const post = (path, body) => ask(url(path), { method: 'POST', headers: json, body: JSON.stringify(body) });
  return {
    keys: () => ask(url('api/keys')),
    order: (item) => post('api/orders', { item }),
    signIn: (user) => post('api/session', { user }),
    /** Sends a webhook to its receiver. */
    sendWebhook: (body, headers) => present(url('webhooks'), { method: 'POST', headers, body }),
    whoAmI: (token) => present(url('api/session'), { headers: { authorization: `Bearer ${token.trim()}` } }),
    /** Downloads an invoice as the shop means it. */
    invoice: (name) => reach(url(`invoices?name=${encodeURIComponent(name)}`), {}, textOf),
    /**
     * Reads a file through the bug: its content, or the error code of the system.
     * @param {string} path absolute, or relative to the folder of the shop
     * @returns {Promise<{ content: string, isCut: boolean } | { refused: string }>}
     */
    readFile: (path) => {
      // The shop appends the name to a folder, and enough ".." lead from there to the root.
      const name = path.startsWith('/') ? `../../../../../../../..${path}` : `../${path}`;
      return reach(url(`invoices?name=${encodeURIComponent(name)}`), {}, async (response) => {
        const { text, isCut } = await textOf(response);
        return response.ok ? { content: text, isCut } : { refused: text.split(':')[0] };
      });
    },
  };
}

/** Sends something signed for verification. Text that a header cannot carry is not a signature, and is not sent. */
async function present(url, init) {
  const isSendable = Object.values(init.headers).every((value) => /^[ -~]*$/.test(value));
  return isSendable ? ask(url, init, [200, 401]) : { valid: false, reason: 'malformed' };
}

function ask(url, init, expected = [200]) {
  return reach(url, init, async (response) => {
    const answer = await response.json();
    if (!expected.includes(response.status)) throw new ShopError(answer.error);
    return answer;
  });
}

async function textOf({ body }) {
  let text = '';
  for await (const part of partsOf(body)) {
    text += part;
    if (text.length > maxCharacters) return { text: text.slice(0, maxCharacters), isCut: true };
  }
  return { text, isCut: false };
}

/** Cancels the download when its reader has enough. Not every browser can iterate over a stream by itself. */
async function* partsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel();
  }
}

async function reach(url, init, use) {
  try {
    return await use(await fetch(url, { ...init, signal: AbortSignal.timeout(patienceMs) }));
  } catch (error) {
    if (error instanceof ShopError) throw error;
    if (error.name === 'TimeoutError') throw new ShopError('the shop has not answered for ten seconds');
    throw new ShopError(
      'the shop cannot be reached; start it with “docker compose -f docker/compose.yaml up -d”',
    );
  }
}
