/** Queries of Prometheus, read by its own grammar: which metrics and labels they name. */

import { parser } from '@prometheus-io/lezer-promql';

/** The nodes of a parsed query. */
type Node = ReturnType<typeof parser.parse>['topNode'];

export interface Selector {
  readonly metric: string;
  /** `name=value`; of an operator other than `=`, the same with that operator. */
  readonly matchers: readonly { readonly label: string; readonly operator: string; readonly value: string }[];
}

export interface Query {
  readonly selectors: readonly Selector[];
  /** The labels of `by`, `on` and the like, each with the selectors that it is about. */
  readonly grouped: readonly { readonly label: string; readonly selectors: readonly Selector[] }[];
}

/** @throws if the query is not PromQL */
export function parseQuery(text: string): Query {
  const { topNode } = parser.parse(text);
  for (const node of nodes(topNode)) {
    if (node.type.isError) throw new Error(`not PromQL at ${node.from}: ${text}`);
  }
  const textOf = ({ from, to }: Node) => text.slice(from, to);
  const selectorsIn = (root: Node): readonly Selector[] =>
    nodes(root)
      .filter(({ name }) => name === 'VectorSelector')
      .map((node) => ({
        metric:
          nodes(node)
            .filter(({ name }) => name === 'Identifier')
            .map(textOf)[0] ?? '',
        matchers: nodes(node)
          .filter(({ name }) => /LabelMatcher$/.test(name))
          .map((matcher) => {
            const [label = '', operator = '', value = ''] = nodes(matcher)
              .slice(1)
              .filter(({ name }) => ['LabelName', 'MatchOp', 'StringLiteral'].includes(name))
              .map(textOf);
            return { label, operator, value: value.slice(1, -1) };
          }),
      }));
  return {
    selectors: selectorsIn(topNode),
    grouped: nodes(topNode)
      .filter(({ name }) => name === 'GroupingLabels')
      .flatMap((list) => {
        let owner = list.parent;
        while (owner !== null && !/^(?:AggregateExpr|BinaryExpr)$/.test(owner.name)) owner = owner.parent;
        const selectors = selectorsIn(owner ?? topNode);
        return nodes(list)
          .filter(({ name }) => name === 'LabelName')
          .map((label) => ({ label: textOf(label), selectors }));
      }),
  };
}

/** A node and all nodes in it. */
function nodes(root: Node): readonly Node[] {
  const all: Node[] = [root];
  for (let child = root.firstChild; child !== null; child = child.nextSibling) all.push(...nodes(child));
  return all;
}
