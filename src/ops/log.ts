/**
 * The log: JSON lines with named fields. A field is text, a number or a boolean. This is also checked at run time, so
 * that no error, buffer or request gets into the log by accident.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { type DestinationStream, type Level, pino } from 'pino';
import type { WriteEvent } from './log-events.ts';

export type LogFields = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** Takes the lines that log-events.ts lists, and no others. */
export interface Log {
  readonly debug: WriteEvent<'debug'>;
  readonly info: WriteEvent<'info'>;
  readonly warn: WriteEvent<'warn'>;
  readonly error: WriteEvent<'error'>;
  /** Resolves when the last line is written, or after a second. */
  end(): Promise<void>;
}

/** @param text the message as it is written, if it is not the usual one */
type Write = (message: string, fields?: LogFields, text?: string) => void;

/** Takes any line. */
export interface AnyLog extends Readonly<Record<'debug' | 'info' | 'warn' | 'error', Write>> {
  end(): Promise<void>;
}

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

const endWithinMs = 1000;

export const logFormats = ['auto', 'json', 'pretty'] as const;
/** `auto`: readable on a terminal, and JSON otherwise. */
export type LogFormat = (typeof logFormats)[number];

export interface LogOutput extends DestinationStream {
  end?(done: () => void): unknown;
}

export function createLog(level: LogLevel, output: LogOutput): AnyLog {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    output,
  );
  const write =
    (at: Level): Write =>
    (message, fields, text = message) =>
      logger[at](checkedFields(fields), text);
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    end: async () => {
      const written = new Promise<void>((resolve) => {
        if (output.end === undefined) resolve();
        else output.end(resolve);
      });
      await Promise.race([written, delay(endWithinMs, undefined, { ref: false })]);
    },
  };
}

/** The kind of an error and its place in the code, but not its message, which could contain a secret. */
export function describeFault(error: unknown): { readonly kind: string; readonly at?: readonly string[] } {
  if (!(error instanceof Error)) return { kind: typeof error };
  return { kind: error.name, at: framesOf(error).slice(0, 5) };
}

/** Removes the message from the stack. Returns nothing if the stack does not begin with it, to be safe. */
function framesOf({ message, stack = '' }: Error): readonly string[] {
  const header = message === '' ? '\n' : `: ${message}\n`;
  const start = stack.indexOf(header);
  if (start === -1 || !/^[\w$]+(?: \[\w+\])?$/.test(stack.slice(0, start))) return [];
  const lines = stack.slice(start + header.length).split('\n');
  return lines.filter((line) => /^\s+at /.test(line)).map((line) => line.trim());
}

/** Replaces a value that `LogFields` does not allow by its type. Only a value of type `any` can be one. */
function checkedFields(fields: LogFields = {}): Readonly<Record<string, unknown>> {
  if (Object.getPrototypeOf(fields) !== Object.prototype) return {};
  const entries = Object.entries(fields).map(([name, value]) => [
    name,
    isAllowed(value) ? value : typeof value,
  ]);
  return Object.fromEntries(entries);
}

function isAllowed(value: unknown): boolean {
  if (Array.isArray(value)) return value.every((each) => typeof each === 'string');
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
