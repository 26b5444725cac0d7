import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { normaliseEnvironment, refuseInjection, takeVariable } from '../../src/cli/environment.ts';
import { CommandFailure } from '../../src/cli/failure.ts';

let saved: NodeJS.ProcessEnv = {};
beforeEach(() => {
  saved = { ...process.env };
});
afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in saved)) delete process.env[name];
  Object.assign(process.env, saved);
});

describe('a key in a variable', () => {
  it('is taken, and gone from the environment', () => {
    process.env['SIGNING_KEY'] = 'schlüssel';
    expect(takeVariable('SIGNING_KEY')).toEqual(Buffer.from('schlüssel'));
    expect('SIGNING_KEY' in process.env).toBe(false);
    expect(takeVariable('SIGNING_KEY')).toBeUndefined();
  });

  it('is gone for every child process as well', () => {
    process.env['SIGNING_KEY'] = 'secret';
    takeVariable('SIGNING_KEY');
    const { stdout } = spawnSync(process.execPath, ['-p', '"SIGNING_KEY" in process.env'], {
      encoding: 'utf8',
    });
    expect(stdout.trim()).toBe('false');
  });

  it('may be empty, which is not the same as not set', () => {
    process.env['SIGNING_KEY'] = '';
    expect(takeVariable('SIGNING_KEY')).toHaveLength(0);
  });

  it.each(['__proto__', 'constructor', 'toString'])('is not found in names of JavaScript: %s', (name) => {
    expect(takeVariable(name)).toBeUndefined();
  });

  it('whose bytes are not UTF-8 comes with the mark by which that is seen', () => {
    // A shell sets what no JavaScript could.
    const script = join(import.meta.dirname, '../../src/cli/environment.ts');
    const code = `import { takeVariable } from ${JSON.stringify(script)}; process.stdout.write(takeVariable('K').toString('hex'))`;
    const shell = `K=$(printf 'a\\377b') exec "$0" --input-type=module -e "$1"`;
    const { stdout } = spawnSync('sh', ['-c', shell, process.execPath, code], { encoding: 'utf8' });
    expect(stdout).toBe('61efbfbd62');
  });
});

describe('an environment that could put code into the process', () => {
  beforeEach(() => {
    for (const name of Object.keys(process.env)) if (/^(?:BUN|NODE|LD)_/.test(name)) delete process.env[name];
  });

  it.each([
    'BUN_OPTIONS',
    'BUN_BE_BUN',
    'BUN_CONFIG_PRELOAD',
    'BUN_INSPECT',
    'BUN_INSPECT_CONNECT_TO',
    'BUN_JSC_useJIT',
    'NODE_OPTIONS',
    'NODE_PATH',
    'LD_PRELOAD',
    'LD_AUDIT',
    'LD_LIBRARY_PATH',
  ])('is refused by name, without its value: %s', (name) => {
    process.env[name] = 'q7Zk9VxW';
    expect(refuseInjection).toThrow(CommandFailure);
    expect(refuseInjection).toThrow(name);
    expect(refuseInjection).not.toThrow('q7Zk9VxW');
  });

  it('is refused with every such name at once', () => {
    process.env['LD_PRELOAD'] = 'x';
    process.env['BUN_OPTIONS'] = '';
    expect(refuseInjection).toThrow(/LD_PRELOAD.*BUN_OPTIONS|BUN_OPTIONS.*LD_PRELOAD/);
  });

  it.each(['NODE_ENV', 'NODE_EXTRA_CA_CERTS', 'BUNDLE', 'MY_LD_PRELOAD', 'LD_PRELOADED', 'ld_preload'])(
    'is not one with %s',
    (name) => {
      process.env[name] = 'x';
      expect(refuseInjection).not.toThrow();
    },
  );
});

describe('a variable that stands for a flag', () => {
  it('is not set when it is empty', () => {
    process.env['SIGNER_LISTEN'] = '';
    process.env['OTHER'] = '';
    normaliseEnvironment();
    expect('SIGNER_LISTEN' in process.env).toBe(false);
    expect(process.env['OTHER']).toBe('');
  });
});
