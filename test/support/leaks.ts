/** Finds secret bytes in what a program has put out, in every form in which it could have written them by mistake. */

/** Enough bytes that none is found by chance, few enough that a part of a secret is found. */
const windowBytes = 8;
/** Of a long secret, as many bytes at its beginning and at its end are looked for. */
const edgeBytes = 64;

/** The forms in which the output shows eight or more consecutive bytes of the secret; empty when it shows none. */
export function leaks(output: string | Uint8Array, secret: Uint8Array): readonly string[] {
  return leaksOfAny(output, [secret]);
}

/** The same for many secrets at once. */
export function leaksOfAny(output: string | Uint8Array, secrets: Iterable<Uint8Array>): readonly string[] {
  const wanted = new Map<string, [form: string, written: string][]>();
  for (const secret of secrets) {
    for (const window of windows(Buffer.from(secret))) {
      for (const [form, written] of forms(window)) {
        const beginning = written.slice(0, windowBytes);
        wanted.set(beginning, [...(wanted.get(beginning) ?? []), [form, written]]);
      }
    }
  }
  // One character a byte, so that raw bytes are found as well.
  const bytes = Buffer.from(output).toString('latin1');
  const found = new Set<string>();
  // Dumps put spaces and line breaks between bytes.
  for (const text of [bytes, bytes.replaceAll(/\s/g, '')]) {
    for (let at = 0; at + windowBytes <= text.length; at++) {
      for (const [form, written] of wanted.get(text.slice(at, at + windowBytes)) ?? []) {
        if (text.startsWith(written, at)) found.add(form);
      }
    }
  }
  return [...found];
}

function* windows(secret: Buffer): Generator<Buffer> {
  for (let at = 0; at + windowBytes <= secret.length; at++) {
    if (at < edgeBytes || at >= secret.length - edgeBytes) yield secret.subarray(at, at + windowBytes);
  }
}

/** The bytes of each form, one character a byte; every one has at least as many of them as the window. */
function forms(window: Buffer): readonly (readonly [form: string, written: string])[] {
  const hex = window.toString('hex');
  const pairs = hex.match(/../g) ?? [];
  const text = window.toString('utf8');
  const latin1 = window.toString('latin1');
  const asUtf8 = (written: string) => Buffer.from(written).toString('latin1');
  return [
    ['bytes', latin1],
    ['text', asUtf8(text)],
    ['latin1', asUtf8(latin1)],
    ['json', asUtf8(JSON.stringify(text).slice(1, -1))],
    ['json', asUtf8(JSON.stringify(latin1).slice(1, -1))],
    ['json', pairs.map((pair) => `\\u00${pair}`).join('')],
    ['url', `%${pairs.join('%')}`],
    ['url', encodeURIComponent(text)],
    ['hex', hex],
    ['upper-case hex', hex.toUpperCase()],
    ['hex with colons', pairs.join(':')],
    ['escaped hex', pairs.map((pair) => `\\x${pair}`).join('')],
    ['decimal', [...window].join(',')],
    ...base64Forms(window),
  ];
}

/** Wherever the window stands in a larger text; without the characters that depend on its neighbours. */
function base64Forms(window: Buffer): [string, string][] {
  return [0, 1, 2].flatMap((offset) => {
    const whole = Buffer.concat([Buffer.alloc(offset), window]).toString('base64');
    const text = whole.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + windowBytes) * 8) / 6));
    return [
      ['base64', text],
      ['base64url', text.replaceAll('+', '-').replaceAll('/', '_')],
    ];
  });
}
