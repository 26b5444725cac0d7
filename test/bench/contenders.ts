/** The servers that are measured: the signer, and those that it is compared with. */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { binary } from '../support/signer.ts';
import type { Start } from './server.ts';

const root = join(import.meta.dirname, '../..');
const baseline = join(import.meta.dirname, 'baseline');

export const signer =
  (keys: string, config?: string): Start =>
  (port) => [
    binary,
    [
      'serve',
      '--keys',
      keys,
      ...(config === undefined ? [] : ['--config', config]),
      '--listen',
      `127.0.0.1:${port}`,
      '--ops-listen',
      'none',
      '--log-level',
      'error',
    ],
  ];

export const nodeHttp: Start = (port) => [process.execPath, [join(baseline, 'node-http.ts'), String(port)]];

/** Compiled as the binary is. */
export function compileBunServe(directory: string): Start {
  const file = join(directory, 'bun-serve');
  const script = packageJson.scripts['build:binary']
    .replace('src/main.ts', join(baseline, 'bun-serve.ts'))
    .replace(/ \S+$/, ` ${file}`);
  const { status, stderr } = spawnSync('npm', ['exec', '--call', script], { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the baseline could not be compiled: ${stderr}`);
  return (port) => [file, [String(port)]];
}

const njsModule = '/usr/lib/nginx/modules/ngx_http_js_module.so';

/** @returns undefined where nginx or njs is not installed (Debian: nginx, libnginx-mod-http-js) */
export function njs(directory: string): Start | undefined {
  if (!isInstalled('nginx') || !existsSync(njsModule)) return undefined;
  return (port) => {
    const file = join(directory, 'nginx.conf');
    writeFileSync(
      file,
      `load_module ${njsModule};
      daemon off; master_process off; pid ${directory}/nginx.pid; error_log /dev/null;
      events {}
      http {
        access_log off;
        keepalive_requests 1000000000;
        client_body_in_single_buffer on;
        client_body_temp_path ${directory};
        js_import main from ${baseline}/njs.js;
        server {
          listen 127.0.0.1:${port};
          location / { js_content main.sign; }
        }
      }`,
    );
    return ['nginx', ['-p', directory, '-c', file]];
  };
}

/** @returns undefined where HAProxy is not installed */
export function haproxy(directory: string): Start | undefined {
  if (!isInstalled('haproxy')) return undefined;
  return (port) => {
    const file = join(directory, 'haproxy.cfg');
    const hmac = `hmac(sha256,${randomBytes(32).toString('base64')}),hex,lower`;
    const answer = `{"signature":"%[req.body,${hmac}]","keyId":"${randomBytes(8).toString('hex')}","algorithm":"HS256"}`;
    writeFileSync(
      file,
      `global
  nbthread 1
defaults
  mode http
  timeout client 10s
frontend sign
  bind 127.0.0.1:${port}
  option http-buffer-request
  http-request return status 200 content-type application/json lf-string '${answer}'
`,
    );
    return ['haproxy', ['-f', file]];
  };
}

function isInstalled(program: string): boolean {
  return spawnSync(program, ['-v']).error === undefined;
}
