/**
 * Metadata of JOURNAL: up to where streams are trimmed, and the rules by which messages are judged. They lie with the log, so that whoever
 * copies or restores it has them too.
 *
 * The server has no compare-and-set for metadata, and an update replaces all of it: of two writers the later one would undo the earlier.
 *
 * Invariants:
 *  JM1 One writer at a time, by a key that is locked by compare-and-set. A lock that stands unchanged for LOCK_MS is of a process that
 *      died, and is taken over.
 *  JM2 A writer that has held the lock for longer than HOLD_MS writes nothing: it may have lost it.
 */
import { JOURNAL_STREAM } from '../../config/topology.ts';
import { type Broker, BrokerError, type Keys } from '../broker.ts';
import { type Clock, delay } from '../clock.ts';

export interface MetadataDeps {
  readonly broker: Pick<Broker, 'stream' | 'annotate'>;
  readonly clock: Clock;
  /** Where the lock lies. */
  readonly keys: Keys;
}
export type Metadata = Readonly<Record<string, string>>;

const LOCK = 'lock';
const FREE = '';
/** The longest of one request to the server is 5 s. */
const HOLD_MS = 8_000;
const LOCK_MS = 20_000;
const PAUSE_MS = 100;

/**
 * Changes entries of the metadata.
 * @param change what is to be written in place of what stands, undefined for nothing; no other writer changes anything meanwhile
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

/** For whatever changes JOURNAL's configuration: an update of any part of it writes all metadata again, as it was read before (JM1, JM2). */
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

/** The lock's new revision; undefined if another writer was quicker. */
async function claimed(keys: Keys, expected: number): Promise<number | undefined> {
  try {
    return await keys.put(LOCK, 'held', expected);
  } catch (error) {
    if (error instanceof BrokerError && error.kind === 'conflict') return undefined;
    throw error;
  }
}
