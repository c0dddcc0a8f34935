/**
 * Trims the streams. It removes the messages that a baseline covers, after it has read that baseline back in full.
 *
 * Invariants:
 *  TM1 The floors are announced first (TR1), then every owner must have folded up to them, and only then is anything removed. A node that
 *      starts to read later sees the floors. A node that was already reading checks them again before it serves.
 *  TM2 Every removal names the sequence below which it removes, so a request that arrives late or twice removes nothing else.
 *  TM3 The last record of every writer stays in JOURNAL (TR3), and PARKED stays whole.
 *  TM4 A run that is killed at any point leaves streams that all readers understand. The next run continues it.
 *  TM5 No message is removed whose events are not published yet (actors/outbox/positions.ts).
 */

import { failpoint } from '../../config/failpoints.ts';
import {
  EVENTS_FROM_METADATA,
  EVENTS_STREAM,
  FACT_STREAM_NAMES,
  JOURNAL_STREAM,
  OUTBOX_BUCKET,
  OWNERS_BUCKET,
} from '../../config/topology.ts';
import { present } from '../../streams/assert.ts';
import type { Keys } from '../../streams/broker.ts';
import { type Clock, delay } from '../../streams/clock.ts';
import { announceFloors, readStreams } from '../../streams/journal/floors.ts';
import type { NatsBroker } from '../../streams/nats/broker.ts';
import { covers, type Point } from '../../streams/read/position.ts';
import { journalSubject } from '../../streams/subjects.ts';
import { FactIds } from '../idempotency/fact-ids.ts';
import { type Rules, unfit } from '../idempotency/rules.ts';
import { full, isPublished, type OutboxPosition, outboxKey, positionIn } from '../outbox/positions.ts';
import { Partition } from '../partition/partition.ts';
import type { OwnerPoint, Owners } from '../ports/owner-progress.ts';
import { type Baseline, loadPart } from '../snapshot/baseline-format.ts';
import type { BaselineStore, Generation } from './baseline-store.ts';

export interface TrimDeps {
  readonly broker: NatsBroker;
  readonly clock: Clock;
  readonly store: BaselineStore | undefined;
  readonly partitions: number;
  readonly replicas: number;
  readonly owners: Owners;
  /** The rules of the nodes' list as they are now. */
  readonly rules: Rules;
  /** The bucket that holds the lock of JOURNAL's metadata. */
  readonly keys: Keys;
  /** Trims to the older of two baselines, so that a node can start from either. */
  readonly older: boolean;
  /** How long to wait for owners that are behind, in milliseconds. */
  readonly patienceMs: number;
}
export class TrimError extends Error {
  override readonly name = 'TrimError';
}
export interface Trimmed {
  readonly baseline: string;
  /** Messages removed by stream. */
  readonly removed: Readonly<Record<string, number>>;
  readonly floors: Readonly<Record<string, number>>;
  /** Streams that could not be trimmed, and why. */
  readonly notes: readonly string[];
}

const PAUSE_MS = 100;

export async function trim(deps: TrimDeps): Promise<Trimmed> {
  const { broker, store } = deps;
  const baseline = await chosen(deps);
  await verifyWhole(present(store), baseline, deps);
  const floors: Record<string, number> = { ...baseline.positions, [JOURNAL_STREAM]: baseline.journalSeq };
  // Readers must see the floors before anything is removed (TM1).
  await announceFloors(deps, floors);
  failpoint('trim-announced');
  await ownersReach(deps, baseline);
  await eventsReach(deps, baseline);
  const removed: Record<string, number> = {};
  const notes: string[] = [];
  for (const name of FACT_STREAM_NAMES) {
    // The request names the sequence up to which it may remove (TM2).
    removed[name] = await broker.purgeBelow(name, baseline.positions[name] + 1);
    // Tests kill the run here, with one stream trimmed and others not (TM4).
    if (name === 'RECEIPTS') failpoint('trim-half-done');
  }
  removed[JOURNAL_STREAM] = await trimJournal(broker, baseline, notes);
  return { baseline: baseline.id, removed, floors, notes };
}

async function chosen({ store, older, rules }: TrimDeps): Promise<Baseline> {
  const generations: Generation[] = (await store?.generations()) ?? [];
  if (generations.length === 0) throw new TrimError('there is no baseline: make one with holdfast baseline');
  if (older && generations.length === 1)
    throw new TrimError(`${generations[0]?.id} is the only baseline: make another one, or trim to it without --older`);
  const wanted = older ? generations.slice(0, 2) : generations.slice(0, 1);
  for (const { id, baseline, damage } of wanted) {
    if (damage !== undefined) throw new TrimError(`${damage}: make a new one`);
    if (baseline === undefined || unfit(baseline, rules) === undefined) continue;
    throw new TrimError(`baseline ${id} has forgotten what a wider idempotency horizon needs: make a new one`);
  }
  return present(wanted.at(-1)?.baseline);
}

/** Reads every partition back. Throws a TrimError if the baseline cannot be loaded or belongs to other streams. */
async function verifyWhole(
  store: BaselineStore,
  baseline: Baseline,
  { broker, partitions, rules }: TrimDeps,
): Promise<void> {
  if (baseline.partitions !== partitions)
    throw new TrimError(
      `baseline ${baseline.id} is of ${baseline.partitions} partitions, the settings say ${partitions}`,
    );
  for (const [name, { created, lastSeq }] of await readStreams(broker)) {
    if ((baseline.created[name] ?? created) !== created)
      throw new TrimError(`stream ${name} was made after baseline ${baseline.id}`);
    const reached = (name === JOURNAL_STREAM ? baseline.journalSeq : baseline.positions[name as 'SALES']) ?? 0;
    if (reached > lastSeq)
      throw new TrimError(`stream ${name} ends at ${lastSeq}, before baseline ${baseline.id}: its end was lost`);
  }
  for (let number = 0; number < partitions; number++) {
    const partition = new Partition(number);
    try {
      const manifest = loadPart(await store.part(baseline, number), partition, new FactIds(), rules);
      if (!covers(manifest, baseline) || !covers(baseline, manifest)) throw new Error('it stands at another point');
    } catch (error) {
      throw new TrimError(`baseline ${baseline.id}, partition ${number}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    const breach = partition.books.audit()[0];
    if (breach !== undefined) throw new TrimError(`baseline ${baseline.id}, partition ${number}: ${breach.what}`);
  }
}

/** Waits until every owner has folded all messages that will be removed. A partition that was handed back has no reader. */
async function ownersReach(deps: TrimDeps, point: Point): Promise<void> {
  const until = deps.clock.monoMs() + deps.patienceMs;
  const keys = await deps.broker.keys(OWNERS_BUCKET, { replicas: deps.replicas });
  for (;;) {
    const asked = await Promise.all((await keys.all()).map((entry) => whoIsBehind(deps, entry, point)));
    const behind = asked.filter((each) => each !== undefined);
    if (behind.length === 0) return;
    if (deps.clock.monoMs() >= until)
      throw new TrimError(
        `nothing is removed: the owners of these partitions have not folded what would go: ${behind.join(', ')}; wait, or start a node in place of one that died`,
      );
    await delay(deps.clock, PAUSE_MS);
  }
}

/** Waits until the events of all messages that will be removed are published (TM5). */
async function eventsReach({ broker, clock, replicas, partitions, patienceMs }: TrimDeps, baseline: Baseline) {
  const events = await broker.stream(EVENTS_STREAM);
  if (events === undefined) return;
  const from = full(JSON.parse(events.metadata?.[EVENTS_FROM_METADATA] ?? '{}'));
  const none: OutboxPosition = { by: '', epoch: 0, caughtUp: false, published: from };
  const [positions, owners] = await Promise.all([
    broker.keys(OUTBOX_BUCKET, { replicas }),
    broker.keys(OWNERS_BUCKET, { replicas }),
  ]);
  for (const until = clock.monoMs() + patienceMs; ; await delay(clock, PAUSE_MS)) {
    const writers = new Map((await owners.all()).map(({ key, value }) => [key, JSON.parse(value).writer as string]));
    const found = new Map((await positions.all()).map((entry) => [entry.key, positionIn(entry)]));
    const behind = Array.from({ length: partitions }, (_, number) => outboxKey(number)).filter(
      (key) => !isPublished(found.get(key) ?? none, writers.get(key) ?? '', baseline),
    );
    if (behind.length === 0) return;
    if (clock.monoMs() >= until)
      throw new TrimError(
        `nothing is removed: events of ${behind.length} partitions are not published yet, such as those of partition ${behind[0]?.slice(2)}; wait, or start a node, which publishes them`,
      );
  }
}

/** Names the owner of a partition unless it confirms that it is past the point. Returns undefined if it does, or if there is no owner. */
async function whoIsBehind(
  { owners }: TrimDeps,
  { key, value }: { key: string; value: string },
  point: Point,
): Promise<string | undefined> {
  const { writer, node } = JSON.parse(value) as { writer: string; node: string };
  if (writer === '') return undefined;
  const number = Number(key.slice(2));
  const at = await owners.point(number).catch(() => undefined);
  if (isPast(at, writer, point)) return undefined;
  return `${number} (${node}${at === undefined ? ', which does not answer' : ''})`;
}

function isPast(at: OwnerPoint | undefined, writer: string, point: Point): boolean {
  // Only fact streams are compared, because the owner writes the decisions of its partition itself and has folded them.
  return at !== undefined && at.writer === writer && covers({ ...at, journalSeq: point.journalSeq }, point);
}

async function trimJournal(broker: NatsBroker, baseline: Baseline, notes: string[]): Promise<number> {
  const journal = await broker.stream(JOURNAL_STREAM);
  if (journal?.config.deny_purge === true) {
    notes.push('JOURNAL was made with deny_purge, which the server never takes back: it keeps its records');
    return 0;
  }
  let removed = 0;
  // Removes only below each writer's tip, so its last record stays (TM3).
  for (const { writer, seq } of baseline.writers)
    removed += await broker.purgeBelow(JOURNAL_STREAM, seq, journalSubject(writer));
  return removed;
}
