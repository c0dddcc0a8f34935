/**
 * Errors that nothing has caught: rejections that nobody waited for, and exceptions of timers and callbacks.
 *
 * Invariants:
 *  SE1 Each is logged with its stack, now and then if it comes back without end, and counted.
 *  SE2 The process goes on unless state is in doubt. What folds and decides catches its own faults (PartitionSet.doubt); one that comes here from
 *      that code has passed by that, so what the node holds may be half of something: it ends, writes no snapshot of it, and the next start
 *      builds it from the log.
 */
import type { Engine } from '../../actors/engine/engine.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { LimitedLog } from '../process/limited-log.ts';

/** Files whose faults leave state in doubt. The bundle has them in a chunk of their own (scripts/build.mjs), because its stacks name no sources. */
export const DECIDING =
  /\/(actors\/(book|partition|recovery|reservation|snapshot|stock)\/|actors\/idempotency\/fact-ids\.|actors\/ingest\/intake\.|streams\/journal\/)/;
export const DECIDING_CHUNK = 'deciding';
const IN_BUNDLE = new RegExp(`/${DECIDING_CHUNK}-[\\w-]+\\.js`);

/** Installs the handlers; the returned function takes them away. */
export function catchStrayErrors(
  { metrics, engine }: { readonly metrics: Metrics; readonly engine: Pick<Engine, 'abandon'> },
  limited: LimitedLog,
): () => void {
  const take = (kind: 'rejection' | 'exception') => (thrown: unknown) => {
    metrics.countBy('unhandled_errors_total', kind);
    const err = thrown instanceof Error ? thrown : new Error(String(thrown));
    const inDoubt = leavesDoubt(err);
    const line = inDoubt ? 'in doubt' : `${kind} ${err.message.slice(0, 100)}`;
    // SE1.
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

// SE2.
function leavesDoubt({ stack = '' }: Error): boolean {
  const path = stack.replaceAll('\\', '/');
  return DECIDING.test(path) || IN_BUNDLE.test(path);
}
