/** Which values of `Host` the ops listener serves. */

import { describe, expect, it } from 'vitest';
import { createOpsGuard } from '../../src/ops/guard.ts';

const guard = createOpsGuard(['signer.default.svc', 'Prometheus-Target']);
const ask = (host?: string) => () =>
  guard(new Request('http://localhost/status', { headers: host === undefined ? {} : { host } }), '/status');

describe('the Host header of the ops listener', () => {
  it.each([
    '127.0.0.1',
    '127.0.0.1:8701',
    '10.1.2.3:8701',
    '10.1.2.3:1',
    '10.1.2.3:',
    '[::1]',
    '[::1]:8701',
    '[fd00::A:5]:8701',
    '[::ffff:10.1.2.3]:8701',
    'localhost',
    'LOCALHOST:8701',
    'signer.default.svc',
    'signer.default.svc:8701',
    'prometheus-target:80',
  ])('%s is served', (host) => {
    expect(ask(host)).not.toThrow();
  });

  it.each([
    'evil.test',
    'evil.test:8701',
    'localhost.evil.test',
    'localhost.',
    '127.1',
    '127.0.0.1.evil.test',
    '2130706433',
    '0x7f.0.0.1',
    '999.0.0.1',
    'another.default.svc',
    'x.signer.default.svc',
    '__proto__',
  ])('%s is refused, and the message names the flag', (host) => {
    expect(ask(host)).toThrow(
      expect.objectContaining({
        code: 'forbidden_caller',
        message:
          'the Host header must be an IP address or localhost; allow another name with --ops-allowed-host',
      }),
    );
  });

  it.each([
    undefined,
    '',
    ' ',
    ':8701',
    'localhost, evil.test',
    'localhost,localhost',
    'user@localhost',
    'localhost:port',
    'localhost:123456',
    'localhost/status',
    '::1',
    '[::1',
    '[::zz]',
    '[1.2.3.4]',
    '[fe80::1%25eth0]',
  ])('%s is malformed', (host) => {
    expect(ask(host)).toThrow(expect.objectContaining({ code: 'malformed_request' }));
  });
});
