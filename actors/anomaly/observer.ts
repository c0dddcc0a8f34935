/**
 * Feeds the facts and decisions of one partition to the anomaly detectors, and keeps the detectors' state with the partition's snapshots.
 *
 * Invariants:
 *  AW1 The kept state begins with a version. State of an unknown version is not read, and the detectors start empty (PV3).
 *  AW2 State that follows from the book (negative stock, shortfalls, variances of counts, open supply, excess transfers, held units) is derived
 *      from it when a book is loaded. The detectors' models, damaged and unmatched deliveries and the open alarms, with their beginnings,
 *      are kept.
 *  AW3 Alarms that are functions of the book are judged when somebody looks, at most once for each key that changed since the last look.
 *      So the same facts in any order leave the same ones open, and a key below zero costs a fact no more than another key.
 */
import { ANOMALY_DEFAULTS, type AnomalyParameters } from '../../config/anomalies.ts';
import { present } from '../../streams/assert.ts';
import type { StockFact } from '../../streams/fact/fact.ts';
import type { StockDecision } from '../../streams/journal/stock-decisions.ts';
import type { PartitionObserver } from '../partition/observer.ts';
import type { ParkedCauses } from '../ports/parked.ts';
import type { StockBook } from '../stock/book.ts';
import { endOfHolds } from '../stock/changes.ts';
import type { PartLine, StockKey } from '../stock/state.ts';
import { type Alarm, Alarms } from './detect/alarms.ts';
import { judgeBalance } from './detect/balance.ts';
import type { DetectorContext } from './detect/context.ts';
import { judgeVariance } from './detect/count-variance.ts';
import { Hoarding } from './detect/hoarding.ts';
import { Arrivals } from './detect/inbound/arrivals.ts';
import { Deliveries } from './detect/inbound/deliveries.ts';
import { KeyStates } from './detect/key-states.ts';
import { LocationClocks } from './detect/location-clock.ts';
import { judgePrice } from './detect/price.ts';
import { judgeReturn, judgeSale, judgeSilenceOfKeys, judgeStock } from './detect/sales.ts';
import { type Heard, Sightings } from './detect/sightings.ts';
import { judgeParked } from './parked-facts.ts';
import { ReservationFacts } from './reservation-facts.ts';
import { ReportingSources, type SourceClock } from './sources.ts';

const VERSION = 2;
/** The oldest version whose rows can still be read (key-states.ts). */
const OLDEST_VERSION = 1;
/** The version and the byte length of the rows, which precede the rows. */
const HEAD_BYTES = 5;

export interface AnomalyWatchOptions {
  readonly parameters?: AnomalyParameters;
  /** Usual time of a transfer without an eta. */
  readonly laneTimeMs: number;
}

export class AnomalyObserver implements PartitionObserver {
  readonly #context: DetectorContext;
  readonly #arrivals: Arrivals;
  readonly #deliveries: Deliveries;
  readonly #sightings: Sightings;
  readonly #sources: ReportingSources;
  readonly #hoarding: Hoarding;
  readonly #reservations: ReservationFacts;
  /** Keys that changed since the last look, with the moment of the first change and the moment at which it was stored (AW3). */
  readonly #changed = new Map<StockKey, readonly [at: number, recordedAt: number]>();
  #parkedSeen = -1;
  #book: StockBook | undefined;

  constructor(partition: number, { parameters = ANOMALY_DEFAULTS, laneTimeMs }: AnomalyWatchOptions) {
    const { returnPriorShare, returnPriorWeight } = parameters;
    const clocks = new LocationClocks({
      returns: returnPriorShare * returnPriorWeight,
      returnLines: returnPriorWeight,
    });
    this.#context = { parameters, alarms: new Alarms(partition), clocks, states: new KeyStates() };
    this.#arrivals = new Arrivals(this.#context, laneTimeMs);
    this.#deliveries = new Deliveries(this.#context);
    this.#sightings = new Sightings(this.#context);
    this.#sources = new ReportingSources(this.#context);
    this.#hoarding = new Hoarding(this.#context);
    this.#reservations = new ReservationFacts(this.#context);
  }

  /** See PartitionObserver. */
  told = 0;

  /** Number of stock keys that the detectors remember. */
  get keys(): number {
    return this.#context.states.size;
  }

  open(): Iterable<[id: string, alarm: Alarm]> {
    this.#judgeChanged();
    return this.#context.alarms.open();
  }

  /** Alarms raised or changed since the last call, by id; undefined if cleared. */
  takeChanged(): Map<string, Alarm | undefined> {
    this.#judgeChanged();
    return this.#context.alarms.takeChanged();
  }

  /** Sightings of locations and devices since the last call, for the partitions that judge them. */
  takeHeard(): Heard[] {
    return this.#sightings.take();
  }

  /** Takes sightings, from any partition, of a location whose home is this partition. */
  hear(heard: readonly Heard[]): void {
    this.told += 1;
    for (const each of heard) this.#sources.hear(each);
  }

  /** Judges the parked facts of locations whose home is this partition. */
  judgeParked(parked: ParkedCauses): void {
    this.#parkedSeen = judgeParked(this.#context.alarms, parked, this.#parkedSeen);
  }

  /** The clocks of the locations' devices whose home is this partition. */
  clocks(): SourceClock[] {
    return this.#sources.clocks();
  }

  /** Judges what changed, and anomalies that arise or end with time alone. @param nowMs wall time, in milliseconds since 1970 */
  tick(nowMs: number): void {
    this.#judgeChanged();
    const wall = nowMs * 1000;
    judgeSilenceOfKeys(this.#context, wall);
    this.#arrivals.tick(wall);
    this.#deliveries.tick(wall);
    this.#sources.tick(wall);
    this.#reservations.tick(this.#book);
  }

  /** Reservations whose homes must be asked now whether they know them. @param nowMs wall time, in milliseconds since 1970 */
  takeUnknown(nowMs: number, most: number): string[] {
    return this.#reservations.takeDue(nowMs * 1000, most);
  }

  homeAnswered(reservation: string, isKnown: boolean, nowMs: number): void {
    this.#reservations.answered(reservation, isKnown, nowMs * 1000);
  }

  factFolded(book: StockBook, fact: StockFact, recordedAt: number): void {
    const context = this.#context;
    this.#book = book;
    const { changes } = book;
    const { key, before } = changes.at(0);
    this.#sightings.hear(fact, recordedAt);
    switch (fact.type) {
      case 'sale':
        judgePrice(context, key, fact, judgeSale(context, key, fact, recordedAt), recordedAt);
        break;
      case 'return':
        judgeReturn(context, key, fact, recordedAt);
        break;
      case 'count':
      case 'adjustment':
      case 'purchase':
        break;
      case 'receipt':
        this.#arrivals.noteReceipt(key, fact, recordedAt);
        this.#deliveries.noteReceipt(key, fact, recordedAt);
        break;
      case 'transfer':
        this.#arrivals.judgeTransfer(key, fact, present(changes.transfer, 'EV3'), recordedAt);
        break;
    }
    if (changes.purchase !== undefined) this.#deliveries.judgePurchase(changes.purchase, recordedAt);
    judgeStock(context, key, before.sellable > 0, fact.type === 'count');
    this.#noteChanges(book, fact.at, recordedAt);
    if (changes.part !== undefined) {
      this.#hoarding.follow(changes.part);
      this.#reservations.judge(changes.part.part);
      this.#judgeHolds(changes.part.part.lines, fact.at, recordedAt);
    } else if (key.held > 0) this.#hoarding.judge(key, fact.at, recordedAt);
  }

  decisionFolded(book: StockBook, decision: StockDecision): void {
    const at = decision.atMs * 1000;
    this.#noteChanges(book, at, at);
    const change = book.changes.part;
    if (change === undefined) return;
    const { part } = change;
    const end = endOfHolds(change);
    if (end !== undefined) this.#hoarding.end(part, end, decision.atMs);
    this.#hoarding.follow(change);
    this.#reservations.judge(part);
    this.#judgeHolds(part.lines, at, at);
    // A grant that replaces an earlier one may have other lines, so the earlier lines are judged too.
    if (change.lines !== part.lines) this.#judgeHolds(change.lines, at, at);
  }

  #judgeHolds(lines: readonly PartLine[], at: number, recordedAt: number): void {
    for (const { key } of lines) this.#hoarding.judge(key, at, recordedAt);
  }

  /** A fold may change keys that it does not name, such as those of an attempt that is undone, or of a correction that moves. */
  #noteChanges({ changes }: StockBook, at: number, recordedAt: number): void {
    for (let i = 0; i < changes.length; i++) {
      const { key } = changes.at(i);
      if (!this.#changed.has(key)) this.#changed.set(key, [at, recordedAt]);
    }
  }

  #judgeChanged(): void {
    for (const [key, [at, recordedAt]] of this.#changed) this.#judgeKey(key, at, recordedAt);
    this.#changed.clear();
  }

  #judgeKey(key: StockKey, at: number, recordedAt: number): void {
    judgeBalance(this.#context, key, at, recordedAt);
    judgeVariance(this.#context, key);
    this.#arrivals.judgeDamage(key);
    this.#deliveries.judgeKey(key);
  }

  keep(): Uint8Array {
    this.#judgeChanged();
    const { alarms, clocks, states } = this.#context;
    const others = JSON.stringify({
      places: clocks.keep(),
      hearing: this.#sightings.keep(),
      sources: this.#sources.keep(),
      hoarding: this.#hoarding.keep(),
      damage: this.#arrivals.keep(),
      unmatched: this.#deliveries.keep(),
    });
    const rest = Buffer.from(`{"alarms":${alarms.keep()},${others.slice(1)}`);
    const rows = states.keptBytes;
    const kept = Buffer.allocUnsafe(HEAD_BYTES + rows + rest.length);
    kept.writeUInt8(VERSION, 0);
    kept.writeUInt32LE(rows, 1);
    states.keep(kept.subarray(HEAD_BYTES, HEAD_BYTES + rows));
    kept.set(rest, HEAD_BYTES + rows);
    return kept;
  }

  load(book: StockBook, kept: Uint8Array | undefined, latest?: number): void {
    this.#book = book;
    this.#changed.clear();
    this.#parkedSeen = -1;
    // Unreadable state is dropped, and the detectors start empty (AW1).
    if (kept === undefined || !this.#read(book, kept)) this.#beginAnew(book);
    if (latest !== undefined) {
      this.#context.clocks.moveBack(latest);
      this.#context.states.moveBack(latest);
    }
    this.#reservations.load(book);
    // These alarms follow from the book, so every key that may need one is judged (AW2).
    for (const { keys } of book.skus.values())
      for (const key of keys) if (mayAlarm(key)) this.#judgeKey(key, lastMoved(key), 0);
  }

  /** False if the kept state is of an unknown version (AW1), or cannot be read completely. */
  #read(book: StockBook, kept: Uint8Array): boolean {
    const version = kept[0] ?? 0;
    if (version < OLDEST_VERSION || version > VERSION) return false;
    try {
      const length = new DataView(kept.buffer, kept.byteOffset).getUint32(1, true);
      const rest = JSON.parse(Buffer.from(kept.subarray(HEAD_BYTES + length)).toString());
      this.#context.states.load(book, kept.subarray(HEAD_BYTES, HEAD_BYTES + length), version);
      this.#loadRest(book, rest);
      return true;
    } catch {
      return false;
    }
  }

  #beginAnew(book: StockBook): void {
    this.#context.states.clear();
    this.#loadRest(book, { alarms: [], places: [], hearing: [], sources: [], hoarding: [], damage: [] });
  }

  #loadRest(book: StockBook, kept: Record<string, unknown[]>): void {
    const part = (name: string) => kept[name] as unknown[];
    this.#context.alarms.load(part('alarms'));
    this.#context.clocks.load(part('places'));
    this.#arrivals.load(book, kept.damage);
    this.#deliveries.load(book, kept.unmatched);
    this.#sightings.load(part('hearing'));
    this.#sources.load(part('sources'));
    this.#hoarding.load(book, part('hoarding'));
  }
}

function mayAlarm({ sellable, held, allocated, count, rare }: StockKey): boolean {
  return sellable < 0 || held + allocated > 0 || count !== undefined || rare !== undefined;
}

/** When the key last moved, as far as the book still knows, in microseconds since 1970. */
function lastMoved({ movements, count }: StockKey): number {
  return Math.max(movements.at(-2) ?? 0, count?.at ?? 0);
}
