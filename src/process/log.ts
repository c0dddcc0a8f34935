/**
 * Logs: JSON lines on stdout or stderr. The one file that imports pino.
 *
 * What came from outside is escaped where a terminal would act on it, or not show it. Nothing is logged per fact or per request. Lines are written at once, so that the last one before an end is not lost.
 */
import { pino } from 'pino';
import { printableJson } from '../../streams/names.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** What the program needs of a logger; a test may pass its own. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** The node's name, in every line. */
  readonly name: string;
  /** `up` keeps stdout for people. */
  readonly to?: 'stdout' | 'stderr';
}

/** A logger; a field called `err` that holds an Error is written with its stack. */
export function createLog({ level, name, to = 'stdout' }: LogOptions): Log {
  return pino(
    { level, name, hooks: { streamWrite: printableJson } },
    pino.destination({ fd: to === 'stdout' ? 1 : 2, sync: true }),
  );
}
