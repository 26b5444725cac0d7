import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createMarkers } from './marker.ts';

/** Each writes a key as some careless line of code would. */
const leaks: Readonly<Record<string, (key: Buffer) => string | Buffer>> = {
  'as its bytes': (key) => key,
  'by String()': (key) => String(key.subarray(0, 0)) + key.toString('latin1'),
  'in hex': (key) => key.toString('hex'),
  'in upper case hex': (key) => key.toString('hex').toUpperCase(),
  'by inspect()': (key) => inspect(key),
  'in base64': (key) => key.toString('base64'),
  'in base64 after one byte': (key) => Buffer.concat([Buffer.from('='), key]).toString('base64'),
  'in base64 after two bytes': (key) => Buffer.concat([Buffer.from('k='), key]).toString('base64'),
  'in base64url': (key) => key.toString('base64url'),
  'as a JSON string': (key) => JSON.stringify({ key: key.toString('latin1') }),
  'as a JSON buffer': (key) => JSON.stringify(key),
  'in an URL': (key) => `/${key.toString('hex').replace(/../g, '%$&')}`,
  'in part, from its middle': (key) => `...${key.subarray(9, 17).toString('hex')}...`,
};

describe('the search for key bytes finds a key', () => {
  test.for(Object.entries(leaks))('%s', ([, write]) => {
    const markers = createMarkers();
    for (const key of [markers.key(), markers.textKey(), markers.key(4096)]) {
      markers.saw('{"level":"info","msg":"');
      markers.saw(write(key.subarray(0, 64)));
      markers.saw('"}');
      expect(markers.leaks()).not.toEqual([]);
    }
  });

  test('and nothing where there is none', () => {
    const markers = createMarkers();
    const key = markers.key();
    markers.saw(createMarkers().key(4096).toString('base64'));
    markers.saw(key.subarray(0, 7));
    expect(markers.leaks()).toEqual([]);
  });
});
