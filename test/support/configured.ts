/** The compiled binary with keys and a configuration, and a client to speak to it. */

import { join } from 'node:path';
import { SignerClient } from '../../src/client/index.ts';
import { type Payload, writeVolume } from './atomic-writer.ts';
import { type Signer, startSigner, temporaryDirectory } from './signer.ts';

export interface ConfiguredSigner extends AsyncDisposable {
  readonly signer: Signer;
  readonly client: SignerClient;
  /** The flags by which commands read the same keys. */
  readonly args: readonly string[];
}

/** @param keySets what stands under `keys:` in the configuration file, as JSON, which is YAML too */
export async function startConfigured(files: Payload, keySets: object): Promise<ConfiguredSigner> {
  const directory = temporaryDirectory();
  const [keys, config] = [join(directory.path, 'keys'), join(directory.path, 'config')];
  writeVolume(keys, files);
  writeVolume(config, { 'signer.yaml': JSON.stringify({ keys: keySets }) });
  const args = ['--keys', keys, '--config', join(config, 'signer.yaml')];
  const signer = await startSigner(args);
  await signer.ready();
  return {
    signer,
    client: new SignerClient({ url: signer.url }),
    args,
    [Symbol.asyncDispose]: async () => {
      await signer.stop();
      directory[Symbol.dispose]();
    },
  };
}
