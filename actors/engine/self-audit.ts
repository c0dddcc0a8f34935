/** Self-audit: checks the invariants of all partitions that are served, one partition after the other. */
import { at } from '../../streams/assert.ts';
import { type Clock, delay } from '../../streams/clock.ts';
import type { PartitionSet } from '../partition/partition-set.ts';

const PAUSE_MS = 50;
/** At most this many breaches of one partition are reported. */
const MOST_REPORTED = 10;

/**
 * Audits every partition that is served. One with a breach is rebuilt, or quarantined if that happened before.
 * @param breach called with each reported breach
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
