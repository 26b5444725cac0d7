/**
 * The log: JSON lines, of events with named fields. A field is text, a number or a boolean, so that neither an error
 * nor a buffer nor a request can get into it by accident.
 */

import { type DestinationStream, destination, type Level, pino } from 'pino';

export type LogFields = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** @param stream default: standard output, written at once so that no line is lost when the process dies */
export function createLog(level: LogLevel, stream: DestinationStream = standardOutput()): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  const write = (at: Level) => (message: string, fields?: LogFields) => logger[at](fields ?? {}, message);
  return { info: write('info'), warn: write('warn'), error: write('error') };
}

/** The kind of an error and where it arose, without its message, which could repeat what it was about. */
export function describeFault(error: unknown): LogFields {
  if (!(error instanceof Error)) return { kind: typeof error };
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return { kind: error.name, at: frames.slice(0, 5).map((line) => line.trim()) };
}

function standardOutput(): DestinationStream {
  const stream = destination({ dest: 1, sync: true });
  // A reader that went away (EPIPE) must not take the signer with it.
  stream.on('error', () => undefined);
  return stream;
}
