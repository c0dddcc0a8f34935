/**
 * The changes of one fold: which stock keys and which reservation a fact or a decision changed, and how they stood before.
 *
 * Evolving announces each change here before it makes it. Figures, anomalies and live topics read the set after the fold, so nothing else
 * has to know what a fact touches. The set belongs to its book and is used again by the next fold.
 *
 * Invariants:
 *  CH1 A key is in the set once, with its figures from before the fold. The key of a fact comes first.
 *  CH2 The set allocates nothing on the path of a fact once it has grown to the size of a usual fold, but for a copy of what few keys have.
 */
import { present } from '../../streams/assert.ts';
import { inTransit } from './availability.ts';
import { bookAsOf } from './movements.ts';
import {
  type CountRegister,
  NO_RARE_UNITS,
  type PartLine,
  ReservationPart,
  type SeldomBucket,
  type StockKey,
} from './state.ts';

/** Keys up to which a search beats a set. */
const FEW = 16;

/** The figures of a stock key at one moment. */
export interface KeyFigures {
  sellable: number;
  held: number;
  allocated: number;
  inTransit: number;
  /** NO_SELDOM_UNITS itself for the many keys that have none, so that a fact need not go bucket by bucket. */
  rare: Readonly<Record<SeldomBucket, number>>;
}

export interface KeyChange {
  key: StockKey;
  /** The fold has brought the key about: before it there was none, and `before` is zeros. */
  isNew: boolean;
  readonly before: KeyFigures;
}

/** How the one reservation that a fold names stood before it. */
export interface PartChange {
  readonly part: ReservationPart;
  readonly granted: boolean;
  readonly channel: string;
  readonly purpose: string;
  readonly bucket: 'held' | 'allocated';
  /** A new grant under the id replaces the list, not the lines. */
  readonly lines: readonly PartLine[];
  /** Units that each of the lines claimed. */
  readonly claimed: readonly number[];
}

export interface CountFound {
  /** The register that it met. */
  readonly register: CountRegister | undefined;
  /** Units that the book said were there at the moment of the count. */
  readonly book: number;
}

const NO_PART = new ReservationPart('');

export class ChangeSet {
  /** The reservation that the fold changes; undefined if it changes none. */
  part: PartChange | undefined;
  /** What a count found; undefined for a new key. */
  counted: CountFound | undefined;
  readonly #part: { -readonly [Field in Exclude<keyof PartChange, 'claimed'>]: PartChange[Field] } & {
    claimed: number[];
  } = { part: NO_PART, granted: false, channel: '', purpose: '', bucket: 'held', lines: [], claimed: [] };
  readonly #counted: { -readonly [Field in keyof CountFound]: CountFound[Field] } = { register: undefined, book: 0 };
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

  /** A fold begins. */
  begin(): void {
    this.#length = 0;
    this.part = undefined;
    this.counted = undefined;
    if (this.#known.size > 0) this.#known.clear();
  }

  /** A key is about to change, or has just been made. */
  note(key: StockKey, isNew: boolean): void {
    // CH1.
    if (this.#has(key)) return;
    // CH2.
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

  noteCount(key: StockKey, at: number): void {
    if (this.at(0).isNew) return;
    this.#counted.register = key.count;
    this.#counted.book = bookAsOf(key, at);
    this.counted = this.#counted;
  }

  #has(key: StockKey): boolean {
    for (let i = Math.min(this.#length, FEW) - 1; i >= 0; i--) if (this.at(i).key === key) return true;
    return this.#length > FEW && this.#known.has(key);
  }
}

/** Reads the figures of a key, into an object that is used again. */
export function readFigures(key: StockKey, into: KeyFigures): KeyFigures {
  into.sellable = key.sellable;
  into.rare = key.rare === undefined ? NO_RARE_UNITS : { ...key.rare };
  into.held = key.held;
  into.allocated = key.allocated;
  into.inTransit = inTransit(key);
  return into;
}

export function zeros(): KeyFigures {
  return { sellable: 0, held: 0, allocated: 0, inTransit: 0, rare: NO_RARE_UNITS };
}
