/** How `inject` treats the text of manifests: styles, and what is not valid. */

import { describe, expect, it } from 'vitest';
import { inject } from '../../../src/cli/inject/inject.ts';
import { documentsOf } from './manifests.ts';

/** A Deployment with these lines in the spec of its pods. */
function manifest(...lines: readonly string[]): string {
  const head = [
    'apiVersion: apps/v1',
    'kind: Deployment',
    'metadata:',
    '  name: shop',
    'spec:',
    '  template:',
    '    spec:',
  ];
  return [...head, ...lines.map((line) => `      ${line}`), ''].join('\n');
}

const one = ['containers:', '- name: web'];
const plain = manifest(...one);

function injected(text: string): string {
  const result = inject(text, { all: true });
  expect(result).toMatchObject({ exitCode: 0, summary: [{ action: 'added' }] });
  return result.text;
}

function refusalOf(text: string): string {
  const { text: out, exitCode, summary, problems } = inject(text, { all: true });
  expect({ out, exitCode }).toEqual({ out: '', exitCode: 1 });
  return [...problems, ...summary.flatMap(({ reasons }) => reasons)].join('; ');
}

describe('unchanged, byte for byte, is', () => {
  it.each([
    ['an empty stream', ''],
    ['a marker alone', '---\n'],
    ['markers', '---\n---\n...\n---'],
    ['comments', '# a\n\n  # b\n'],
    ['null', '---\nnull\n---\n~\n---\n'],
    ['blank lines', '\n\n \n'],
    ['a byte order mark', '\uFEFF'],
    ['other objects in any style', 'kind:   ConfigMap\ndata: {a:  b,\n "c": |-}\n'.replace('|-', "'d'")],
    ['text that is no object', 'just text\n---\n- a\n-   b\n---\n42\n'],
    ['a comment after the end', 'a: 1\n... # end\n# more\n'],
    ['an object with a key twice', 'kind: ConfigMap\na: 1\na: 2\n'],
    ['a custom tag', 'kind: Template\na: !Ref x\n'],
  ])('%s', (_, text) => {
    expect(inject(text, { all: true })).toEqual({ text, exitCode: 0, summary: [], problems: [] });
  });
});

describe('the document is found and the others stay', () => {
  it.each([
    ['before', `${plain}---\nkind:  Service # x\n`],
    ['after', `kind:  Service # x\n---\n${plain}`],
    ['between', `# first\n---\nkind:  Service\n--- # second\n${plain}---\n{}\n`],
    ['after a directive', `%YAML 1.1\n---\n${plain}`],
    ['after the end of another, with a directive', `a: 1\n...\n%YAML 1.1\n---\n${plain}`],
    ['before an explicit end', `${plain}...\n# the end\n`],
    ['after comments that look like markers', `# ---\n#---\n${plain}`],
    ['after a text with dashes in it', `kind: ConfigMap\ndata:\n  a: |\n    ---\n    b\n---\n${plain}`],
    ['with a byte order mark', `\uFEFF${plain}`],
    ['with Windows line ends', plain.replaceAll('\n', '\r\n')],
    ['without a final line break', plain.trimEnd()],
    ['with Windows line ends, without the last', plain.trimEnd().replaceAll('\n', '\r\n')],
  ])('%s', (_, text) => {
    const result = injected(text);
    const [before = '', after = ''] = text.split('- name: web');
    expect(result.startsWith(before)).toBe(true);
    expect(result.endsWith(after.trimStart())).toBe(true);
    expect(inject(result, { remove: true }).text).toBe(text);
    const others = (from: string) =>
      documentsOf(from).filter((each) => !JSON.stringify(each).includes('Deployment'));
    expect(others(result)).toEqual(others(text));
  });
});

describe('new text follows the text around it', () => {
  it.each<[string, string, string]>([
    [
      'lists under their key',
      manifest(...one),
      '\n      - name: web\n        env:\n        - name: SIGNER_SOCKET\n',
    ],
    [
      'indented lists',
      manifest('containers:', '  - name: web'),
      '\n        - name: web\n          env:\n            - name: SIGNER_SOCKET\n',
    ],
    [
      'four columns',
      'apiVersion: v1\nkind: Pod\nmetadata:\n    name: x\nspec:\n    containers:\n    -   name: web\n',
      '\n    -   name: web\n        env:\n        -   name: SIGNER_SOCKET\n',
    ],
    [
      'a list in one line',
      manifest('containers:', '- name: web', '  env: [{ name: A, value: b }]'),
      'env: [{ name: A, value: b }, { name: SIGNER_SOCKET, value: /run/signer/signer.sock }]\n',
    ],
    [
      'a container in one line',
      manifest('containers:', '- {name: web, image: x}'),
      '- {name: web, image: x, env: [{ name: SIGNER_SOCKET, value: /run/signer/signer.sock }], ',
    ],
    [
      'an empty list',
      manifest(...one, 'volumes: [] # none'),
      '\n      volumes: # none\n      - name: signer-keys\n',
    ],
    [
      'a field without a value',
      manifest(...one, 'volumes:'),
      '\n      volumes:\n      - name: signer-keys\n',
    ],
    ['a null', manifest(...one, 'volumes: null'), '\n      volumes:\n      - name: signer-keys\n'],
    [
      'a switch without a value',
      manifest(...one, 'enableServiceLinks: # x'),
      '\n      enableServiceLinks: false # x\n',
    ],
    ['a comment at the end', manifest(...one, '  # of web'), '- name: web\n        env:\n'],
    [
      'a block of text at the end',
      manifest('containers:', '- name: web', '  command:', '  - |', '    a', '', '    b'),
      '\n          b\n        env:\n',
    ],
    [
      'JSON in one line',
      '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"},"spec":{"containers":[{"name":"web"}]}}',
      '{"name":"web","env":[{"name":"SIGNER_SOCKET","value":"/run/signer/signer.sock"}],',
    ],
    [
      'indented JSON',
      JSON.stringify(
        { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, spec: { containers: [{ name: 'web' }] } },
        null,
        4,
      ),
      '\n                "name": "web",\n                "env": [\n                    {\n                        "name": "SIGNER_SOCKET",\n',
    ],
  ])('%s', (_, from, part) => {
    const result = injected(from);
    expect(result).toContain(part);
    expect(inject(result, { remove: true }).text).toBe(from);
    if (from.startsWith('{')) expect(JSON.parse(result)).toBeTypeOf('object');
  });
});

describe('anchors, aliases and merges', () => {
  it.each<[string, string]>([
    [
      'of values that stay',
      manifest('containers:', '- name: web', '  image: &image shop:1', '- name: worker', '  image: *image'),
    ],
    [
      'of a part that stays',
      manifest(
        'containers:',
        '- name: web',
        '  resources: &r { limits: { cpu: 1 } }',
        '- name: worker',
        '  resources: *r',
      ),
    ],
    ['of an anchor that nothing repeats', manifest('containers: &all', '- &web', '  name: web')],
    [
      'of a container that others are merged from, if each gets the same',
      manifest('containers:', '- &web', '  name: web', '  image: shop:1', '- <<: *web', '  name: worker'),
    ],
  ])('%s', (_, from) => {
    const result = injected(from);
    expect(inject(result, { remove: true }).text).toBe(from);
    const { containers } = (
      documentsOf(result)[0] as { spec: { template: { spec: { containers: object[] } } } }
    ).spec.template.spec;
    for (const each of containers) expect(each).toMatchObject({ env: [{ name: 'SIGNER_SOCKET' }] });
  });

  it.each<[string, RegExp, string]>([
    [
      'an aliased container',
      /^line 12: the part to change is an alias/,
      manifest('containers:', '- &c', '  name: web', 'initContainers:', '- *c'),
    ],
    [
      'variables from a merge',
      /^line 9: the part to change comes from a merge/,
      manifest('containers:', '- <<: { env: [{ name: A, value: b }] }', '  name: web'),
    ],
    [
      'a container that is repeated where it must not change',
      /^line 10: aliases \(\*\) repeat this part elsewhere/,
      manifest('containers:', '- &c', '  name: web', 'x-copy: *c'),
    ],
  ])('are refused with their line: %s', (_, message, text) => {
    expect(refusalOf(text)).toMatch(message);
  });
});

describe('what is not valid is refused with its line:', () => {
  it('a long line of opening braces, in linear time', () => {
    const { problems } = inject(`a: "${'{{'.repeat(2 ** 17)}\n`);
    expect(problems).toEqual([expect.stringMatching(/^line \d: is not valid YAML$/)]);
  });

  it.each<[string, RegExp, string]>([
    ['a second colon', /^line 3: is not valid YAML: a second colon/, 'a: 1\n---\na: b: c\n'],
    ['tabs', /^line 2: is not valid YAML: tabs cannot indent/, 'a:\n\tb: 1\n'],
    ['an open quote', /^line \d: is not valid YAML/, 'a: "b\nc: d\n'],
    ['an open bracket', /^line \d: is not valid YAML/, 'a: [1, 2\n'],
    ['bad indentation', /^line \d: is not valid YAML/, 'a:\n    b: 1\n  c: 2\n'],
    ['JSON that is cut', /^line \d: is not valid YAML/, '{"kind": "Pod",'],
    ['an alias without an anchor', /^line 1: is not valid YAML: an alias/, 'a: *b\n'],
    ['text after the end', /^line 5: is not valid YAML/, 'a: 1\n...\nb:\n- c\nd\n'],
    [
      'a template',
      /^line 1: is not valid YAML, and looks like a template; render it first/,
      '{{- if .Values.x }}\na: 1\n{{- end }}\n',
    ],
    ['a key twice in a workload', /^line 10: a key occurs twice/, manifest(...one, '  name: other')],
    [
      'aliases that grow without end',
      /^line 1: is not valid YAML: .* huge document/,
      `a: &a [x]\n${'bcdefgh'.replace(/./g, (name, at: number) => `${name}: &${name} [${Array(10).fill(`*${'abcdefg'[at]}`).join()}]\n`)}`,
    ],
  ])('%s', (_, message, text) => {
    expect(refusalOf(text)).toMatch(message);
  });

  it('and the message never repeats the text, which may be a Secret', () => {
    for (const text of [
      'a: "hunter2\\q"\n',
      'a: hunter2: x\n',
      '!hunter2! a\n',
      'a: |hunter2\n  b\n',
      '&hunter2 &hunter2 a\n',
      'a: *hunter2\n',
    ]) {
      expect(refusalOf(text)).not.toContain('hunter2');
    }
  });

  it('an unusual style that cannot be changed in place', () => {
    expect(refusalOf(manifest('? containers', ': - name: web'))).toMatch(
      /^line \d+: .*(?:cannot change safely|colon)/,
    );
    expect(refusalOf(manifest(...one, 'volumes: [ # none', '  ]'))).toMatch(/^line 10: this field is empty/);
  });
});

it('names of the prototype are names like others', () => {
  const from = manifest(
    'containers:',
    '- name: __proto__',
    '  constructor: { env: [] }',
    '- name: constructor',
  );
  expect(inject(injected(from), { remove: true }).text).toBe(from);
});

it('thousands of workloads in one list take a time in proportion to their number', () => {
  const item = plain.replace(/^/gm, '  ').replace('  apiVersion', '- apiVersion').trimEnd();
  const text = `apiVersion: v1\nkind: List\nitems:\n${`${item}\n`.repeat(1500)}`;
  const { summary } = inject(text, { all: true });
  expect(summary.filter(({ action }) => action === 'added')).toHaveLength(1500);
});
