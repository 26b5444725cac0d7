/** A status for tests that need one, without anything special in it. */

import type { KeySetStatus, Status, VolumeStatus } from '../../src/api/status.ts';

export const volume: VolumeStatus = {
  directory: '/etc/signer/keys',
  content: 'keys',
  layout: 'atomic',
  generation: 3,
  lastSuccess: '2026-11-24T00:00:00.500Z',
  watcher: 'up',
  rescuedByPoll: 1,
  rejected: 2,
  problems: [],
};

export const keySet: KeySetStatus = {
  name: 'orders',
  format: 'raw',
  algorithm: 'HS256',
  callers: { tcp: ['sign', 'verify'] },
  since: '2026-11-24T00:00:00.000Z',
  keys: [
    { id: '06d5550dfae03216', role: 'primary', lastUsed: {} },
    {
      id: '2fcbe78bd9f2370b',
      role: 'other',
      until: '2026-11-24T01:00:00.000Z',
      lastUsed: { verify: '2026-11-24T00:00:01.000Z' },
    },
  ],
};

export const status: Status = {
  version: '1.2.3',
  ready: true,
  stopping: false,
  startedAt: '2026-11-23T23:00:00.000Z',
  generation: 3,
  loadedAt: '2026-11-24T00:00:00.000Z',
  keySets: 1,
  keys: [keySet],
  listeners: [{ caller: 'tcp', addresses: ['127.0.0.1:8700', '[::1]:8700'] }],
  ops: ['127.0.0.1:8701', '[::1]:8701'],
  volumes: [volume],
};
