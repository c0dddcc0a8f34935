/**
 * Asks the homes of reservations that sales have named, and that have no lines in the sold SKU's partition, whether they know them. What a
 * home does not answer is asked again later.
 */
import { LIMITS } from '../../config/limits.ts';
import { partitionOf } from '../../streams/subjects.ts';
import type { Partitions } from '../partition/partition-set.ts';
import { inHalves } from '../ports/halves.ts';
import type { Peers } from '../ports/ports.ts';
import { UNDECIDED, undecided } from '../ports/refusal.ts';
import type { StoredAnomaly } from './lifecycle.ts';
import type { AnomalyObserver } from './observer.ts';

/** Which of these reservations a home that is served here knows. One that was cancelled before it was placed is not known. */
export function knownAt(partitions: Partitions | undefined, number: number, ids: readonly string[]): readonly string[] {
  const partition = partitions?.get(number);
  if (partition?.serving !== true) throw undecided(UNDECIDED.moving, `partition ${number}`);
  return ids.filter((id) => partition.book.coordinatorEntries.get(id)?.known === true);
}

/** Lets a stored anomaly stand for the answer that it came from, because homes may be moving too when its partition has moved. */
export function recallAnswer(observer: AnomalyObserver, { kind, data }: StoredAnomaly, nowMs: number): void {
  if (kind === 'over_fulfilled' || kind === 'reservation_unknown')
    observer.homeAnswered(String(data.reservation), kind === 'over_fulfilled', nowMs);
}

/** @param count number of all partitions */
export async function askHomes(
  observer: AnomalyObserver,
  { partitions, peers, count, nowMs }: { partitions: Partitions; peers: Peers; count: number; nowMs: number },
): Promise<void> {
  const byHome = new Map<number, string[]>();
  for (const id of observer.takeUnknown(nowMs, LIMITS.reservationsAsked)) {
    const home = partitionOf(id, count);
    const others = byHome.get(home);
    if (others === undefined) byHome.set(home, [id]);
    else others.push(id);
  }
  const asked = [...byHome].map(async ([home, ids]) => {
    const known = new Set(
      partitions.has(home)
        ? knownAt(partitions, home, ids)
        : await inHalves(ids, (some) => peers.ask(home, 'anomaly.known', some)),
    );
    for (const id of ids) observer.homeAnswered(id, known.has(id), nowMs);
  });
  await Promise.allSettled(asked);
}
