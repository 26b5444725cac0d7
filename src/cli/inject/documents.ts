/** Splits a stream of manifests into its documents, so that joining them gives the same text again. */

/** A document with everything that belongs to it: its marker, directives, comments and blank lines. */
export interface DocumentText {
  readonly text: string;
  /** The number of its first line in the stream. */
  readonly line: number;
}

/**
 * A line that begins or ends a document. YAML 1.2 §9.1.2 forbids such lines inside of every scalar, so they can be found
 * without parsing.
 */
const markers = /^\uFEFF?(?:---(?=[ \t\r\n]|$)|\.\.\.(?=[ \t\r\n]|$).*(?:\n|$))/gm;

export function splitDocuments(stream: string): readonly DocumentText[] {
  const starts = [0];
  let isOpen = false;
  for (const { 0: marker, index } of stream.matchAll(markers)) {
    const begun = starts.at(-1) ?? 0;
    if (marker.includes('...')) {
      starts.push(index + marker.length);
      isOpen = false;
    } else {
      // Comments and directives before the first marker belong to its document.
      if (isOpen || hasContent(stream.slice(begun, index))) starts.push(index);
      isOpen = true;
    }
  }
  const documents: DocumentText[] = [];
  let line = 1;
  for (const [index, start] of starts.entries()) {
    const text = stream.slice(start, starts[index + 1]);
    if (text !== '') documents.push({ text, line });
    line += text.split('\n').length - 1;
  }
  return documents;
}

/** Whether there is more than blank lines, comments and directives. */
function hasContent(text: string): boolean {
  return /^\uFEFF?[ \t]*[^\s#%\uFEFF]/m.test(text) || /^[ \t]+%/m.test(text);
}

/** The number of the line in the stream, of a place in the document. */
export function lineOf({ text, line }: DocumentText, offset: number): number {
  return line + text.slice(0, offset).split('\n').length - 1;
}
