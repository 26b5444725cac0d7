/** `sidecar-signer keys show`: lists what is in a key file or a JWK set, without the keys. */

import { styleText } from 'node:util';
import { parseJwkSet, readJwkSet } from '../../key-sets/jwk-set.ts';
import { decodeKey } from '../../key-sets/key-encoding.ts';
import { refuseSwapped } from '../../key-sets/rotation.ts';
import { defaultEncoding, type KeyEncoding } from '../../key-sets/settings.ts';
import { keyId } from '../../signing/mac.ts';
import { CommandFailure, unwrap } from '../failure.ts';
import { printResult } from '../output.ts';
import { isPrevious, openKeyFile, orRotationFailure } from './key-file.ts';

interface ShownKey {
  readonly keyId: string;
  /** Null if the file does not say it. */
  readonly algorithm: string | null;
  readonly bits: number;
  /** `previous`: kept by `keys rotate`; it verifies if the configuration names its file under `alsoVerify`. */
  readonly state: 'primary' | 'verifies' | 'disabled' | 'previous';
}

export interface ShowOptions {
  readonly entry?: string;
  readonly encoding?: KeyEncoding;
  readonly json?: true;
}

/** @throws {CommandFailure} */
export function keysShow(path: string, options: ShowOptions): void {
  const file = openKeyFile(path, options.entry);
  const encoding = options.encoding ?? defaultEncoding(file.name);
  const content = file.read();
  const keys = readKeys(content, encoding, file.name);
  const previous = encoding === 'jwks' ? undefined : file.previous.read();
  if (previous !== undefined && previous.length > 0 && Buffer.compare(previous, content) !== 0) {
    keys.push(...readKeys(previous, encoding, file.previous.name));
  }
  printResult(options, { keys }, keys.map(formatKey).join('\n'));
}

function readKeys(content: Uint8Array, encoding: KeyEncoding, name: string): ShownKey[] {
  const prefix = `${name}: `;
  if (encoding !== 'jwks') {
    const { bytes } = unwrap(decodeKey(content, encoding), prefix);
    if (bytes.length === 0)
      throw new CommandFailure(`${prefix}is empty; create a key (sidecar-signer keys new)`);
    const state = isPrevious(name) ? 'previous' : 'primary';
    return [{ keyId: keyId(bytes), algorithm: null, bits: bytes.length * 8, state }];
  }
  // Refuses a set that the signer would not load.
  unwrap(parseJwkSet(content), prefix);
  // Read again, because the parsed set has no disabled keys.
  const set = unwrap(readJwkSet(content), prefix);
  orRotationFailure(name, () => refuseSwapped(set));
  const { keys, primary } = set;
  return keys.map(({ kid, k, alg, disabled }) => ({
    keyId: kid,
    algorithm: alg ?? null,
    bits: Buffer.from(k, 'base64url').length * 8,
    state: kid === primary ? 'primary' : disabled ? 'disabled' : 'verifies',
  }));
}

function formatKey({ keyId, algorithm, bits, state }: ShownKey): string {
  const shown = state === 'primary' ? styleText('green', state) : state;
  return [keyId, ...(algorithm === null ? [] : [algorithm]), `${bits} bits`, shown].join('  ');
}
