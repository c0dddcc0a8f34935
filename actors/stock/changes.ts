/**
 * The changes of one fold: which stock keys and which reservation a fact or a decision changed, and their figures before it.
 *
 * Evolving announces each change here before it makes it. Figures, anomalies and live topics read the set after the fold, so no other
 * code has to know what a fact touches. The set belongs to its book, and the next fold reuses it.
 *
 * Invariants:
 *  CH1 A key is in the set once, with its figures from before the fold. The key of a fact comes first.
 *  CH2 Once the set has grown to the size of a usual fold, a fact allocates nothing in it, except a copy of the state that few keys have,
 *      and what a transfer was about before.
 */
import { present } from '../../streams/assert.ts';
import { bookAsOf } from './movements.ts';
import {
  type Moment,
  NO_RARE_UNITS,
  type PartLine,
  type PurchaseRecord,
  type RareBucket,
  ReservationPart,
  type StockKey,
  type TransferRecord,
} from './state.ts';
import { onOrder } from './supply/on-order.ts';
import { inTransit } from './supply/transit.ts';

/** Up to this many keys, a linear search beats a set. */
const FEW = 16;

/** The figures of a stock key at one moment. */
export interface KeyFigures {
  sellable: number;
  held: number;
  allocated: number;
  inTransit: number;
  onOrder: number;
  /** NO_RARE_UNITS itself for the many keys that have none, so that they can be compared by identity instead of bucket by bucket. */
  rare: Readonly<Record<RareBucket, number>>;
}

export interface KeyChange {
  key: StockKey;
  /** The fold created the key, so `before` is zeros. */
  isNew: boolean;
  readonly before: KeyFigures;
}

/** The one reservation that a fold names, as it was before the fold. */
export interface PartChange {
  readonly part: ReservationPart;
  readonly granted: boolean;
  readonly channel: string;
  readonly purpose: string;
  readonly bucket: 'held' | 'allocated';
  /** Kept by reference, because a new grant for the id replaces the list and leaves its lines alone. */
  readonly lines: readonly PartLine[];
  /** Units that each line claimed. */
  readonly claimed: readonly number[];
}

/** How the fold has ended the holds of a reservation; undefined if it had none or they go on. */
export function endOfHolds({
  part,
  granted,
  bucket,
  claimed,
}: PartChange): 'confirmed' | 'released' | 'expired' | undefined {
  if (!granted || bucket !== 'held' || !claimed.some((units) => units > 0)) return undefined;
  if (part.expiredAtMs > 0) return 'expired';
  if (part.releasedAtMs > 0 || !part.granted) return 'released';
  return part.confirmedAtMs > 0 ? 'confirmed' : undefined;
}

/** The transfer that a fold names. */
export interface TransferChange {
  readonly transfer: TransferRecord;
  /** The key that the record was about before the fold, which is its destination once it was shipped. */
  readonly key: StockKey;
}

const NO_PART = new ReservationPart('');

export class ChangeSet {
  /** The reservation that the fold changes; undefined if it changes none. */
  part: PartChange | undefined;
  /** Sellable units at the moment of a count, according to the book before the fold; undefined for other facts and for a new key. */
  bookAtCount: number | undefined;
  /** The transfer that the fold changes; undefined if it changes none. */
  transfer: TransferChange | undefined;
  /** The purchase order that the fold names; undefined if it names none. */
  purchase: PurchaseRecord | undefined;
  readonly #part: { -readonly [Field in Exclude<keyof PartChange, 'claimed'>]: PartChange[Field] } & {
    claimed: number[];
  } = { part: NO_PART, granted: false, channel: '', purpose: '', bucket: 'held', lines: [], claimed: [] };
  readonly #pool: KeyChange[] = [];
  readonly #known = new Set<StockKey>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** @param index below `length` */
  at(index: number): KeyChange {
    return present(this.#pool[index], 'CH1');
  }

  /** Must be called when a fold begins. */
  begin(): void {
    this.#length = 0;
    this.part = undefined;
    this.bookAtCount = undefined;
    this.transfer = undefined;
    this.purchase = undefined;
    if (this.#known.size > 0) this.#known.clear();
  }

  /** Must be called before a key changes, or right after it was created. */
  note(key: StockKey, isNew: boolean): void {
    // Only the first note has the figures from before the fold (CH1).
    if (this.#has(key)) return;
    // Entries are reused, so a usual fold allocates none (CH2).
    let change = this.#pool[this.#length];
    if (change === undefined) {
      change = { key, isNew, before: zeros() };
      this.#pool.push(change);
    }
    change.key = key;
    change.isNew = isNew;
    readFigures(key, change.before);
    this.#length += 1;
    if (this.#length > FEW) this.#known.add(key);
  }

  notePart(part: ReservationPart): void {
    if (this.part !== undefined) return;
    const kept = this.#part;
    kept.part = part;
    kept.granted = part.granted;
    kept.channel = part.channel;
    kept.purpose = part.purpose;
    kept.bucket = part.bucket;
    kept.lines = part.lines;
    kept.claimed.length = 0;
    for (const { claimed } of part.lines) kept.claimed.push(claimed);
    this.part = kept;
  }

  noteCount(key: StockKey, moment: Moment): void {
    if (!this.at(0).isNew) this.bookAtCount = bookAsOf(key, moment);
  }

  #has(key: StockKey): boolean {
    for (let i = Math.min(this.#length, FEW) - 1; i >= 0; i--) if (this.at(i).key === key) return true;
    return this.#length > FEW && this.#known.has(key);
  }
}

/** Reads the figures of a key into an object that the caller reuses. */
export function readFigures(key: StockKey, into: KeyFigures): KeyFigures {
  into.sellable = key.sellable;
  into.rare = key.rare === undefined ? NO_RARE_UNITS : { ...key.rare };
  into.held = key.held;
  into.allocated = key.allocated;
  into.inTransit = inTransit(key);
  into.onOrder = onOrder(key);
  return into;
}

export function zeros(): KeyFigures {
  return { sellable: 0, held: 0, allocated: 0, inTransit: 0, onOrder: 0, rare: NO_RARE_UNITS };
}
