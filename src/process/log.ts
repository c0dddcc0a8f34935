/**
 * Writes the log as JSON lines to stdout or stderr. No other file imports pino.
 *
 * Characters that a terminal would interpret or hide are escaped, because text may come from outside. Nothing is logged per fact or per
 * successful request. Lines are written synchronously, so the last line before the process ends is not lost.
 */
import { pino } from 'pino';
import { printableJson } from '../../streams/names.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** The logger interface that the program uses. A test may pass its own. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** The node's name, which every line contains. */
  readonly name: string;
  /** Default: stdout. `up` logs to stderr, because its stdout is for people. */
  readonly to?: 'stdout' | 'stderr';
}

/** Creates a logger. An Error in the field `err` is written with its stack. */
export function createLog({ level, name, to = 'stdout' }: LogOptions): Log {
  return pino(
    { level, name, hooks: { streamWrite: printableJson } },
    pino.destination({ fd: to === 'stdout' ? 1 : 2, sync: true }),
  );
}
