/**
 * The pages of a partition: all items that its snapshot stores, in groups that are written together.
 *
 * Pages allow copy-on-write. An item's page is touched before the item changes, so a snapshot in progress can write the page as it was (see
 * actors/snapshot/snapshotter.ts).
 *
 * A page is written whole when one of its items has changed. So a large item gets a page of its own, or every change of a small neighbour
 * would write the large one again.
 */
import { present } from '../../streams/assert.ts';

/** The unit of data that a snapshot stores. It belongs to one domain. */
export interface PageItem {
  /** Number of the page that holds the item. */
  page: number;
  /** Names the stored form, see ItemForm. */
  readonly kind: string;
}

export interface Page {
  readonly items: Set<PageItem>;
  /** Changed since the last snapshot began. */
  dirty: boolean;
  /** Belongs to a snapshot in progress that has not written it yet. */
  awaited: boolean;
}

const ITEMS_PER_PAGE = 256;
/** Parts of an item, such as lines or locations, from which it is large. A page of small items has about as many. */
export const LARGE_ITEM = 64;

export class Pages {
  readonly list: Page[] = [];
  itemsPerPage = ITEMS_PER_PAGE;
  /** Called before an awaited page changes, so that a snapshot in progress can keep its earlier content. */
  beforeAwaited: ((page: number) => void) | undefined = undefined;
  /** The page that takes new items; undefined if the next one begins a new page. */
  #open: number | undefined;

  /** Must be called before an item changes. */
  touch(item: PageItem): void {
    this.#touch(item.page);
  }

  /** Puts a new item on the open page, or on a new one if that is full. @param at the page to use when a snapshot is loaded */
  place(item: PageItem, at?: number): void {
    if (at !== undefined) {
      this.#put(item, at);
      return;
    }
    if (this.#open === undefined || present(this.list[this.#open]).items.size >= this.itemsPerPage)
      this.#open = this.list.length;
    this.#put(item, this.#open);
  }

  /** Moves an item that has become large to a page of its own. */
  isolate(item: PageItem): void {
    const page = present(this.list[item.page], 'N6');
    if (page.items.size === 1 && item.page !== this.#open) return;
    this.remove(item);
    this.#put(item, this.list.length);
  }

  clear(): void {
    this.list.length = 0;
    this.#open = undefined;
  }

  #put(item: PageItem, index: number): void {
    while (this.list.length <= index) this.list.push({ items: new Set(), dirty: true, awaited: false });
    this.#touch(index);
    item.page = index;
    present(this.list[index]).items.add(item);
  }

  remove(item: PageItem): void {
    this.#touch(item.page);
    present(this.list[item.page], 'N6').items.delete(item);
  }

  /** Whether an item is on the page that it names. */
  holds(item: PageItem): boolean {
    return this.list[item.page]?.items.has(item) === true;
  }

  #touch(index: number): void {
    const page = present(this.list[index], 'N6');
    // mutant: page-changes-while-awaited
    if (page.awaited) this.beforeAwaited?.(index);
    // mutant: page-not-dirty
    page.dirty = true;
  }
}
