/** The section "Derived keys" of the README: its configuration is served, its commands are run as they stand. */

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { formats } from '../../src/formats/index.ts';
import { writeVolume } from '../support/atomic-writer.ts';
import { codeBlocks, table } from '../support/readme.ts';
import { openShell } from '../support/shell.ts';
import { type Signer, startSigner } from '../support/signer.ts';

const heading = 'Derived keys';
const block = (language: string) =>
  codeBlocks.find((each) => each.heading === heading && each.language === language)?.code ?? '';
const [command = '', shown = ''] = block('console').replace(/^\$ /, '').split('\n');

const shell = openShell();
let signer: Signer;
beforeAll(async () => {
  const [keys, config] = [join(shell.directory, 'keys'), join(shell.directory, 'signer.yaml')];
  writeVolume(keys, { 'endpoints-root': randomBytes(32) });
  writeFileSync(config, block('yaml'));
  signer = await startSigner(['--keys', keys, '--config', config]);
  await signer.ready();
});
afterAll(async () => {
  await signer.stop();
  shell[Symbol.dispose]();
});

it('shows a request, its answer, and the secret by which the customer accepts it', async () => {
  const request = block('sh').replace('http://127.0.0.1:8700', signer.url);
  const answer = JSON.parse(await shell.run(request));
  const expected = JSON.parse(block('json'));
  expect(Object.keys(answer)).toEqual(Object.keys(expected));
  expect(Object.keys(answer.headers)).toEqual(Object.keys(expected.headers));
  expect(answer.keyId).toMatch(/^[0-9a-f]{16}$/);

  const printed = await shell.run(command);
  expect(printed).toMatch(/^whsec_[A-Za-z0-9+/]{43}=\n$/);
  expect(shown).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  const body = '{"type":"order.paid"}';
  expect(new Webhook(printed.trim()).verify(body, answer.headers)).toEqual(JSON.parse(body));
});

it('says of every format how its secrets are written', () => {
  const written: Record<string, string> = {
    whsec: 'whsec_ and base64',
    text: 'hex digits, which are the key as they stand',
    base64url: 'base64url of the key, as the k of a JWK',
    hex: 'hex of the key',
  };
  const listed = table(heading, 'format').rows.flatMap(([names = '', secret]) =>
    names.split(', ').map((name) => [name, secret]),
  );
  const options = { accessKeyId: 'AKIDEXAMPLE', services: ['s3'], regions: ['us-east-1'] };
  const actual = [...formats].map(([name, { create }]) => [
    name,
    written[create({ [name]: name === 'aws-sigv4' ? options : {} }).secretEncoding ?? 'hex'],
  ]);
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(actual));
});
