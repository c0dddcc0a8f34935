/** The book of stock: every stock key and reservation of one partition. */
import { present } from '../../streams/assert.ts';
import type { Book } from '../book/domain.ts';
import { LARGE_ITEM, Pages } from '../book/pages.ts';
import { NO_TERMS, type PromiseTerms } from '../policy/terms.ts';
import { ChangeSet } from './changes.ts';
import {
  type CoordinatorEntry,
  type PendingUnits,
  type ReservationPart,
  SkuEntry,
  StockKey,
  type TransferRecord,
} from './state.ts';

/** Lists of up to this many keys keep their exact size. */
const FEW = 8;
/** A SKU gets an index by location from this many locations on. */
const INDEX_FROM = 12;

export class StockBook implements Book {
  readonly partition: number;
  /** The owner's epoch and its number of changes, which make the version of every answer. */
  epoch = 0;
  seq = 0;
  readonly skus = new Map<string, SkuEntry>();
  readonly parts = new Map<string, ReservationPart>();
  readonly coordinatorEntries = new Map<string, CoordinatorEntry>();
  readonly pages: Pages;
  /** Changes of the fold in progress, or of the last one. */
  readonly changes = new ChangeSet();
  readonly #locations = new Map<string, string>();
  keyCount = 0;
  /** Called with each granted part that may have to end at some moment. */
  onTimed: ((part: ReservationPart) => void) | undefined = undefined;
  /** Called with each key whose later promises may have to be made again. */
  onPromised: ((key: StockKey, cause: string) => void) | undefined = undefined;
  /** What promises depend on beside the book. Answers and decisions read it; folding never does. */
  terms: PromiseTerms = NO_TERMS;
  /** Whether `groups` of the keys are counted (PH2). */
  hasGroups = false;
  /** Grants that the journal has not stored yet. */
  readonly inFlight = new Set<PendingUnits>();

  constructor(partition: number, pages = new Pages()) {
    this.partition = partition;
    this.pages = pages;
  }

  clear(): void {
    this.skus.clear();
    this.parts.clear();
    this.coordinatorEntries.clear();
    this.keyCount = 0;
    this.hasGroups = false;
  }

  get version(): string {
    // mutant: version-without-epoch
    return `${this.epoch}.${this.seq}`;
  }

  /** Must be called before a key changes. */
  change(key: StockKey): void {
    this.pages.touch(key.sku);
    this.changes.note(key, false);
    if (key.rare !== undefined) key.rare.timeline = undefined;
  }

  /** Must be called before a reservation changes. It covers the keys from which its lines claim. */
  changePart(part: ReservationPart): void {
    this.pages.touch(part);
    this.changes.notePart(part);
    for (const line of part.lines) this.change(line.key);
    for (const line of part.next?.lines ?? []) this.change(line.key);
  }

  /** Must be called before a transfer changes. It covers the key that the record is about. */
  changeTransfer(transfer: TransferRecord): void {
    const { key } = transfer.latest;
    this.change(key);
    this.changes.transfer = { transfer, key };
  }

  removePart(part: ReservationPart): void {
    this.pages.remove(part);
    this.parts.delete(part.id);
  }

  removeCoordinatorEntry(coordinator: CoordinatorEntry): void {
    this.pages.remove(coordinator);
    this.coordinatorEntries.delete(coordinator.id);
  }

  findKey(sku: string, location: string): StockKey | undefined {
    const entry = this.skus.get(sku);
    return entry === undefined ? undefined : keyAt(entry, location);
  }

  /** Returns the key, and creates it if it is unknown. */
  key(sku: string, location: string): StockKey {
    let entry = this.skus.get(sku);
    if (entry === undefined) {
      entry = new SkuEntry(sku);
      this.skus.set(sku, entry);
      this.pages.place(entry);
    }
    const known = keyAt(entry, location);
    if (known !== undefined) return known;
    this.pages.touch(entry);
    const key = this.addKey(entry, location);
    if (entry.keys.length === LARGE_ITEM) this.pages.isolate(entry);
    this.changes.note(key, true);
    return key;
  }

  /** Interns a location, so that all keys share one string. */
  #locationOf(location: string): string {
    const known = this.#locations.get(location);
    if (known !== undefined) return known;
    this.#locations.set(location, location);
    return location;
  }

  addKey(entry: SkuEntry, location: string): StockKey {
    const key = new StockKey(entry, this.#locationOf(location));
    // Sorted, so that answers and choices between equal locations do not depend on the order of the facts.
    const at = placeOf(location, entry.keys);
    // toSpliced returns an array of exact size; a spread literal reserves room for sixteen more.
    if (entry.keys.length < FEW) entry.keys = entry.keys.toSpliced(at, 0, key);
    else entry.keys.splice(at, 0, key);
    this.keyCount += 1;
    if (entry.index !== undefined) entry.index.set(location, key);
    else if (entry.keys.length >= INDEX_FROM) entry.index = new Map(entry.keys.map((each) => [each.location, each]));
    return key;
  }
}

/** Where a location belongs among keys that are sorted by location. */
function placeOf(location: string, keys: readonly StockKey[]): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (present(keys[middle]).location < location) low = middle + 1;
    else high = middle;
  }
  return low;
}

function keyAt(entry: SkuEntry, location: string): StockKey | undefined {
  if (entry.index !== undefined) return entry.index.get(location);
  for (const key of entry.keys) if (key.location === location) return key;
  return undefined;
}
