/**
 * The pages of a partition: all items that its snapshot stores, in groups that are written together.
 *
 * Pages allow copy-on-write. An item's page is touched before the item changes, so a snapshot in progress can write the page as it was (see
 * actors/snapshot/snapshotter.ts).
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

export class Pages {
  readonly list: Page[] = [];
  itemsPerPage = ITEMS_PER_PAGE;
  /** Called before an awaited page changes, so that a snapshot in progress can keep its earlier content. */
  beforeAwaited: ((page: number) => void) | undefined = undefined;

  /** Must be called before an item changes. */
  touch(item: PageItem): void {
    this.#touch(item.page);
  }

  /** Puts a new item on the last page, or on a new one if that is full. @param at the page to use when a snapshot is loaded */
  place(item: PageItem, at?: number): void {
    let index = at ?? this.list.length - 1;
    if (at === undefined && (index < 0 || present(this.list[index]).items.size >= this.itemsPerPage)) index += 1;
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
