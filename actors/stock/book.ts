/**
 * A book: every stock key and reservation of one partition, on pages.
 *
 * Everything that a snapshot stores is on a page of its book. An item's page is touched before the item changes, so that a snapshot in
 * progress can write the page as it was (see actors/snapshot/format.ts).
 */
import { ChangeSet } from './changes.ts';
import { type HomeEntry, type PageItem, type ReservationPart, SkuEntry, StockKey } from './state.ts';

export interface Page {
  readonly items: Set<PageItem>;
  /** Changed since the last snapshot began. */
  dirty: boolean;
  /** Belongs to a snapshot in progress that has not written it yet. */
  awaited: boolean;
}

const ITEMS_PER_PAGE = 256;
const FEW = 8;
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
  /** Of the fold under way, or of the last one. */
  readonly changes = new ChangeSet();
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

  /** A key is about to change. */
  change(key: StockKey): void {
    this.touch(key.sku);
    this.changes.note(key, false);
  }

  /** A reservation is about to change, and with it the keys that its lines claim from. */
  changePart(part: ReservationPart): void {
    this.touch(part);
    this.changes.notePart(part);
    for (const line of part.lines) this.change(line.key);
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
    const key = this.addKey(entry, location);
    this.changes.note(key, true);
    return key;
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
