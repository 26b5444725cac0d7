/** Finds a secret in bytes, in every form in which it could have been printed or stored. */

/** Names of the forms of `secret` that stand in `bytes`. */
export function traces(bytes: Uint8Array, secret: Uint8Array): string[] {
  const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const key = Buffer.from(secret);
  const escaped = [...key].map((byte) => String.fromCharCode(byte)).join('');
  const forms = {
    raw: key,
    hex: key.toString('hex'),
    'upper hex': key.toString('hex').toUpperCase(),
    // Without its end, which depends on what follows.
    base64: key.toString('base64').slice(0, 40),
    base64url: key.toString('base64url').slice(0, 40),
    'base64 of hex': Buffer.from(key.toString('hex')).toString('base64').slice(0, 80),
    'JSON text': JSON.stringify(escaped).slice(1, -1),
    'JSON array': JSON.stringify([...key]).slice(1, -1),
    'list of bytes': [...key].join(', '),
  };
  return Object.entries(forms).flatMap(([name, form]) => (haystack.includes(form) ? [name] : []));
}
