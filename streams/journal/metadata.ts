/**
 * Metadata of JOURNAL: how far streams are trimmed, and the rules by which messages are judged. It is stored with the log, so a copy or a
 * restored backup of the log includes it.
 *
 * The server has no compare-and-set for metadata, and an update replaces all of it. Without a lock, the later of two writers would undo
 * the change of the earlier one.
 *
 * Invariants:
 *  JM1 Only one writer changes metadata at a time. It holds a lock, which is a key set by compare-and-set. A lock that has not changed for
 *      LOCK_MS belongs to a dead process and is taken over.
 *  JM2 A writer that has held the lock for longer than HOLD_MS writes nothing, because it may have lost the lock.
 */
import { JOURNAL_STREAM } from '../../config/topology.ts';
import { type Broker, BrokerError, type Keys } from '../broker.ts';
import { type Clock, delay } from '../clock.ts';

export interface MetadataDeps {
  readonly broker: Pick<Broker, 'stream' | 'annotate'>;
  readonly clock: Clock;
  /** Bucket that holds the lock. */
  readonly keys: Keys;
}
export type Metadata = Readonly<Record<string, string>>;

const LOCK = 'lock';
const FREE = '';
/** A request to the server takes at most 5 s, so a write that starts within HOLD_MS ends well before LOCK_MS. */
const HOLD_MS = 8_000;
const LOCK_MS = 20_000;
const PAUSE_MS = 100;

/**
 * Changes entries of the metadata.
 * @param change returns the entries to write over the present ones, or undefined to write nothing. No other writer changes metadata while
 *   it runs
 */
export async function changeMetadata(
  deps: MetadataDeps,
  change: (metadata: Metadata) => Promise<Metadata | undefined>,
): Promise<void> {
  const { broker } = deps;
  await exclusively(deps, async (refuseIfLate) => {
    const journal = await broker.stream(JOURNAL_STREAM);
    if (journal === undefined) throw new Error(`stream ${JOURNAL_STREAM} is not there: start a node once`);
    const changed = await change(journal.metadata ?? {});
    if (changed === undefined) return;
    refuseIfLate();
    await broker.annotate(JOURNAL_STREAM, { ...journal.metadata, ...changed });
  });
}

/**
 * Runs work under the lock. Every change of JOURNAL's configuration needs it, because an update of any part writes all metadata again, as
 * it was read before (JM1, JM2).
 */
export async function exclusively(
  deps: Pick<MetadataDeps, 'clock' | 'keys'>,
  work: (refuseIfLate: () => void) => Promise<void>,
): Promise<void> {
  const { clock, keys } = deps;
  const { revision, sinceMs } = await lock(deps);
  try {
    await work(() => {
      if (clock.monoMs() - sinceMs > HOLD_MS) throw new Error('the servers answer too slowly; try again');
    });
  } finally {
    await keys.put(LOCK, FREE, revision).catch(() => undefined);
  }
}

async function lock({
  clock,
  keys,
}: Pick<MetadataDeps, 'clock' | 'keys'>): Promise<{ revision: number; sinceMs: number }> {
  let seen: { revision: number; atMs: number } | undefined;
  for (;;) {
    const sinceMs = clock.monoMs();
    const found = await keys.get(LOCK);
    if (found?.revision !== seen?.revision) seen = { revision: found?.revision ?? 0, atMs: sinceMs };
    const free = found === undefined || found.value === FREE || sinceMs - (seen?.atMs ?? sinceMs) > LOCK_MS;
    const revision = free ? await claimed(keys, found?.revision ?? 0) : undefined;
    if (revision !== undefined) return { revision, sinceMs };
    await delay(clock, PAUSE_MS);
  }
}

/** The lock's new revision; undefined if another writer was faster. */
async function claimed(keys: Keys, expected: number): Promise<number | undefined> {
  try {
    return await keys.put(LOCK, 'held', expected);
  } catch (error) {
    if (error instanceof BrokerError && error.kind === 'conflict') return undefined;
    throw error;
  }
}
