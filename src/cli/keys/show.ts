/** `sidecar-signer keys show`: what is in a key file or a JWK set, without the keys. */

import { styleText } from 'node:util';
import { parseJwkSet, readJwkSet } from '../../key-sets/jwk-set.ts';
import { decodeKey } from '../../key-sets/key-file.ts';
import { ok, type Result } from '../../key-sets/result.ts';
import { defaultEncoding, type KeyEncoding } from '../../key-sets/settings.ts';
import { keyId } from '../../signing/mac.ts';
import { SettingError } from '../setting-error.ts';
import { openTarget } from './target.ts';

interface ShownKey {
  readonly keyId: string;
  /** Null where the file does not say. */
  readonly algorithm: string | null;
  readonly bits: number;
  readonly state: 'primary' | 'verifies' | 'disabled';
}

export interface ShowOptions {
  readonly entry?: string;
  readonly encoding?: KeyEncoding;
  readonly json?: true;
}

/** @throws {SettingError} */
export function keysShow(file: string, { entry, encoding, json }: ShowOptions): void {
  const target = openTarget(file, entry);
  const shown = show(target.read(), encoding ?? defaultEncoding(target.name));
  if (!shown.ok) throw new SettingError(`${target.name}: ${shown.problems.join('; ')}`);
  const keys = shown.value;
  process.stdout.write(json ? `${JSON.stringify({ keys })}\n` : `${keys.map(describe).join('\n')}\n`);
}

function show(content: Uint8Array, encoding: KeyEncoding): Result<readonly ShownKey[]> {
  if (encoding === 'jwks') return showJwkSet(content);
  const decoded = decodeKey(content, encoding);
  if (!decoded.ok) return decoded;
  const { bytes } = decoded.value;
  return ok([{ keyId: keyId(bytes), algorithm: null, bits: bytes.length * 8, state: 'primary' }]);
}

function showJwkSet(content: Uint8Array): Result<readonly ShownKey[]> {
  const usable = parseJwkSet(content);
  if (!usable.ok) return usable;
  const set = readJwkSet(content);
  if (!set.ok) return set;
  const { keys, primary } = set.value;
  return ok(
    keys.map(({ kid, k, alg, disabled }) => ({
      keyId: kid,
      algorithm: alg ?? null,
      bits: Buffer.from(k, 'base64url').length * 8,
      state:
        kid === primary ? ('primary' as const) : disabled ? ('disabled' as const) : ('verifies' as const),
    })),
  );
}

function describe({ keyId, algorithm, bits, state }: ShownKey): string {
  const shown = state === 'primary' ? styleText('green', state) : state;
  return [keyId, ...(algorithm === null ? [] : [algorithm]), `${bits} bits`, shown].join('  ');
}
