/** Parses one YAML document as kubectl reads it, with the positions of everything in it. */

import { type Document, type ParsedNode, parseDocument, Schema, visit, type YAMLError } from 'yaml';

export interface ParsedManifest {
  readonly document: Document.Parsed<ParsedNode>;
  readonly value: unknown;
}

export interface YamlProblem {
  /** Whether it only matters in a document that changes, because readers differ on it. */
  readonly isAmbiguous: boolean;
  readonly offset: number;
  readonly message: string;
}

/** kubectl and Helm read YAML 1.1, in which an unquoted `yes` is true. Made once, because it takes longer than most documents. */
const schema = new Schema({ schema: 'yaml-1.1', merge: true, resolveKnownTags: false });

export function parseManifest(text: string): {
  readonly parsed?: ParsedManifest;
  readonly problems: readonly YamlProblem[];
} {
  const document = parseDocument(text, {
    version: '1.1',
    schema,
    prettyErrors: false,
    logLevel: 'silent',
    stringKeys: true,
  }) as Document.Parsed<ParsedNode>;
  const isTemplate = document.errors.length > 0 && text.split('\n').some(hasPlaceholder);
  const problems = document.errors.map((error) => problemOf(error, isTemplate));
  if (problems.some(({ isAmbiguous }) => !isAmbiguous)) return { problems };
  try {
    return {
      parsed: { document, value: document.toJS() as unknown },
      problems: [...problems, ...(text.includes('!') ? tagProblems(document) : [])],
    };
  } catch {
    const message = 'an alias (*) has no anchor, or the aliases expand to a huge document';
    return {
      problems: [...problems, { isAmbiguous: false, offset: 0, message: `is not valid YAML: ${message}` }],
    };
  }
}

/** kubectl decodes binary text, which is not read here: a name in it could not be compared. */
function tagProblems(document: Document.Parsed<ParsedNode>): readonly YamlProblem[] {
  const problems: YamlProblem[] = [];
  visit(document, {
    Scalar: (_, { tag, range }) => {
      if (tag !== 'tag:yaml.org,2002:binary') return;
      const message = 'the tag !!binary cannot be read; write the text itself';
      problems.push({ isAmbiguous: true, offset: range?.[0] ?? 0, message });
    },
  });
  return problems;
}

/** Without a regular expression, which would take quadratic time on a long line of braces. */
function hasPlaceholder(line: string): boolean {
  const start = line.indexOf('{{');
  return start !== -1 && line.includes('}}', start);
}

function problemOf({ code, pos }: YAMLError, isTemplate: boolean): YamlProblem {
  const message = isTemplate
    ? 'is not valid YAML, and looks like a template; render it first, for instance with helm template'
    : (advice[code] ?? 'is not valid YAML');
  return { isAmbiguous: code === 'DUPLICATE_KEY', offset: pos[0], message };
}

/** In words of our own, because the parser's may repeat text of the document, which may be a Secret. */
const advice: Partial<Record<YAMLError['code'], string>> = {
  DUPLICATE_KEY: 'a key occurs twice in one object; remove one of them',
  TAB_AS_INDENT: 'is not valid YAML: tabs cannot indent; use spaces',
  BAD_INDENT: 'is not valid YAML: the indentation does not fit the lines around it',
  MULTILINE_IMPLICIT_KEY: 'is not valid YAML: a line ends where a key and a colon are expected',
  BLOCK_AS_IMPLICIT_KEY: 'is not valid YAML: a second colon in one line; put the value in quotes',
  BAD_DIRECTIVE: 'is not valid YAML: unknown or repeated directive (%)',
  MULTIPLE_DOCS: 'is not valid YAML: text follows where the document has ended',
};
