/**
 * Explain: the facts and decisions behind the numbers of one stock key, in the order in which they happened, with running totals
 * that end in the present numbers.
 *
 * The facts are read again from the streams, up to where the partition has folded them, and folded by themselves; if the end is not
 * what the book says, the answer says so.
 */
import { FACT_STREAM_NAMES, FACT_STREAMS, type FactStream } from '../config/topology.ts';
import type { FollowedMessage } from '../streams/broker.ts';
import { decodeBody } from '../streams/codec.ts';
import { type Fact, type FactType, parseFact } from '../streams/facts.ts';
import { type ReadingWorld, readUntil } from '../streams/follower.ts';
import { formatInstant } from '../streams/instant.ts';
import { RESUBMIT_HEADER } from '../streams/parked.ts';
import { storedFactSubject } from '../streams/subjects.ts';
import type { Horizons } from './horizons.ts';
import { HORIZON_SLACK_MICROS } from './intake.ts';
import type { Partition } from './partition.ts';
import { EXPLAIN_BUCKETS, type ExplainAnswer, type ExplainBucket, type ExplainStep } from './ports.ts';
import { Refusal } from './refusal.ts';
import { stockView } from './stock/availability.ts';
import { applyFact } from './stock/evolve.ts';
import { StockBook, type StockKey } from './stock/state.ts';

export interface ExplainWorld extends ReadingWorld {
  readonly partition: Partition;
  /** `STREAM.seq` of messages that were parked for their ids. */
  readonly conflicts: ReadonlySet<string>;
  readonly horizons: Pick<Horizons, 'microsAt'>;
}
interface Told {
  readonly fact: Fact;
  readonly detail: string;
}
type Totals = Record<ExplainBucket, number>;

/** Rejects with not-found if nothing is known of the key. */
export async function explain(world: ExplainWorld, sku: string, location: string): Promise<ExplainAnswer> {
  const key = world.partition.book.findKey(sku, location);
  if (key === undefined) throw new Refusal('not-found', `nothing is known of SKU ${sku} at location ${location}`);
  // One moment: the numbers, how far the streams are folded, and the reservations.
  const stock = stockView(key);
  const positions = { ...world.partition.positions };
  const claims = claimSteps(world.partition.book, key);
  const asOf = formatInstant(world.clock.nowMs() * 1000);
  const { told, notes } = await readFacts(world, sku, location, positions);
  const steps: Omit<ExplainStep, 'total'>[] = [...factSteps(told, sku, location), ...claims];
  steps.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  const total: Totals = { sellable: 0, damaged: 0, inspection: 0, held: 0, allocated: 0, inTransit: 0 };
  const summed = steps.map((step) => {
    for (const bucket of EXPLAIN_BUCKETS) total[bucket] += step.change[bucket] ?? 0;
    return { ...step, total: { ...total } };
  });
  const adds = EXPLAIN_BUCKETS.every((bucket) => total[bucket] === stock[bucket]);
  if (!adds) notes.push('the steps do not end in the stock shown: run holdfast doctor');
  return { sku, location, asOf, steps: summed, stock, adds, notes };
}

/** Facts in the order of their moments; what a fact changed is what the book says after it, less what it said before. */
function factSteps(told: readonly Told[], sku: string, location: string): Omit<ExplainStep, 'total'>[] {
  const book = new StockBook(0);
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
    for (const bucket of ['sellable', 'damaged', 'inspection', 'inTransit'] as const) {
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
): Promise<{ told: Told[]; notes: string[] }> {
  const told = new Map<string, Told>();
  const notes: string[] = [];
  let parked = 0;
  for (const stream of FACT_STREAM_NAMES) {
    const take = (message: FollowedMessage) => {
      const fact = readFact(message);
      if (fact === undefined) {
        parked += 1;
        return;
      }
      if (!concerns(fact.fact, sku, location)) return;
      const { recordedAt } = message;
      const oldest = recordedAt - world.horizons.microsAt(recordedAt) - HORIZON_SLACK_MICROS;
      const tooOld =
        fact.fact.at < oldest && (fact.fact.type === 'count' || message.header(RESUBMIT_HEADER) === undefined);
      if (tooOld || world.conflicts.has(`${stream}.${message.seq}`)) parked += 1;
      else if (!told.has(fact.fact.id)) told.set(fact.fact.id, fact);
    };
    const types = FACT_STREAMS[stream] as readonly FactType[];
    // Shipments to this location stand under the location that they left.
    const filters = types.map((type) =>
      storedFactSubject(type, world.partition.number, type === 'transfer' ? '*' : location, sku),
    );
    const last = (await world.broker.stream(stream))?.lastSeq ?? 0;
    await readUntil(world, stream, filters, 1, Math.min(positions[stream], last), take);
  }
  if (parked > 0) notes.push(`${parked} facts for this key are parked and not counted; see GET /v1/parked`);
  return { told: [...told.values()], notes };
}

function concerns(fact: Fact, sku: string, location: string): boolean {
  if (fact.sku !== sku) return false;
  return fact.location === location || (fact.type === 'transfer' && fact.phase === 'shipped' && fact.to === location);
}

function readFact(message: FollowedMessage): Told | undefined {
  try {
    const value = decodeBody(message.data, message.header('Content-Type'));
    const parsed = parseFact(value);
    return parsed.ok ? { fact: parsed.fact, detail: detailOf(value as Record<string, unknown>) } : undefined;
  } catch {
    return undefined;
  }
}

/** The fact's own words, less what the step shows anyway. */
function detailOf(value: Readonly<Record<string, unknown>>): string {
  const shown = new Set(['id', 'type', 'sku', 'location', 'occurredAt']);
  return Object.entries(value)
    .filter(([name]) => !shown.has(name))
    .map(([name, each]) => `${name} ${typeof each === 'object' ? JSON.stringify(each) : String(each)}`)
    .join(', ');
}
