/**
 * Reads one YAML document of bounded size and depth. It works in small steps, so that requests can be answered between
 * them: whoever may write the configuration must not be able to stop the signer with it.
 */

import {
  Composer,
  CST,
  type Document,
  isScalar,
  Lexer,
  LineCounter,
  Parser,
  visit,
  type YAMLError,
  YAMLParseError,
} from 'yaml';
import { maxProblems, moreProblems, ok, type Result, refused } from '../key-sets/result.ts';

/** Enough for about 400 key sets with several fields each. */
export const maxConfigurationBytes = 64 * 1024;

/** A configuration needs 6. */
const maxDepth = 32;

/** Indicators, texts, spaces and line breaks. A text of 64 KiB in which people write fields has about 20,000. */
const maxParts = 40_000;

/** After this many syntax errors, aliases or tags, the rest of the file is not read. */
const maxSyntaxErrors = 100;

/** YAML 1.2 with names as they are written. Features of YAML 1.1 stay off even if a directive asks for them. */
const yamlOptions = {
  schema: 'core',
  merge: false,
  resolveKnownTags: false,
  stringKeys: true,
  prettyErrors: false,
  // The parser compares each pair of keys; `flawsOf` needs linear time.
  uniqueKeys: false,
} as const;

export interface YamlFile {
  readonly document: Document;
  /** @returns where an offset of the text is, for the end of a message */
  readonly lineAt: (offset: number) => string;
}

/** Yields between its steps. Returns the document, or everything that is wrong with the YAML. */
export function* readYaml(text: string): Generator<void, Result<YamlFile>> {
  if (Buffer.byteLength(text) > maxConfigurationBytes) {
    return refused(
      `the file has more than ${maxConfigurationBytes} bytes; check that it is the right one, or remove key sets`,
    );
  }
  const lines = new LineCounter();
  const lineAt = (offset: number) => ` (line ${lines.linePos(offset).line})`;
  const tokens = yield* parseTokens(text, lines, lineAt);
  if (!tokens.ok) return tokens;
  const [document, errors] = compose(tokens.value, text.length);
  yield;
  const found = errors.length > 0 ? errors.map(syntaxProblem) : flawsOf(document);
  yield;
  if (found.length === 0) return ok({ document, lineAt });
  // The parser may report one mistake many times.
  const problems = new Set(found.slice(0, maxProblems).map(([what, at]) => `${what}${lineAt(at)}`));
  return refused(...problems, ...(found.length > maxProblems ? [moreProblems] : []));
}

/** Parses the syntax alone. It does not recurse, so that the depth can be checked while it grows. */
function* parseTokens(
  text: string,
  lines: LineCounter,
  lineAt: YamlFile['lineAt'],
): Generator<void, Result<CST.Token[]>> {
  const tokens: CST.Token[] = [];
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  const aliases = new Set<string>();
  let [parts, errors, tags] = [0, 0, 0];
  let before = '';
  for (const lexeme of new Lexer().lex(text)) {
    yield;
    // What follows this mark is a text, which may begin with any character.
    const type = before === CST.SCALAR ? 'scalar' : CST.tokenType(lexeme);
    before = lexeme;
    if (type === 'tag') tags++;
    if (type === 'alias') {
      aliases.add(`an alias (*) cannot be used here; write the value out${lineAt(parser.offset)}`);
    }
    for (const token of parser.next(lexeme)) {
      tokens.push(token);
      if (token.type === 'error') errors++;
    }
    if (Math.max(errors, aliases.size) >= maxSyntaxErrors) break;
    if (tags > maxSyntaxErrors) return refused('the file has many tags (!); a configuration needs none');
    // The document itself is one level.
    if (parser.stack.length > maxDepth + 1) {
      const at = lineAt(parser.offset);
      return refused(`nested more than ${maxDepth} levels deep; check the brackets and the indentation${at}`);
    }
    if (++parts > maxParts) {
      const tooMany = 'the file has more values than a configuration needs; check that it is the right one';
      return refused(...aliases, tooMany);
    }
  }
  if (aliases.size > 0) return refused(...aliases);
  tokens.push(...parser.end());
  return ok(tokens);
}

function compose(tokens: Iterable<CST.Token>, length: number): [Document, readonly YAMLError[]] {
  const documents = new Composer(yamlOptions).compose(tokens, true, length);
  // With `forceDoc`, even an empty text is a document.
  const document = documents.next().value as Document;
  const second: Document | undefined = documents.next().value ?? undefined;
  const errors = [...document.errors, ...document.warnings];
  if (errors.length > 0 || second === undefined) return [document, errors];
  return [document, [new YAMLParseError([second.range?.[0] ?? 0, length], 'MULTIPLE_DOCS', '')]];
}

type Found = readonly [what: string, at: number];

/** Valid YAML that is refused. */
function flawsOf(document: Document): readonly Found[] {
  const flaws: Found[] = [];
  visit(document, {
    Map: (_, { items }) => {
      const names = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (names.has(key.value)) {
          flaws.push(['a field is given twice; remove one of them', key.range?.[0] ?? 0]);
        }
        names.add(key.value);
      }
    },
  });
  return flaws;
}

function syntaxProblem({ code, pos }: YAMLError): Found {
  return [syntaxMessage(code), pos[0]];
}

function syntaxMessage(code: string): string {
  switch (code) {
    case 'TAB_AS_INDENT':
      return 'indent with spaces, not with tabs';
    case 'NON_STRING_KEY':
      return 'a field must have a name, not a list or an object';
    case 'MULTIPLE_DOCS':
      return 'the file must be one YAML document';
    default:
      return `not valid YAML: ${code.toLowerCase().replaceAll('_', ' ')}`;
  }
}
