/** TypeScript sources as the compiler reads them: what each file imports, and which globals it speaks of. */

import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast';
import {
  isBindingElement,
  isElementAccessExpression,
  isIdentifier,
  isNewExpression,
  isObjectBindingPattern,
  isPropertyAccessExpression,
  isStringLiteral,
  isVariableDeclaration,
} from 'typescript/unstable/ast/is';
import { createVirtualFileSystem } from 'typescript/unstable/fs';
import { API } from 'typescript/unstable/sync';

/** One source file; paths are relative to the root of the tree, with slashes. */
export interface Source {
  readonly path: string;
  readonly text: string;
  /** Every module it names, as written: in imports of values and of types, re-exports and dynamic imports. */
  readonly imports: readonly string[];
  /** Names that it uses as values, such as `Bun`, `process.env` and, for a clock that is asked, `new Date()`. */
  readonly names: ReadonlySet<string>;
}

/** The text of every TypeScript file below a directory, by its path, except declarations and installed packages. */
export function readTexts(directory: string): Readonly<Record<string, string>> {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .filter((path) => !path.split(sep).includes('node_modules'))
    .sort();
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(directory, path), 'utf8')]));
}

/** Parses the files, and nothing that they import. */
export function parseSources(texts: Readonly<Record<string, string>>): readonly Source[] {
  const root = '/tree/';
  const files = Object.entries(texts).map(([path, text]) => [root + path, text]);
  const config = { compilerOptions: { noLib: true, noResolve: true, types: [] }, include: [root] };
  const fs = createVirtualFileSystem({
    ...Object.fromEntries(files),
    [`${root}tsconfig.json`]: JSON.stringify(config),
  });
  const api = new API({ cwd: root, fs });
  try {
    const [project] = api.updateSnapshot({ openProjects: [`${root}tsconfig.json`] }).getProjects();
    return Object.entries(texts).map(([path, text]) => {
      const file = project?.program.getSourceFile(root + path);
      if (file === undefined) throw new Error(`the compiler did not read ${path}`);
      return { path, text, imports: importsOf(file), names: namesOf(file) };
    });
  } finally {
    api.close();
  }
}

function importsOf({ imports }: SourceFile): readonly string[] {
  return imports.filter(isStringLiteral).map(({ text }) => text);
}

function namesOf(file: SourceFile): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (node: Node) => {
    if (isIdentifier(node)) names.add(node.text);
    for (const name of membersOf(node)) names.add(name);
    if (isNewExpression(node) && isIdentifier(node.expression) && !node.arguments?.length) {
      names.add(`new ${node.expression.text}()`);
    }
    node.forEachChild((child) => {
      if (!isPropertyName(node, child)) visit(child);
    });
  };
  visit(file);
  return names;
}

/** `a.b` for `a.b`, `a['b']` and `const { b } = a`. */
function membersOf(node: Node): readonly string[] {
  if (isPropertyAccessExpression(node)) return [`${nameOf(node.expression)}.${node.name.text}`];
  if (isElementAccessExpression(node) && isStringLiteral(node.argumentExpression)) {
    return [`${nameOf(node.expression)}.${node.argumentExpression.text}`];
  }
  if (!isVariableDeclaration(node) || node.initializer === undefined || !isObjectBindingPattern(node.name)) {
    return [];
  }
  const owner = nameOf(node.initializer);
  return node.name.elements.flatMap((element) => {
    const property = isBindingElement(element) ? (element.propertyName ?? element.name) : undefined;
    return property !== undefined && isIdentifier(property) ? [`${owner}.${property.text}`] : [];
  });
}

function nameOf(node: Node): string {
  if (isIdentifier(node)) return node.text;
  return node.kind === SyntaxKind.MetaProperty ? 'import.meta' : '';
}

/** Whether the child is the name of a property, which says nothing of a global of that name. */
function isPropertyName(parent: Node, child: Node): boolean {
  if (!isIdentifier(child)) return false;
  switch (parent.kind) {
    case SyntaxKind.PropertyAccessExpression:
    case SyntaxKind.PropertyAssignment:
    case SyntaxKind.PropertySignature:
    case SyntaxKind.PropertyDeclaration:
    case SyntaxKind.MethodDeclaration:
    case SyntaxKind.MethodSignature:
    case SyntaxKind.GetAccessor:
      return 'name' in parent && parent.name === child;
    default:
      return false;
  }
}
