/**
 * Explain: the facts and decisions behind the numbers of one stock key, in the order in which they happened, with running totals
 * that end in the current numbers. Long explanations come in pages, the newest page first.
 *
 * The facts are read from the streams again, up to where the partition has folded them, and folded into a separate book. If the result
 * differs from the partition's book, the answer says so. Trimmed facts appear as one opening step with the numbers of a baseline.
 *
 * Invariants:
 *  EX1 Memory holds the steps of the page, not of the key. Facts commute, so facts older than the page are folded as they are read.
 *  EX2 Every page checks the whole key: `adds` compares all facts and decisions with the book.
 *  EX3 Facts are read in small pulls, and building the steps yields every LIMITS.answerTurnMs.
 */

import { LIMITS } from '../../config/limits.ts';
import { BUNDLE_LANES, FACT_STREAMS, type FactStream, JOURNAL_STREAM, STOCK_STREAMS } from '../../config/topology.ts';
import type { FollowedMessage, StoredMessage } from '../../streams/broker.ts';
import { MOVED_BUCKETS, type MovedBucket } from '../../streams/buckets.ts';
import { Turns } from '../../streams/clock.ts';
import type { ExplainStep } from '../../streams/contract/operator.ts';
import { bundleIn } from '../../streams/fact/bundle.ts';
import { type Fact, isStockFact, type StockFact, type Transfer } from '../../streams/fact/fact.ts';
import type { ParkMarks } from '../../streams/fact/parked/park-marks.ts';
import { factSource } from '../../streams/fact/source.ts';
import { hash64 } from '../../streams/hash.ts';
import { formatInstant } from '../../streams/instant.ts';
import { floorsOf, readStreams } from '../../streams/journal/floors.ts';
import { type ReadingDeps, readUntil } from '../../streams/read/follower.ts';
import { covers, type Point, pointOf } from '../../streams/read/position.ts';
import {
  againSubject,
  encodeToken,
  type FactType,
  hashOfToken,
  type StoredFact,
  storedBundleSubject,
  storedFact,
  storedFactSubject,
} from '../../streams/subjects.ts';
import { FactIds } from '../idempotency/fact-ids.ts';
import type { Rule, Rules } from '../idempotency/rules.ts';
import { readStored } from '../idempotency/stored-fact.ts';
import { ITEMS } from '../item/domain.ts';
import { Partition } from '../partition/partition.ts';
import { type ExplainedKey, type ExplainPage, Newest, type Place, type Placed } from '../ports/explain-page.ts';
import type { ExplainAnswer } from '../ports/peer-operations.ts';
import { Refusal } from '../ports/refusal.ts';
import { type Baselines, loadPart } from '../snapshot/baseline-format.ts';
import { stockView, unitsOnHand } from '../stock/availability.ts';
import { StockBook } from '../stock/book.ts';
import { applyFact } from '../stock/evolve.ts';
import type { StockKey } from '../stock/state.ts';
import { onOrder } from '../stock/supply/on-order.ts';
import { inTransit } from '../stock/supply/transit.ts';
import { detailOf } from './explain-words.ts';

export interface ExplainDeps extends ReadingDeps {
  readonly baselines: Baselines;
  readonly partition: Partition;
  /** Total number of partitions (P). */
  readonly partitions: number;
  /** Marks that cover everything the partition has folded. */
  readonly marks: ParkMarks;
  readonly rules: Pick<Rules, 'at' | 'latestOf'>;
}
type Totals = Record<MovedBucket, number>;
type Change = Readonly<Partial<Totals>>;
const FACT_BUCKETS = MOVED_BUCKETS.filter((bucket) => bucket !== 'held' && bucket !== 'allocated');

/** A step before its totals are known. The cause is a fact, or the change that a decision on a reservation makes. */
interface Entry extends Placed {
  readonly what: string;
  readonly detail: string;
  readonly cause: StockFact | Change;
}

/** The baseline at which the explanation begins, because the streams before it were trimmed. */
interface Opening extends Point {
  readonly id: string;
  readonly atMs: number;
  readonly book: StockBook;
  readonly factIds: FactIds;
}

/** Rejects with not-found if the key is unknown. */
export async function explain(deps: ExplainDeps, key: ExplainedKey, page: ExplainPage): Promise<ExplainAnswer> {
  const answer = await explainOnce(deps, key, page);
  // The streams may have been trimmed during the read, so try once more.
  return answer.adds ? answer : explainOnce(deps, key, page);
}

async function explainOnce(
  deps: ExplainDeps,
  { sku, location }: ExplainedKey,
  { limit, before }: ExplainPage,
): Promise<ExplainAnswer> {
  const key = deps.partition.book.findKey(sku, location);
  if (key === undefined) throw new Refusal('not-found', `nothing is known of SKU ${sku} at location ${location}`);
  const opening = await openingOf(deps);
  const [older, whole] = [
    new KeyTotals(opening?.book, sku, location),
    before === undefined ? undefined : new KeyTotals((await openingOf(deps))?.book, sku, location),
  ];
  const first = opening === undefined ? undefined : openingStep(opening, older.totals());
  // Entries older than the page are folded at once, not kept (EX1).
  const page = new Newest<Entry>(limit, before, (entry) => older.take(entry.cause));
  const add = (place: Place, cause: StockFact | Change, what: string, detail: () => string) => {
    whole?.take(cause);
    if (page.isNewer(place)) return;
    page.add({ place, cause, what, detail: page.mayKeep(place) ? detail() : '' });
  };
  // The numbers, the folded positions and the reservations must be of one moment, so nothing is awaited between them.
  const stock = stockView(deps.partition.book, key, deps.clock.nowMs() * 1000);
  const positions = { ...deps.partition.positions };
  addClaims(deps.partition.book, key, add);
  const asOf = formatInstant(deps.clock.nowMs() * 1000);
  const { counts, notes } = await readFacts(deps, sku, location, positions, opening, add);
  const kept = page.end(fitting);
  const steps: ExplainStep[] = [];
  const turns = new Turns(deps.clock, LIMITS.answerTurnMs);
  let total = older.totals();
  for (const { place, cause, what, detail } of kept) {
    await turns.next();
    older.take(cause);
    const after = older.totals();
    const change = differenceOf(total, after);
    const covered =
      isFact(cause) &&
      what !== 'count' &&
      (cause.own ?? cause.at) <= (counts.get(cause.at) ?? Number.NEGATIVE_INFINITY);
    steps.push({
      at: formatInstant(place[0]),
      what,
      id: place[2],
      detail: covered ? `${detail}; the count of this moment covers it` : detail,
      change,
      total: after,
    });
    total = after;
  }
  if (first !== undefined && !page.goesOn) steps.unshift(first);
  if (opening !== undefined) {
    notes.push(`facts before baseline ${opening.id} are summed up in it: they have been trimmed`);
  }
  const end = whole?.totals() ?? total;
  // The whole key is compared with the book, not only this page (EX2).
  const adds = MOVED_BUCKETS.every((bucket) => end[bucket] === stock[bucket]);
  if (!adds) notes.push('the steps do not end in the stock shown: run holdfast doctor');
  const next = page.goesOn && kept[0] !== undefined ? kept[0].place : null;
  const name = deps.partition.books.of(ITEMS).items.get(sku)?.name;
  return { sku, location, name, asOf, steps, stock, adds, notes, next };
}

/** Totals of one key after the facts and decisions that were given to take(). */
class KeyTotals {
  readonly #book: StockBook;
  readonly #key: StockKey;
  readonly #claimed = { held: 0, allocated: 0 };
  #inbound: { inTransit: number; onOrder: number } | undefined;

  constructor(book: StockBook | undefined, sku: string, location: string) {
    this.#book = book ?? new StockBook(0);
    this.#key = this.#book.key(sku, location);
  }

  take(cause: StockFact | Change): void {
    if (!isFact(cause)) {
      this.#claimed.held += cause.held ?? 0;
      this.#claimed.allocated += cause.allocated ?? 0;
      return;
    }
    applyFact(this.#book, withoutReservation(cause));
    if (cause.type === 'transfer' || cause.type === 'purchase' || cause.type === 'receipt') this.#inbound = undefined;
  }

  totals(): Totals {
    // Summing them is costly, so it is done only after a fact that may change them.
    this.#inbound ??= { inTransit: inTransit(this.#key), onOrder: onOrder(this.#key) };
    return { ...unitsOnHand(this.#key), ...this.#claimed, ...this.#inbound };
  }
}

function isFact(cause: StockFact | Change): cause is StockFact {
  return 'type' in cause;
}

function differenceOf(before: Totals, after: Totals): Change {
  const change: Partial<Totals> = {};
  for (const bucket of MOVED_BUCKETS) {
    if (after[bucket] !== before[bucket]) change[bucket] = after[bucket] - before[bucket];
  }
  return change;
}

/** Leaves out what reservations claim, because the reservations in the book have steps of their own. */
function openingStep({ id, atMs }: Opening, total: Totals): ExplainStep {
  const change: Partial<Totals> = {};
  for (const bucket of FACT_BUCKETS) if (total[bucket] !== 0) change[bucket] = total[bucket];
  const detail = 'all facts before it, summed up; they have been trimmed from the streams';
  return { at: formatInstant(atMs * 1000), what: 'baseline', id, detail, change, total };
}

/** Removes the reservation, because its own steps show what a sale fulfilled and what a return opened again. */
function withoutReservation(fact: StockFact): StockFact {
  return fact.type === 'sale' || fact.type === 'return' ? { ...fact, reservation: undefined } : fact;
}

type AddEntry = (place: Place, cause: StockFact | Change, what: string, detail: () => string) => void;

/** At the same moment, a count comes before other facts, and decisions come after them. */
const [COUNT, FACT, DECISION] = [0, 1, 2];

/** Adds the steps of all reservations that the book remembers. A forgotten reservation has ended and claims nothing. */
function addClaims(book: StockBook, key: StockKey, addEntry: AddEntry): void {
  for (const part of book.parts.values()) {
    for (const [index, line] of (part.next?.lines ?? []).entries()) {
      if (line.key !== key || line.claimed === 0) continue;
      const told = () => `reservation ${part.id} is being changed`;
      const place = [part.grantedAtMs * 1000, DECISION, part.id, part.lines.length + index] as const;
      addEntry(place, { [part.bucket]: line.claimed }, 'growing', told);
    }
    for (const [index, line] of part.lines.entries()) {
      if (line.key !== key) continue;
      let step = 0;
      const add = (atMs: number, what: string, change: Change, more = '') => {
        const told = `reservation ${part.id}, ${line.qty} for ${part.purpose}, channel ${part.channel}${more}`;
        addEntry([atMs * 1000, DECISION + step, part.id, index], change, what, () => told);
        step += 1;
      };
      let [held, allocated] = [line.qty, 0];
      add(part.grantedAtMs, 'granted', { held });
      if (part.confirmedAtMs > 0) {
        add(part.confirmedAtMs, 'confirmed', { held: -held, allocated: held });
        [held, allocated] = [0, held];
      }
      // All fulfilled units are shown in one step, at the moment of the last sale.
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
      const rest: Change = held > 0 ? { held: -held } : allocated > 0 ? { allocated: -allocated } : {};
      if (part.releasedAtMs > 0) add(part.releasedAtMs, 'released', rest);
      else if (part.expiredAtMs > 0) add(part.expiredAtMs, 'expired', rest);
    }
  }
}

/**
 * Adds the facts that count. Returns the moments at which counts were taken, each with the latest occurredAt of a count that was moved
 * there, and notes for the reader.
 */
async function readFacts(
  deps: ExplainDeps,
  sku: string,
  location: string,
  positions: Readonly<Record<FactStream, number>>,
  opening: Opening | undefined,
  add: AddEntry,
): Promise<{ counts: ReadonlyMap<number, number>; notes: string[] }> {
  const factIds = new FactIds();
  const counts = new Map<number, number>();
  const notes: string[] = [];
  const { marks, partitions } = deps;
  const hash = hashOfToken(encodeToken(sku));
  const eachStored = async (
    stream: FactStream,
    call: (read: ReturnType<typeof readStored>, source: string) => void,
  ) => {
    const takeFact = (rule: Rule, message: StoredMessage, stored: StoredFact) => {
      // A fact on a subject of another partition is judged and explained there.
      if (stored.partition !== deps.partition.number) return;
      call(readStored(rule, message, stored, marks), factSource(stream, message.seq, stored.place));
    };
    const take = (whole: FollowedMessage) => {
      const rule = deps.rules.at(stream, whole);
      const bundle = bundleIn(whole, partitions);
      if (bundle === undefined) takeFact(rule, whole, storedFact(whole.subject, partitions));
      while (bundle?.next() === true)
        if (bundle.hash === hash) takeFact(rule, bundle.message(whole, rule.slackMs * 1000), bundle.stored);
    };
    const types = FACT_STREAMS[stream] as readonly FactType[];
    const filters = types.flatMap((type) => {
      const key = [type, deps.partition.number, ELSEWHERE.has(type) ? '*' : location, sku] as const;
      const lane = deps.partition.number % BUNDLE_LANES;
      return [storedFactSubject(...key), againSubject(...key), storedBundleSubject(type, lane)];
    });
    const last = (await deps.broker.stream(stream))?.lastSeq ?? 0;
    const from = (opening?.positions[stream] ?? 0) + 1;
    // Small pulls give other requests their turn (EX3).
    await readUntil(deps, stream, filters, from, Math.min(positions[stream], last), take, {
      batch: LIMITS.explainPull,
    });
  };
  const transfers = transfersAt(opening?.book, sku, location);
  await eachStored('TRANSFERS', ({ fact }) => {
    if (fact?.type === 'transfer' && changesAt(fact, location)) transfers.add(fact.transfer);
  });
  const orders = ordersAt(opening?.book, sku, location);
  await eachStored('RECEIPTS', ({ fact }) => {
    if (fact?.type === 'purchase' && fact.location === location) orders.add(fact.purchaseOrder);
  });
  const changesInbound = (fact: Fact) =>
    fact.type === 'transfer'
      ? transfers.has(fact.transfer)
      : (fact.type === 'purchase' || fact.type === 'receipt') && orders.has(fact.purchaseOrder);
  const concerns = (fact: Fact) => fact.sku === sku && (fact.location === location || changesInbound(fact));
  let parked = 0;
  for (const stream of STOCK_STREAMS) {
    await eachStored(stream, (read, source) => {
      if (read.fact !== undefined && !concerns(read.fact)) return;
      if (!read.ok || marks.conflicts.has(source)) {
        parked += 1;
        return;
      }
      const { fact, content, value } = read;
      if (!isStockFact(fact)) return;
      const id = hash64(fact.id, 1);
      if (factIds.check(id, content) !== 'new' || opening?.factIds.check(id, content) === 'duplicate') return;
      factIds.add(0, id, content, fact.at);
      const { at: moment, own = moment } = fact;
      if (fact.type === 'count') counts.set(moment, Math.max(own, counts.get(moment) ?? own));
      const told = fact.own === undefined ? '' : `; its clock said ${formatInstant(fact.own)}`;
      const more = fact.type === 'transfer' && fact.phase === 'corrected' ? AS_OF_SHIPMENT : '';
      const words = () => detailOf(value as Readonly<Record<string, unknown>>) + told + more;
      add([fact.at, fact.type === 'count' ? COUNT : FACT, fact.id, 0], fact, fact.type, words);
    });
  }
  if (parked > 0) notes.push(`${parked} facts for this key are parked and not counted; see GET /v1/parked`);
  return { counts, notes };
}

/** Returns the oldest baseline that covers what was trimmed; undefined if nothing was. Rejects if no baseline covers it. */
async function openingOf({ broker, baselines, partition, rules }: ExplainDeps): Promise<Opening | undefined> {
  const floors = pointOf({ ...floorsOf(await readStreams(broker)), [JOURNAL_STREAM]: 0 });
  if (covers(pointOf({}), floors)) return undefined;
  for (const { baseline, part } of (await baselines(() => undefined)).reverse()) {
    if (!covers(baseline, floors)) continue;
    const [fresh, factIds] = [new Partition(partition.number), new FactIds()];
    loadPart(await part(partition.number), fresh, factIds, rules);
    return {
      id: baseline.id,
      atMs: baseline.atMs,
      positions: baseline.positions,
      journalSeq: 0,
      book: fresh.book,
      factIds,
    };
  }
  throw new Error('the streams have been trimmed, and no baseline holds what came before');
}

const AS_OF_SHIPMENT = '; the units never left, so they count as of the latest shipment';

/** Whether the facts of this transfer can change the stock of a location, wherever they happened. */
function changesAt(fact: Transfer, location: string): boolean {
  return fact.phase === 'shipped' ? fact.to === location : fact.phase === 'corrected' && fact.location === location;
}

/** Ids of the transfers in a baseline that later facts may change at the location. */
function transfersAt(book: StockBook | undefined, sku: string, location: string): Set<string> {
  const key = book?.findKey(sku, location);
  const known = [...(key?.sku.transfers?.values() ?? [])].filter(({ latest }) => latest.key === key);
  const corrected = (key?.rare?.corrections ?? []).map(({ transfer }) => transfer.id);
  return new Set([...known.map(({ id }) => id), ...corrected]);
}

/** Types of facts that change what is on its way to a location and are stored under other locations too. */
const ELSEWHERE: ReadonlySet<FactType> = new Set<FactType>(['transfer', 'purchase', 'receipt']);

/** Purchase orders in a baseline with a line for the location. */
function ordersAt(book: StockBook | undefined, sku: string, location: string): Set<string | undefined> {
  const orders = [...(book?.skus.get(sku)?.purchases?.values() ?? [])];
  return new Set(orders.filter(({ lines }) => lines.some(({ key }) => key.location === location)).map(({ id }) => id));
}

/** Approximate bytes of a step without its texts. */
const STEP_BYTES = 250;

/** Returns how many of these steps fit into LIMITS.explainBytes. */
function fitting(newestFirst: readonly Entry[]): number {
  let bytes = 0;
  const over = newestFirst.findIndex(({ place, detail }) => {
    bytes += STEP_BYTES + Buffer.byteLength(place[2]) + Buffer.byteLength(detail);
    return bytes > LIMITS.explainBytes;
  });
  return over < 0 ? newestFirst.length : over;
}
