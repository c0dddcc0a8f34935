/**
 * State of the stock machine: a book holds every stock key and reservation of one partition.
 *
 * An actor is a StockKey, plain data of a few hundred bytes; its behaviour is the pure functions beside this file:
 * decide (requests), evolve (facts and decisions), availability (answers), invariants (checks).
 *
 * Pages: everything that a snapshot stores stands on a page of its book. Whoever changes an item touches its page first, so
 * that a snapshot in progress can write the page as it was (see actors/snapshot/format.ts).
 */

import type { Hash64 } from '../../streams/hash.ts';
import type { Shortage } from '../../streams/journal/record.ts';

/** The register that sellable is relative to: the last count by (at, id). */
export interface CountRegister {
  readonly at: number;
  readonly id: string;
  readonly counted: number;
}

/** One transfer as its destination sees it. */
export interface Transit {
  shipped: number;
  /** Received, damaged ones too. */
  arrived: number;
  /** Latest shipment by occurredAt: its stamp, and when it is due, in microseconds; undefined if no eta was given. */
  shippedAt: number;
  eta: number | undefined;
}

/** What few stock keys have; kept apart to keep the many small. */
export interface SeldomState {
  damaged: number;
  inspection: number;
  transit: Map<string, Transit> | undefined;
}

/** One SKU at one location: an actor. */
export class StockKey {
  readonly sku: SkuEntry;
  readonly location: string;
  /** Derived: counted + movements after the count; checked against its parts by invariant N1. */
  sellable = 0;
  /** Sum of the movements that compaction took out of `movements` and that no count has covered. */
  base = 0;
  /** Movements of sellable in order of occurredAt: [at, delta, at, delta …], one entry per instant. */
  movements: readonly number[] = NO_MOVEMENTS;
  count: CountRegister | undefined = undefined;
  /** Derived: units of live holds and allocations here; checked by invariant N3. */
  held = 0;
  allocated = 0;
  /** Units granted by decisions that are on their way to the journal: not stored, not told, but not to be promised again. */
  pending = 0;
  seldom: SeldomState | undefined = undefined;

  constructor(sku: SkuEntry, location: string) {
    this.sku = sku;
    this.location = location;
  }
}

/** One SKU with its locations, in the order they were first heard of. */
export class SkuEntry {
  readonly name: string;
  page = 0;
  /** Replaced, not pushed to, while they are few: an array that grows keeps room for sixteen more. */
  keys: StockKey[] = [];
  /** By location; made when there are many. */
  index: Map<string, StockKey> | undefined = undefined;

  constructor(name: string) {
    this.name = name;
  }

  // On the prototype: a field would cost every item eight bytes.
  get kind(): 'sku' {
    return 'sku';
  }
}

export interface PartLine {
  readonly index: number;
  readonly key: StockKey;
  readonly qty: number;
  /** Units that sales have fulfilled. */
  fulfilled: number;
  /** Units now standing in the key's held or allocated on account of this line. */
  claimed: number;
}

/** What sales took on account of a reservation, by SKU and location. */
export interface Sold {
  readonly sku: string;
  readonly location: string;
  qty: number;
}

/** The lines of one reservation in this partition. Its status is derived, see reservation.ts. */
export class ReservationPart {
  readonly id: string;
  page = 0;
  granted = false;
  content: Hash64 = { hi: 0, lo: 0 };
  channel = '';
  purpose = '';
  home = 0;
  spread: readonly number[] = [];
  shortages: readonly Shortage[] = [];
  epoch = 0;
  seq = 0;
  grantedAtMs = 0;
  expiresAtMs = 0;
  confirmedAtMs = 0;
  releasedAtMs = 0;
  expiredAtMs = 0;
  lines: PartLine[] = [];
  sold: Sold[] | undefined = undefined;
  /** Latest occurredAt of a sale that names it, in milliseconds. */
  soldAtMs = 0;
  /** Where `claimed` of the lines stands. */
  bucket: 'held' | 'allocated' = 'held';

  constructor(id: string) {
    this.id = id;
  }

  get kind(): 'part' {
    return 'part';
  }
}

/** At the home of an id: where the reservation's lines are, when they are not here alone. */
export class HomeEntry {
  readonly id: string;
  page = 0;
  readonly content: Hash64;
  readonly spread: readonly number[];
  readonly shortages: readonly Shortage[];
  readonly expiresAtMs: number;
  confirmedAtMs = 0;
  endedAtMs = 0;

  constructor(
    id: string,
    content: Hash64,
    spread: readonly number[],
    shortages: readonly Shortage[],
    expiresAtMs: number,
  ) {
    this.id = id;
    this.content = content;
    this.spread = spread;
    this.shortages = shortages;
    this.expiresAtMs = expiresAtMs;
  }

  get kind(): 'home' {
    return 'home';
  }
}

export type PageItem = SkuEntry | ReservationPart | HomeEntry;

export interface Page {
  readonly items: Set<PageItem>;
  /** Changed since the last snapshot began. */
  dirty: boolean;
  /** Belongs to a snapshot in progress that has not written it yet. */
  awaited: boolean;
}

const ITEMS_PER_PAGE = 256;
const FEW = 8;
/** Shared by all keys that have none: most of a million actors are quiet. */
const NO_MOVEMENTS: readonly number[] = [];
/** From this many locations on a SKU gets an index by location. */
const INDEX_FROM = 12;

export class StockBook {
  readonly partition: number;
  /** The owner's epoch and its count of changes: the version of every answer. */
  epoch = 0;
  seq = 0;
  readonly skus = new Map<string, SkuEntry>();
  readonly parts = new Map<string, ReservationPart>();
  readonly homes = new Map<string, HomeEntry>();
  readonly pages: Page[] = [];
  readonly #locations = new Map<string, string>();
  keyCount = 0;
  itemsPerPage = ITEMS_PER_PAGE;
  /** Called before an awaited page changes, so that a snapshot in progress keeps what it was. */
  beforeAwaited: ((page: number) => void) | undefined = undefined;
  /** Called with each part whose hold may have to expire. */
  onHold: ((part: ReservationPart) => void) | undefined = undefined;

  constructor(partition: number) {
    this.partition = partition;
  }

  /** The page of an item is about to change. */
  touch(item: PageItem): void {
    const page = this.pages[item.page] as Page;
    if (page.awaited) this.beforeAwaited?.(item.page);
    page.dirty = true;
  }

  /** Puts a new item on the newest page with room, or on the given one when a snapshot is loaded. */
  place(item: PageItem, at?: number): void {
    let index = at ?? this.pages.length - 1;
    if (at === undefined && (index < 0 || (this.pages[index] as Page).items.size >= this.itemsPerPage)) index += 1;
    while (this.pages.length <= index) this.pages.push({ items: new Set(), dirty: true, awaited: false });
    const page = this.pages[index] as Page;
    if (page.awaited) this.beforeAwaited?.(index);
    item.page = index;
    page.items.add(item);
    page.dirty = true;
  }

  remove(item: PageItem): void {
    this.touch(item);
    (this.pages[item.page] as Page).items.delete(item);
    if (item.kind === 'part') this.parts.delete(item.id);
    else if (item.kind === 'home') this.homes.delete(item.id);
  }

  findKey(sku: string, location: string): StockKey | undefined {
    const entry = this.skus.get(sku);
    return entry === undefined ? undefined : keyAt(entry, location);
  }

  /** The key, activated if nothing was known of it. */
  key(sku: string, location: string): StockKey {
    let entry = this.skus.get(sku);
    if (entry === undefined) {
      entry = new SkuEntry(sku);
      this.skus.set(sku, entry);
      this.place(entry);
    }
    const known = keyAt(entry, location);
    if (known !== undefined) return known;
    this.touch(entry);
    return this.addKey(entry, location);
  }

  /** One string for a location, however many facts name it. */
  #locationOf(location: string): string {
    const known = this.#locations.get(location);
    if (known !== undefined) return known;
    this.#locations.set(location, location);
    return location;
  }

  addKey(entry: SkuEntry, location: string): StockKey {
    const key = new StockKey(entry, this.#locationOf(location));
    // concat makes an array of just its size; a spread literal keeps room for sixteen more.
    if (entry.keys.length < FEW) entry.keys = entry.keys.concat(key);
    else entry.keys.push(key);
    this.keyCount += 1;
    if (entry.index !== undefined) entry.index.set(location, key);
    else if (entry.keys.length >= INDEX_FROM) entry.index = new Map(entry.keys.map((each) => [each.location, each]));
    return key;
  }
}

function keyAt(entry: SkuEntry, location: string): StockKey | undefined {
  if (entry.index !== undefined) return entry.index.get(location);
  for (const key of entry.keys) if (key.location === location) return key;
  return undefined;
}
