/**
 * Explain: the facts and decisions behind the numbers of one stock key, in the order in which they happened, with running totals
 * that end in the present numbers.
 *
 * The facts are read again from the streams, up to where the partition has folded them, and folded by themselves; if the end is not
 * what the book says, the answer says so. What has been trimmed is told in one opening step: the numbers of a baseline.
 */
import { FACT_STREAM_NAMES, FACT_STREAMS, type FactStream, JOURNAL_STREAM } from '../config/topology.ts';
import type { FollowedMessage } from '../streams/broker.ts';
import { isTooDeep } from '../streams/codec.ts';
import type { Fact, FactType } from '../streams/facts.ts';
import { type ReadingWorld, readUntil } from '../streams/follower.ts';
import { hash64 } from '../streams/hash.ts';
import { formatInstant } from '../streams/instant.ts';
import { storedFactSubject } from '../streams/subjects.ts';
import { floorsOf, readStreams } from '../streams/trimmed.ts';
import { type Baselines, covers, loadPart, type Point, pointOf } from './baseline.ts';
import { Partition } from './partition.ts';
import { EXPLAIN_BUCKETS, type ExplainAnswer, type ExplainBucket, type ExplainStep } from './ports.ts';
import { Refusal } from './refusal.ts';
import type { Rules } from './rules.ts';
import { SeenIds } from './seen.ts';
import { stockView } from './stock/availability.ts';
import { applyFact } from './stock/evolve.ts';
import { StockBook, type StockKey } from './stock/state.ts';
import { type Readable, readStored } from './verdict.ts';

export interface ExplainWorld extends ReadingWorld {
  readonly baselines: Baselines;
  readonly partition: Partition;
  /** `STREAM.seq` of messages that were parked for their ids. */
  readonly conflicts: ReadonlySet<string>;
  readonly rules: Pick<Rules, 'at'>;
}
interface Told {
  readonly fact: Fact;
  readonly detail: string;
}
type Totals = Record<ExplainBucket, number>;
const FACT_BUCKETS = ['sellable', 'damaged', 'inspection', 'inTransit'] as const;

/** The baseline that the streams go on from. */
interface Opening extends Point {
  readonly id: string;
  readonly atMs: number;
  readonly book: StockBook;
  readonly seen: SeenIds;
}

/** Rejects with not-found if nothing is known of the key. */
export async function explain(world: ExplainWorld, sku: string, location: string): Promise<ExplainAnswer> {
  const answer = await explainOnce(world, sku, location);
  // The streams may have been trimmed while they were read.
  return answer.adds ? answer : explainOnce(world, sku, location);
}

async function explainOnce(world: ExplainWorld, sku: string, location: string): Promise<ExplainAnswer> {
  const key = world.partition.book.findKey(sku, location);
  if (key === undefined) throw new Refusal('not-found', `nothing is known of SKU ${sku} at location ${location}`);
  const opening = await openingOf(world);
  // One moment: the numbers, how far the streams are folded, and the reservations.
  const stock = stockView(key);
  const positions = { ...world.partition.positions };
  const claims = claimSteps(world.partition.book, key);
  const asOf = formatInstant(world.clock.nowMs() * 1000);
  const { told, notes } = await readFacts(world, sku, location, positions, opening);
  // Before facts are folded on top of it.
  const first = opening === undefined ? [] : [openingStep(opening, sku, location)];
  const steps: Omit<ExplainStep, 'total'>[] = [...factSteps(told, sku, location, opening), ...claims];
  steps.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  steps.unshift(...first);
  if (opening !== undefined) {
    notes.push(`facts before baseline ${opening.id} are summed up in it: they have been trimmed`);
  }
  const total: Totals = { sellable: 0, damaged: 0, inspection: 0, held: 0, allocated: 0, inTransit: 0 };
  const summed = steps.map((step) => {
    for (const bucket of EXPLAIN_BUCKETS) total[bucket] += step.change[bucket] ?? 0;
    return { ...step, total: { ...total } };
  });
  const adds = EXPLAIN_BUCKETS.every((bucket) => total[bucket] === stock[bucket]);
  if (!adds) notes.push('the steps do not end in the stock shown: run holdfast doctor');
  return { sku, location, asOf, steps: summed, stock, adds, notes };
}

/** What reservations claim is told by their own steps, which the book remembers. */
function openingStep({ id, atMs, book }: Opening, sku: string, location: string): Omit<ExplainStep, 'total'> {
  const key = book.findKey(sku, location);
  const change: Partial<Totals> = {};
  if (key !== undefined) {
    const stock = stockView(key);
    for (const bucket of FACT_BUCKETS) if (stock[bucket] !== 0) change[bucket] = stock[bucket];
  }
  const detail = 'all facts before it, summed up; they have been trimmed from the streams';
  return { at: formatInstant(atMs * 1000), what: 'baseline', id, detail, change };
}

/** Facts in the order of their moments; what a fact changed is what the book says after it, less what it said before. */
function factSteps(
  told: readonly Told[],
  sku: string,
  location: string,
  opening: Opening | undefined,
): Omit<ExplainStep, 'total'>[] {
  const book = opening?.book ?? new StockBook(0);
  const key = book.key(sku, location);
  const inOrder = [...told].sort(
    (a, b) =>
      a.fact.at - b.fact.at ||
      Number(b.fact.type === 'count') - Number(a.fact.type === 'count') ||
      (a.fact.id < b.fact.id ? -1 : 1),
  );
  const counts = inOrder.filter(({ fact }) => fact.type === 'count');
  return inOrder.map(({ fact, detail }) => {
    const before = stockView(key);
    applyFact(book, withoutReservation(fact));
    const after = stockView(key);
    const change: Partial<Totals> = {};
    for (const bucket of FACT_BUCKETS) {
      if (after[bucket] !== before[bucket]) change[bucket] = after[bucket] - before[bucket];
    }
    const covered = fact.type !== 'count' && counts.some((count) => count.fact.at === fact.at);
    return {
      at: formatInstant(fact.at),
      what: fact.type,
      id: fact.id,
      detail: covered ? `${detail}; the count of this moment covers it` : detail,
      change,
    };
  });
}

/** What reservations claim is told by their own steps. */
function withoutReservation(fact: Fact): Fact {
  return fact.type === 'sale' ? { ...fact, reservation: undefined } : fact;
}

/** Steps of the reservations that are remembered; one that is forgotten has ended and claims nothing. */
function claimSteps(book: StockBook, key: StockKey): Omit<ExplainStep, 'total'>[] {
  const steps: Omit<ExplainStep, 'total'>[] = [];
  for (const part of book.parts.values()) {
    for (const line of part.lines) {
      if (line.key !== key) continue;
      const told = `reservation ${part.id}, ${line.qty} for ${part.purpose}, channel ${part.channel}`;
      const add = (atMs: number, what: string, change: Partial<Totals>, more = '') =>
        steps.push({ at: formatInstant(atMs * 1000), what, id: part.id, detail: `${told}${more}`, change });
      let [held, allocated] = [line.qty, 0];
      add(part.grantedAtMs, 'granted', { held });
      if (part.confirmedAtMs > 0) {
        add(part.confirmedAtMs, 'confirmed', { held: -held, allocated: held });
        [held, allocated] = [0, held];
      }
      // What sales fulfilled is told in one step, at the last sale's moment.
      if (line.fulfilled > 0) {
        const bucket = allocated > 0 ? 'allocated' : 'held';
        add(
          Math.max(part.soldAtMs, part.confirmedAtMs, part.grantedAtMs),
          'fulfilled',
          { [bucket]: -line.fulfilled },
          `; ${line.fulfilled} sold`,
        );
        if (bucket === 'allocated') allocated -= line.fulfilled;
        else held -= line.fulfilled;
      }
      const rest: Partial<Totals> = held > 0 ? { held: -held } : allocated > 0 ? { allocated: -allocated } : {};
      if (part.releasedAtMs > 0) add(part.releasedAtMs, 'released', rest);
      else if (part.expiredAtMs > 0) add(part.expiredAtMs, 'expired', rest);
    }
  }
  return steps;
}

async function readFacts(
  world: ExplainWorld,
  sku: string,
  location: string,
  positions: Readonly<Record<FactStream, number>>,
  opening: Opening | undefined,
): Promise<{ told: Told[]; notes: string[] }> {
  const told = new Map<string, Told>();
  const notes: string[] = [];
  let parked = 0;
  for (const stream of FACT_STREAM_NAMES) {
    const take = (message: FollowedMessage) => {
      const read = readStored(world.rules.at(stream, message), message, message.subject.split('.'));
      if (read.fact !== undefined && !concerns(read.fact, sku, location)) return;
      if (!read.ok || world.conflicts.has(`${stream}.${message.seq}`)) parked += 1;
      else if (!told.has(read.fact.id) && !isKnown(opening, read)) told.set(read.fact.id, toldOf(read));
    };
    const types = FACT_STREAMS[stream] as readonly FactType[];
    // Shipments to this location stand under the location that they left.
    const filters = types.map((type) =>
      storedFactSubject(type, world.partition.number, type === 'transfer' ? '*' : location, sku),
    );
    const last = (await world.broker.stream(stream))?.lastSeq ?? 0;
    const from = (opening?.positions[stream] ?? 0) + 1;
    await readUntil(world, stream, filters, from, Math.min(positions[stream], last), take);
  }
  if (parked > 0) notes.push(`${parked} facts for this key are parked and not counted; see GET /v1/parked`);
  return { told: [...told.values()], notes };
}

/** A copy of a fact that the baseline has counted. */
function isKnown(opening: Opening | undefined, { fact, content }: Readable): boolean {
  return opening?.seen.check(hash64(fact.id, 1), content) === 'duplicate';
}

/** The oldest baseline that the streams go on from, if they no longer hold all; rejects if none does. */
async function openingOf({ broker, baselines, partition }: ExplainWorld): Promise<Opening | undefined> {
  const floors = pointOf({ ...floorsOf(await readStreams(broker)), [JOURNAL_STREAM]: 0 });
  if (covers(pointOf({}), floors)) return undefined;
  for (const { baseline, part } of (await baselines(() => undefined)).reverse()) {
    if (!covers(baseline, floors)) continue;
    const [fresh, seen] = [new Partition(partition.number), new SeenIds()];
    loadPart(await part(partition.number), fresh, seen);
    return {
      id: baseline.id,
      atMs: baseline.atMs,
      positions: baseline.positions,
      journalSeq: 0,
      book: fresh.book,
      seen,
    };
  }
  throw new Error('the streams have been trimmed, and no baseline holds what came before');
}

function concerns(fact: Fact, sku: string, location: string): boolean {
  if (fact.sku !== sku) return false;
  return fact.location === location || (fact.type === 'transfer' && fact.phase === 'shipped' && fact.to === location);
}

function toldOf({ fact, value }: Readable): Told {
  // What 0.1 took may be nested so deep that it cannot be written down; it counts all the same.
  return {
    fact,
    detail: isTooDeep(value)
      ? 'with fields nested too deep to show'
      : detailOf(value as Readonly<Record<string, unknown>>),
  };
}

/** The fact's own words, less what the step shows anyway. */
function detailOf(value: Readonly<Record<string, unknown>>): string {
  const shown = new Set(['id', 'type', 'sku', 'location', 'occurredAt']);
  return Object.entries(value)
    .filter(([name]) => !shown.has(name))
    .map(([name, each]) => `${name} ${typeof each === 'object' ? JSON.stringify(each) : String(each)}`)
    .join(', ');
}
