/** `npm run generate`: writes the files of docs/ that are made from the code. A test holds each equal to the code. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeApi } from '../src/http/openapi.ts';
import { version } from '../src/ops/status.ts';
import { configurationSchema } from './support/configuration-schema.ts';

const root = join(import.meta.dirname, '..');

const generated: Readonly<Record<string, object>> = {
  'docs/openapi.json': describeApi(version),
  'docs/signer.schema.json': configurationSchema(),
};

for (const [path, content] of Object.entries(generated)) {
  writeFileSync(join(root, path), `${JSON.stringify(content, null, 2)}\n`);
  console.log(path);
}
