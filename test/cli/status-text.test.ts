/** The status for people, as the documentation shows it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import type { KeySetStatus, Status, VolumeStatus } from '../../src/api/status.ts';
import { formatStatus } from '../../src/cli/status-text.ts';

const day = (time: string) => `2026-11-24T${time}.000Z`;

const refused: VolumeStatus = {
  directory: '/etc/signer/keys',
  content: 'keys',
  layout: 'atomic',
  generation: 1,
  lastSuccess: day('12:00:04'),
  watcher: 'up',
  rescuedByPoll: 0,
  rejected: 1,
  problems: ['"orders" is not hex: an even number of the digits 0-9 a-f, with nothing around them'],
};
const orders: KeySetStatus = {
  name: 'orders',
  format: 'raw',
  algorithm: 'HS256',
  callers: { tcp: ['sign', 'verify'] },
  since: day('12:00:00'),
  keys: [{ id: 'dc069d4aa55988c4', role: 'primary', lastUsed: { sign: day('12:00:05') } }],
};
const ofOne: Status = {
  version: '0.1.0',
  ready: true,
  stopping: false,
  startedAt: day('12:00:00'),
  generation: 1,
  loadedAt: day('12:00:00'),
  keySets: 1,
  keys: [orders],
  listeners: [{ caller: 'tcp', addresses: ['127.0.0.1:8700', '[::1]:8700'] }],
  ops: ['127.0.0.1:8701', '[::1]:8701'],
  volumes: [refused],
};
const ofTwo: Status = {
  ...ofOne,
  generation: 2,
  loadedAt: day('12:30:10'),
  keys: [
    {
      ...orders,
      callers: { web: ['verify'], worker: ['sign', 'verify'] },
      since: day('12:30:10'),
      keys: [
        { id: '3d3ab72c1fade76f', role: 'primary', lastUsed: { sign: day('12:41:02') } },
        {
          id: 'c47434af3ac807e7',
          role: 'other',
          until: day('13:30:10'),
          lastUsed: { sign: day('12:30:09'), verify: day('12:35:40') },
        },
      ],
    },
  ],
  listeners: ['web', 'worker'].map((caller) => ({
    caller,
    addresses: [`/run/signer-${caller}/signer.sock`],
  })),
  volumes: [
    { ...refused, generation: 2, lastSuccess: day('12:41:07') },
    { ...refused, directory: '/etc/signer/config', content: 'configuration', problems: [] },
  ],
};

it.each([
  ['operations.md', ofOne],
  ['command-line.md', ofTwo],
])('is printed as docs/%s shows it', (file, status) => {
  const text = readFileSync(join('docs', file), 'utf8');
  const [, shown] = /^\$ sidecar-signer status\n(.*?)^```$/ms.exec(text) ?? [];
  const printed = formatStatus(status, { isChosen: false, columns: 80 });
  expect(shown).toBe(`${stripVTControlCharacters(printed)}\n`);
});
