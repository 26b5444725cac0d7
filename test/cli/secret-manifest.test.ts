import { describe, expect, it, vi } from 'vitest';
import { filesOf, parseSecretManifest } from '../../src/cli/secret-manifest.ts';

const secret = (body: string, name = 's') =>
  `apiVersion: v1\nkind: Secret\nmetadata:\n  name: ${name}\n${body}\n`;
const read = (manifest: string) => {
  const parsed = parseSecretManifest(manifest);
  return parsed.ok ? filesOf(parsed.value) : parsed;
};
/** The files as Latin-1. */
const files = (manifest: string) => {
  const found = read(manifest);
  if (!found.ok) throw new Error(found.problems.join('; '));
  return Object.fromEntries(
    [...found.value].map(([name, bytes]) => [name, Buffer.from(bytes).toString('latin1')]),
  );
};
const problems = (manifest: string): readonly string[] => {
  const found = read(manifest);
  return found.ok ? [] : found.problems;
};

describe('a manifest', () => {
  it.each<[string, string, Record<string, string>]>([
    ['data is base64', secret('data:\n  k: AAEC/w=='), { k: '\0\x01\x02\xff' }],
    ['stringData is text in UTF-8', secret('stringData:\n  k: é'), { k: '\xc3\xa9' }],
    ['stringData keeps its newlines', secret('stringData:\n  k: |\n    one\n    two'), { k: 'one\ntwo\n' }],
    ['both make one directory', secret('data: { a: YQ== }\nstringData: { b: b }'), { a: 'a', b: 'b' }],
    ['stringData wins over data', secret('stringData: { a: new }\ndata: { a: b2xk }'), { a: 'new' }],
    [
      'data may be wrapped over lines',
      secret('data:\n  k: |\n    AAEC\n    /w==\n'),
      { k: '\0\x01\x02\xff' },
    ],
    ['data may be folded', secret('data:\n  k: "AAEC\\\n    /w=="'), { k: '\0\x01\x02\xff' }],
    ['an empty value is an empty file', secret('data: { a: "" }\nstringData: { b: "" }'), { a: '', b: '' }],
    [
      'null is an empty value, as in the API server',
      secret('data: { a: }\nstringData: { b: ~ }'),
      { a: '', b: '' },
    ],
    ['a dotfile is a file', secret('data: { .session: YQ== }'), { '.session': 'a' }],
    [
      'names of JavaScript are names',
      secret('data: { __proto__: YQ==, constructor: Yg== }'),
      { ['__proto__']: 'a', constructor: 'b' },
    ],
    [
      'a name that looks like a number is a name',
      secret('data: { 007: YQ==, 1.0: Yg== }'),
      { '007': 'a', '1.0': 'b' },
    ],
    [
      'a Secret of another type is one too',
      `${secret('data: { a: YQ== }')}type: kubernetes.io/basic-auth\nimmutable: true\n`,
      { a: 'a' },
    ],
    ['JSON is YAML', JSON.stringify({ kind: 'Secret', data: { a: 'YQ==' } }), { a: 'a' }],
    [
      'other objects do not matter',
      `kind: ConfigMap\ndata: { a: "!" }\n---\n${secret('data: { a: YQ== }')}---\n---\n# nothing\n`,
      { a: 'a' },
    ],
    [
      'several Secrets make one directory',
      `${secret('data: { a: YQ== }', 'one')}---\n${secret('data: { b: Yg== }', 'two')}`,
      { a: 'a', b: 'b' },
    ],
    [
      'a list is several objects, as kubectl get writes it',
      'kind: List\nitems:\n  - { kind: Secret, data: { a: YQ== } }\n  - { kind: Secret, stringData: { b: b } }\n  - { kind: Pod }\n',
      { a: 'a', b: 'b' },
    ],
    ['an anchor may be used', secret('data: { a: &x YQ== }\nstringData: { b: *x }'), { a: 'a', b: 'YQ==' }],
  ])('%s', (_, manifest, expected) => {
    expect(files(manifest)).toEqual(expected);
  });

  it('has its bytes in memory of its own, since they will be overwritten', () => {
    const found = read(secret('data: { a: "" }\nstringData: { b: b }'));
    if (found.ok) for (const bytes of found.value.values()) bytes.fill(0);
    expect(files(secret('stringData: { b: b }'))).toEqual({ b: 'b' });
  });
});

describe('is refused', () => {
  it.each<[string, string, readonly string[]]>([
    [
      'plain text as data',
      secret('data: { k: not base64! }'),
      ['data.k: is not base64; use stringData for plain text'],
    ],
    [
      'base64 without padding',
      secret('data: { k: YQ }'),
      ['data.k: is not base64; use stringData for plain text'],
    ],
    [
      'base64 of the URL alphabet',
      secret('data: { k: -_-_ }'),
      ['data.k: is not base64; use stringData for plain text'],
    ],
    [
      'data with spaces',
      secret('data: { k: "YQ == " }'),
      ['data.k: is not base64; use stringData for plain text'],
    ],
    ['a number as data', secret('data: { k: 12345678 }'), ['data.k: must be text; put it in quotes']],
    [
      'a number as stringData',
      secret('stringData: { k: 12345678 }'),
      ['stringData.k: must be text; put it in quotes'],
    ],
    ['an octal number', secret('stringData: { k: 0777 }'), ['stringData.k: must be text; put it in quotes']],
    [
      'yes, which kubectl reads as a boolean',
      secret('stringData: { k: yes }'),
      ['stringData.k: must be text; put it in quotes'],
    ],
    ['no', secret('stringData: { k: no }'), ['stringData.k: must be text; put it in quotes']],
    ['a date', secret('stringData: { k: 2026-01-01 }'), ['stringData.k: must be text; put it in quotes']],
    ['an object', secret('stringData: { k: { a: b } }'), ['stringData.k: must be text; put it in quotes']],
    [
      'a name that cannot be one',
      secret('data: { "a b": YQ== }'),
      ['data: a name is not usable; use 1 to 253 of A-Z a-z 0-9 . _ - and do not begin with ".."'],
    ],
    [
      'a name of a path',
      secret('data: { a/b: YQ==, ..: YQ==, ".": YQ== }'),
      Array(3).fill(expect.stringContaining('data: a name is not usable')),
    ],
    ['data that is a list', secret('data: [a]'), ['data: must be an object with an entry for each file']],
    ['data that is text', secret('data: YQ=='), ['data: must be an object with an entry for each file']],
    [
      'one name in two Secrets',
      `${secret('data: { k: YQ== }')}---\n${secret('data: { k: Yg== }')}`,
      ['k: is in two Secrets; rename one of them'],
    ],
    [
      'everything at once',
      secret('data: { a: "!", b: 5 }\nstringData: { c: 5 }'),
      [
        'data.a: is not base64; use stringData for plain text',
        'data.b: must be text; put it in quotes',
        'stringData.c: must be text; put it in quotes',
      ],
    ],
    [
      'nothing',
      '',
      ['the manifest holds no Secret (kind: none); give one as "kubectl get secret NAME -o yaml" writes it'],
    ],
    [
      'no Secret',
      'kind: ConfigMap\ndata: { a: YQ== }\n',
      [
        'the manifest holds no Secret (kind: ConfigMap); give one as "kubectl get secret NAME -o yaml" writes it',
      ],
    ],
    [
      'a SealedSecret',
      'kind: SealedSecret\nspec: { encryptedData: { a: YQ== } }\n',
      [
        'the manifest holds no Secret (kind: SealedSecret); give one as "kubectl get secret NAME -o yaml" writes it',
      ],
    ],
    ['an empty Secret', secret('data:'), ['the Secret holds no file; put a key into it']],
    ['a kind alone', 'kind: Secret', ['the Secret holds no file; put a key into it']],
    [
      'the key itself',
      'q7Zk9VxW2m',
      ['the manifest holds no Secret (kind: none); give one as "kubectl get secret NAME -o yaml" writes it'],
    ],
    ['a field twice', secret('data: { a: YQ==, a: Yg== }'), ['the manifest is not valid YAML (line 5)']],
    [
      'a broken document behind a good one',
      `${secret('data: { a: YQ== }')}---\n{`,
      ['the manifest is not valid YAML (line 7)'],
    ],
    ['an unknown tag', secret('data: { a: !vault x }'), ['the manifest is not valid YAML (line 5)']],
    ['an alias to nothing', secret('data: { a: *x }'), ['the manifest is not valid YAML']],
    ['a list as a name', secret('data: { ? [a] : YQ== }'), ['the manifest is not valid YAML (line 5)']],
    [
      'aliases that grow without end',
      `a: &a [x]\n${[...'bcdefgh'].map((n, i) => `${n}: &${n} [${Array(10).fill(`*${'abcdefgh'[i]}`).join()}]`).join('\n')}\nkind: Secret\n`,
      ['the manifest is not valid YAML'],
    ],
  ])('%s', (_, manifest, expected) => {
    expect(problems(manifest)).toEqual(expected);
  });

  it('without a word of a value', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const marker = 'q7Zk9VxW2m!';
    const values = [
      marker,
      `"${marker}`,
      `!!int ${marker}`,
      `*${marker}`,
      `{ a: ${marker} }`,
      `[${marker}]`,
      `? {a: ${marker}} : b`,
      `"${marker}\\q"`,
    ];
    const found = values.flatMap((value) => [
      ...problems(secret(`data:\n  k: ${value}`)),
      ...problems(secret(`stringData:\n  k: ${value}\n  l: 5`)),
      ...problems(value),
    ]);
    expect(found.length).toBeGreaterThan(15);
    expect(found.join('\n')).not.toContain(marker.slice(0, -1));
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });
});
