/**
 * Handles errors that no other code has caught: unhandled rejections, and exceptions in timers and callbacks.
 *
 * Invariants:
 *  SE1 Each error is counted and logged with its stack. The log of an error that repeats is rate-limited.
 *  SE2 The process goes on unless state is in doubt. Code that folds and decides catches its own faults (PartitionSet.doubt). An error that
 *      arrives here from that code has bypassed this, so a change in memory may be half done. The node then ends without writing a
 *      snapshot, and its next start rebuilds the state from the log.
 */
import type { Engine } from '../../actors/engine/engine.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { LimitedLog } from '../process/limited-log.ts';

/** Files whose faults leave state in doubt. Stacks of the bundle name no sources, so scripts/build.mjs puts these files into one chunk. */
export const DECIDING =
  /\/(actors\/(book|item|partition|policy|promise|recovery|reservation|snapshot|stock)\/|actors\/idempotency\/fact-ids\.|actors\/ingest\/intake\.|streams\/journal\/)/;
export const DECIDING_CHUNK = 'deciding';
const IN_BUNDLE = new RegExp(`/${DECIDING_CHUNK}-[\\w-]+\\.js`);

/** Installs the handlers. The returned function removes them. */
export function catchStrayErrors(
  { metrics, engine }: { readonly metrics: Metrics; readonly engine: Pick<Engine, 'abandon'> },
  limited: LimitedLog,
): () => void {
  const take = (kind: 'rejection' | 'exception') => (thrown: unknown) => {
    metrics.countBy('unhandled_errors_total', kind);
    const err = thrown instanceof Error ? thrown : new Error(String(thrown));
    const inDoubt = leavesDoubt(err);
    const line = inDoubt ? 'in doubt' : `${kind} ${err.message.slice(0, 100)}`;
    // The limited log keeps an error that repeats from flooding the log (SE1).
    limited.say('error', line, { err, kind }, 'an error of the program that nothing had caught');
    if (inDoubt) engine.abandon(`a fault of the program left its state in doubt: ${err.message}`);
  };
  const [rejection, exception] = [take('rejection'), take('exception')];
  process.on('unhandledRejection', rejection);
  process.on('uncaughtException', exception);
  return () => {
    process.off('unhandledRejection', rejection);
    process.off('uncaughtException', exception);
  };
}

// True if the stack passes through code that folds or decides (SE2).
function leavesDoubt({ stack = '' }: Error): boolean {
  const path = stack.replaceAll('\\', '/');
  return DECIDING.test(path) || IN_BUNDLE.test(path);
}
