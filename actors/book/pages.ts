/**
 * The pages of a partition: everything that its snapshot stores, in groups that are written together.
 *
 * An item's page is touched before the item changes, so that a snapshot in progress can write the page as it was (see
 * actors/snapshot/snapshotter.ts).
 */
import { present } from '../../streams/assert.ts';

/** What a snapshot stores as one: data of a domain. */
export interface PageItem {
  /** The page that it is on. */
  page: number;
  /** Names its form, see ItemForm. */
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
  /** Called before an awaited page changes, so that a snapshot in progress keeps what it was. */
  beforeAwaited: ((page: number) => void) | undefined = undefined;

  /** An item is about to change. */
  touch(item: PageItem): void {
    this.#touch(item.page);
  }

  /** Puts a new item on the newest page with room, or on the given one when a snapshot is loaded. */
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
