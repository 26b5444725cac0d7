/** What each field of the configuration means, as the tables of the documentation say it. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { formats } from '../../src/formats/index.ts';
import { page } from './docs.ts';

/** Fields that a sentence explains and no table. */
const others: Readonly<Record<string, string>> = {
  keys: 'The key sets by name. The name is what callers use in the path /v1/keys/{name}/….',
  'rateLimit.perSecond': 'How many signatures and verifications together, on average in a second.',
  'rateLimit.burst': 'How many at once after a pause. Default: as perSecond.',
  'signed-url.parameters.expires':
    'The name of the parameter with the time at which the URL ends. Default: expires.',
  'signed-url.parameters.keyId': 'The name of the parameter with the key id. Default: kid.',
  'signed-url.parameters.signature': 'The name of the parameter with the signature. Default: signature.',
  'signed-url.laravel.absolute':
    'false signs and verifies relative URLs, as absolute: false does in Laravel. Default: true.',
};

type Row = readonly [fields: string, text: string];

/** The text of each field by its path, such as `jwt.issuer`. */
export function fieldTexts(): ReadonlyMap<string, string> {
  const texts = new Map(Object.entries(others));
  const add = (prefix: string, [names, text]: Row) => {
    for (const name of names.split(', ')) texts.set(`${prefix}${name}`, text);
  };
  for (const row of rows('docs/configuration.md', 'Fields', 'field')) add('', row);
  for (const [name, { fields }] of formats) {
    if (name === 'raw') {
      for (const row of rows('docs/formats/raw.md', 'Options', 'option')) add('', row);
    } else if (Object.hasOwn(fields, name)) {
      texts.set(name, `The options of the format ${name}. Only with "format: ${name}".`);
      for (const row of optionRows(name)) add(`${name}.`, row);
    }
  }
  for (const row of rows('docs/formats/signed-url.md', 'imgproxy', 'setting'))
    add('signed-url.imgproxy.', row);
  for (const row of rows('docs/formats/signed-url.md', 'Akamai', 'setting')) add('signed-url.akamai.', row);
  for (const row of rows('docs/formats/custom-schemes.md', 'Challenges', 'field of challenge')) {
    add('webhook.challenge.', row);
  }
  return texts;
}

function optionRows(name: string): readonly Row[] {
  if (name === 'webhook') return rows('docs/formats/custom-schemes.md', 'Options', 'option');
  const own = `docs/formats/${name}.md`;
  const path = existsSync(join(import.meta.dirname, '../..', own)) ? own : 'docs/formats/providers.md';
  return rows(path, 'Options', 'option');
}

function rows(path: string, heading: string, firstColumn: string): readonly Row[] {
  const { header, rows: all } = page(path).table(heading, firstColumn);
  const defaults = header.indexOf('default');
  return all.map((row) => {
    const [names = '', meaning = ''] = row;
    const usual = defaults < 0 ? '' : (row[defaults] ?? '');
    return [names, sentences(meaning, usual)];
  });
}

function sentences(meaning: string, usual: string): string {
  const clean = (text: string) => text.replaceAll('**', '');
  const text = `${meaning.charAt(0).toUpperCase()}${meaning.slice(1)}`;
  const ending = usual === 'required' ? ' Required.' : usual === '' ? '' : ` Default: ${usual}.`;
  return clean(`${text}.${ending}`);
}
