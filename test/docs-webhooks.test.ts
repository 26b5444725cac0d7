/** docs/formats/providers.md and docs/formats/custom-schemes.md say what the table of providers and the engine do. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import * as z from 'zod/mini';
import { targetHeaders } from '../src/api/message-headers.ts';
import { type ProviderName, providers } from '../src/api/providers.ts';
import { headerNames, type Provider } from '../src/api/webhook-scheme.ts';
import { receivedHeaders } from '../src/client/received-headers.ts';
import { parseConfiguration } from '../src/config/file.ts';
import { formats } from '../src/formats/index.ts';
import { headerVariables, signedVariables } from '../src/formats/webhook/variables.ts';
import { officialClients } from './interop/official-clients.ts';
import { published } from './interop/provider-messages.ts';
import { page, pages } from './support/docs.ts';
import { at, inUse } from './support/format.ts';
import { atOnce } from './support/keys.ts';

const root = join(import.meta.dirname, '..');
const names = (Object.keys(providers) as ProviderName[]).sort();
const entry = (name: ProviderName): Provider => providers[name];
const formatOf = (name: ProviderName) => {
  const found = formats.get(name);
  if (found === undefined) throw new Error(`no format ${name}`);
  return found;
};
const split = (cell = '') => (cell === '' ? [] : cell.split(', '));
/** The options under the name of a format. */
const optionsOf = (name: 'webhook' | ProviderName) => {
  const { [name]: schema } = formats.get(name)?.fields ?? {};
  const options = schema instanceof z.ZodMiniOptional ? schema.def.innerType : schema;
  return options instanceof z.ZodMiniObject ? Object.keys(options.def.shape) : [];
};

describe('docs/formats/providers.md', () => {
  const { table, text } = page('docs/formats/providers.md');

  it('lists every provider, with its source, its headers and what is signed', () => {
    const { rows, sources } = table('All providers', 'format');
    const expected = names.map((name) => {
      const { signed, algorithm = 'HS256', output = 'hex' } = entry(name);
      return [name, signed, `${algorithm}, ${output}`];
    });
    expect(rows.map(([name, , , signed, written]) => [name, signed, written])).toEqual(expected);
    expect(sources.map(([cell]) => cell)).toEqual(
      names.map((name) => `[\`${name}\`](${entry(name).source})`),
    );
    for (const [name = '', , listed] of rows) {
      const written = split(listed).flatMap((header) => headerNames(header, { signed: '', headers: {} }));
      const read = formatOf(name as ProviderName).create({}).verificationHeaders ?? [];
      expect([name, written.map((each) => each.toLowerCase()).sort()]).toEqual([name, read.toSorted()]);
      const received = Object.fromEntries(written.map((each) => [each.toLowerCase(), 'x']));
      expect(receivedHeaders(received, name as ProviderName)).toEqual(received);
    }
    // Every page that counts them counts the same.
    expect(text).toContain(`the webhook schemes of ${names.length} providers`);
    const counted = pages.flatMap(({ text }) => [
      ...text.matchAll(/\b(?:all|of) (\d+) (?:providers|that the signer knows)/g),
    ]);
    expect(counted.map(([, count]) => Number(count))).toEqual(counted.map(() => names.length));
    expect(counted.length).toBeGreaterThan(2);
  });

  it('has a line of configuration for each, which the signer accepts', () => {
    for (const [name = '', line = ''] of table('All providers', 'format').rows) {
      expect(parse(line)).toEqual({
        encoding: entry(name as ProviderName).secretEncoding ?? 'text',
        format: name,
      });
      const read = atOnce(parseConfiguration(stringify({ keys: { one: parse(line) } })));
      expect(read).toMatchObject({ ok: true, value: { warnings: [] } });
    }
  });

  it('has the time of each that signs one, and the default of each option', () => {
    const timed = names.filter((name) => optionsOf(name).includes('toleranceSeconds'));
    const expected = timed.map((name) => {
      const { timestamp = 'seconds', bodyTimestamp } = entry(name);
      const shown = formatOf(name).create({}).options as Readonly<Record<string, unknown>>;
      const place = bodyTimestamp === undefined ? '' : `, in the body at ${bodyTimestamp}`;
      const { toleranceSeconds, futureToleranceSeconds } = shown;
      return [name, `${timestamp}${place}`, `${toleranceSeconds}`, `${futureToleranceSeconds}`];
    });
    expect(table('Times', 'format').rows).toEqual(expected);
    const ofTimes = ['toleranceSeconds', 'futureToleranceSeconds'];
    const rows = table('Options', 'option').rows;
    expect(rows.map(([option]) => option)).toEqual([...ofTimes, 'signWith']);
    const withAll = split(rows.at(-1)?.at(-1));
    for (const name of names) {
      const listed = [
        ...(timed.includes(name) ? ofTimes : []),
        ...(withAll.includes(name) ? ['signWith'] : []),
      ];
      expect([name, optionsOf(name).toSorted()]).toEqual([name, listed.toSorted()]);
    }
  });

  it('says of each without a page of its own what its secret is', () => {
    const own = names.filter((name) => existsSync(join(root, `docs/formats/${name}.md`)));
    const { rows } = table('What to watch out for', 'format');
    expect(rows.map(([name]) => name)).toEqual(names.filter((name) => !own.includes(name)));
    expect(rows.filter(([, secret]) => secret === '')).toEqual([]);
  });

  it('says which of them need a URL or a method', () => {
    const listed = table('The URL', 'format').rows.flatMap(([cell, members]) =>
      split(cell).map((name) => [name, members]),
    );
    const expected = names.flatMap((name) => {
      const members = ['url', 'method'].filter((each) => entry(name).signed.includes(`{${each}}`));
      return members.length === 0 ? [] : [[name, members.join(', ')]];
    });
    expect(listed.sort()).toEqual(expected);
  });

  it('says which of them are ambiguous, as the signer warns', () => {
    const isAmbiguous = (name: ProviderName) =>
      formatOf(name)
        .create({})
        .warnings?.some((warning) => /can be read in two ways/.test(warning));
    const listed = table('Ambiguous schemes', 'format').rows.map(([name]) => name);
    expect(listed).toEqual(names.filter(isAmbiguous));
  });

  it('says which of them send challenges', () => {
    const listed = table('Answer a challenge', 'provider').rows.map(([name = '']) => name.toLowerCase());
    expect(listed.sort()).toEqual(names.filter((name) => entry(name).challenge !== undefined));
  });

  it('says how each was checked', () => {
    const { rows } = table('How they were checked', 'format');
    expect(rows.map(([name]) => name)).toEqual(names);
    const read = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8')).devDependencies;
    const installed = { ...read('package.json'), ...read('test/interop/clients/package.json') };
    for (const [name = '', library = '', vector = '', other = ''] of rows) {
      const [, what = '', version] = /^(\S+) (\S+)$/.exec(library) ?? [];
      const isRun = officialClients.some((each) => each === name);
      expect([name, library !== '', version]).toEqual([name, isRun, isRun ? installed[what] : undefined]);
      const hasVector = existsSync(join(root, `test/vectors/${name}.json`));
      expect([name, vector === 'yes']).toEqual([name, hasVector]);
      expect(library + vector + other, name).not.toBe('');
    }
    expect(published.filter((name) => !existsSync(join(root, `test/vectors/${name}.json`)))).toEqual([]);
  });
});

describe('docs/formats/custom-schemes.md', () => {
  const { table, tables, text } = page('docs/formats/custom-schemes.md');
  const refusals = tables.find(({ heading }) => heading === 'Refusals');

  it('lists every option of a scheme', () => {
    const listed = table('Options', 'option').rows.flatMap(([cell]) => split(cell));
    expect(listed.sort()).toEqual(optionsOf('webhook').toSorted());
  });

  it('lists every variable', () => {
    const [signed, ofHeaders] = tables
      .filter(({ heading }) => heading === 'Variables')
      .map(({ rows }) => rows.flatMap(([cell]) => split(cell)).sort());
    expect(signed).toEqual(
      signedVariables.map((name) => (name === 'header:' ? '{header:name}' : `{${name}}`)).sort(),
    );
    expect(ofHeaders).toEqual(headerVariables.map((name) => `{${name}}`).sort());
  });

  it('names the HTTP header of each member of a request', () => {
    const listed = table('What a request has', 'HTTP header').rows.map(([header = '', cell = '']) => [
      cell.split(',')[0],
      header.toLowerCase(),
    ]);
    expect(Object.fromEntries(listed)).toEqual(targetHeaders);
  });

  it.each((refusals?.sources ?? []).map((source) => source.map((cell) => cell.replaceAll('`', ''))))(
    'shows what is refused: %s',
    (message, example = '') => {
      const [scheme] = page('docs/formats/custom-schemes.md').blocksUnder('Refusals', 'yaml');
      const { algorithm, allow, ...fields } = parse(example);
      const keySet = {
        format: 'webhook',
        ...(algorithm === undefined ? {} : { algorithm }),
        ...(allow === undefined ? {} : { allow }),
      };
      const webhook = parse(scheme?.code ?? '');
      const read = (more: object) =>
        atOnce(
          parseConfiguration(stringify({ keys: { p: { ...keySet, webhook: { ...webhook, ...more } } } })),
        );
      const { ok, ...answer } = read(fields);
      expect(ok).toBe(false);
      const told = 'problems' in answer ? answer.problems.join('\n') : '';
      for (const part of message?.split(' … ') ?? []) expect(told).toContain(part);
    },
  );

  it('begins its list of refusals with a scheme that is accepted', () => {
    const [scheme] = page('docs/formats/custom-schemes.md').blocksUnder('Refusals', 'yaml');
    const keySet = { format: 'webhook', webhook: parse(scheme?.code ?? '') };
    const read = atOnce(parseConfiguration(stringify({ keys: { p: keySet } })));
    expect(read).toMatchObject({ ok: true, value: { warnings: [] } });
    expect(refusals?.rows.length).toBeGreaterThan(40);
  });

  it('shows an attack that works on an ambiguous scheme, and on no other', () => {
    const shift = (signed: string, ambiguous: boolean) => {
      const headers = { I: '{id}', T: '{timestamp}', S: '{signature}' };
      const options = { signed, headers, ambiguous, toleranceSeconds: 'none' };
      const secret = Buffer.from('the secret, which is long enough');
      const signer = inUse('webhook', options, { secrets: [secret], now: at(1_795_521_600) });
      const body = '1795607999 parcels are on their way';
      const { headers: sent } = signer.sign({ body, id: 'evt_8' });
      const { S = '' } = sent;
      const shifted = { I: 'evt_81795521600', T: '1795607999', S };
      return [
        signer.verify({ body, headers: sent }).valid,
        signer.verify({ body: ' parcels are on their way', headers: shifted }).valid,
      ];
    };
    expect(shift('{id}{timestamp}{body}', true)).toEqual([true, true]);
    expect(shift('{id}.{timestamp}.{body}', false)).toEqual([true, false]);
    for (const part of ['evt_81795521600', '1795607999', ' parcels are on their way']) {
      expect(text).toContain(part);
    }
  });

  it('quotes the refusal of this scheme, and the warnings, as they are', () => {
    const headers = { I: '{id}', T: '{timestamp}', S: '{signature}' };
    const webhook = { signed: '{id}{timestamp}{body}', headers };
    const read = atOnce(parseConfiguration(stringify({ keys: { p: { format: 'webhook', webhook } } })));
    const [problem = ''] = 'problems' in read ? read.problems : [];
    expect(text).toContain(problem.replace(/^keys\.p\./, '').replace(/ \(line \d+\)$/, ''));
    const made = formats.get('webhook')?.create({
      algorithm: 'HMAC-SHA1',
      webhook: { ...webhook, ambiguous: true, toleranceSeconds: 'none' },
    });
    const listed = table('Warnings', 'message').rows.map(([message = '']) => message);
    const { warnings = [] } = made ?? {};
    expect(warnings).toHaveLength(listed.length);
    for (const [index, message] of listed.entries()) expect(warnings[index]).toContain(message);
  });
});
