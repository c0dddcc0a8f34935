/** The self-audit: checks the invariants of every book that is served, one after the other. */
import { at } from '../../streams/assert.ts';
import { type Clock, delay } from '../../streams/clock.ts';
import type { PartitionSet } from '../partition/partition-set.ts';

const PAUSE_MS = 50;
/** Breaches of one book that are reported. */
const MOST_REPORTED = 10;

/**
 * A partition whose book does not add up is rebuilt, or quarantined.
 * @param breach is told of what does not add up
 */
export async function auditAll(clock: Clock, partitions: PartitionSet, breach: (what: string) => void): Promise<void> {
  for (const partition of [...partitions.values()]) {
    if (!partition.serving) continue;
    const breaches = partition.books.audit();
    await delay(clock, PAUSE_MS);
    if (breaches.length === 0) {
      partitions.quarantine.suspects.delete(partition.number);
      continue;
    }
    for (const { invariant, what } of breaches.slice(0, MOST_REPORTED)) breach(`${invariant} ${what}`);
    partitions.suspect(partition.number, at(breaches, 0));
  }
}
