/** Signs and verifies a message of its own, so that a scheme which contradicts itself is found when it is loaded. */

import type { SigningContext } from '../../signing/format.ts';
import { createMac, type Key } from '../../signing/mac.ts';
import { startSigning, startVerification } from './engine.ts';
import { namesOf } from './pointer.ts';
import type { Told } from './request.ts';
import type { Scheme } from './scheme.ts';
import { notations } from './timestamp.ts';

const now = Date.UTC(2027, 0, 15, 8);
const target = { url: 'https://hooks.example/in?a=1', method: 'POST' };
const parts = { path: '/in', query: 'a=1', host: 'hooks.example' };

/**
 * Signs by one of two keys, and verifies by both.
 * @returns whether exactly the signed body is accepted, and by the key that signed it
 */
export function passesSelfTest(scheme: Scheme): boolean {
  const [first = '', second = ''] = [...'abcdefghijklmnopqrstuvwxyz0123456789'].filter(
    (id) => scheme.ownKeyId?.test(id) ?? true,
  );
  const [signing, other] = [keyOf(scheme, first), keyOf(scheme, second)];
  const body = Buffer.from(JSON.stringify(bodyOf(scheme)));
  const header = (name: string) => (scheme.signedHeaders.includes(name) ? 'value' : undefined);
  const signed = startSigning(scheme, contextOf(signing), { ...told(scheme), header });
  signed.update(body);
  const headers = new Map(
    Object.entries(signed.finish().headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const verify = (bytes: Uint8Array) => {
    const received = (name: string) => headers.get(name) ?? header(name);
    const sink = startVerification(scheme, contextOf(other, signing), { ...told(scheme), header: received });
    sink.update(bytes);
    return sink.finish();
  };
  const flipped = Buffer.from(body);
  flipped.writeUInt8(flipped.readUInt8(flipped.length - 2) ^ 1, flipped.length - 2);
  const answer = verify(body);
  return answer.valid && answer.keyId === signing.id && !verify(flipped).valid;
}

function told({ members }: Scheme): Omit<Told, 'header'> {
  return members.has('url') || members.has('method') ? target : parts;
}

function contextOf(...keys: [Key, ...Key[]]): SigningContext {
  return { keys, now, random: (size) => Buffer.alloc(size, 1), checkSize: () => undefined };
}

function keyOf({ algorithm }: Scheme, id: string): Key {
  return { id, mac: createMac(algorithm, Buffer.alloc(32, id)) };
}

/** A JSON body with the time in its place. */
function bodyOf({ time }: Scheme): unknown {
  if (time?.pointer === undefined) return { event: 'self-test' };
  const text = notations[time.unit].write(now);
  return namesOf(time.pointer).reduceRight<unknown>((inner, name) => ({ [name]: inner }), text);
}
