/** Makes the lines of the log readable for a person, on a terminal for instance. */

/** An escape of JSON, or a character that acts on a terminal and that JSON does not escape. */
const controls = /\\(?:u[0-9a-f]{4}|.)|[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/gu;

/** @returns the formatter of one JSON line, which is loaded only if it is wanted */
export async function loadPrettyPrinter(useColors: boolean): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty');
  const format = prettyFactory({ colorize: useColors });
  return (line) => format(line.replace(controls, showControl)) ?? '';
}

/** A control character in the name of a file must not reach a terminal, which would obey it. */
function showControl(text: string): string {
  if (text === '\\"' || text === '\\\\') return text;
  if (text.startsWith('\\')) return `\\${text}`;
  return `\\\\u${text.codePointAt(0)?.toString(16).padStart(4, '0')}`;
}
