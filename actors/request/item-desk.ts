/** Reads items by their SKUs. Those of other nodes are asked for, at most once for each partition. */
import { partitionOf } from '../../streams/subjects.ts';
import type { Item } from '../item/book.ts';
import { ITEMS } from '../item/domain.ts';
import type { Partition } from '../partition/partition.ts';
import { inHalves } from '../ports/halves.ts';
import type { PeerHandlers } from '../ports/peer-operations.ts';
import type { ItemService, KnownItem, Peers } from '../ports/ports.ts';

export interface ItemDeskDeps {
  /** Total number of partitions (P). */
  readonly count: number;
  readonly peers: Peers;
  /** The partition if it is held here. Throws undecided unless it serves under a lease. */
  readonly served: (number: number) => Partition | undefined;
}

export class ItemDesk implements ItemService {
  readonly #deps: ItemDeskDeps;

  constructor(deps: ItemDeskDeps) {
    this.#deps = deps;
  }

  async items(skus: readonly string[]): Promise<readonly KnownItem[]> {
    const { count, peers, served } = this.#deps;
    const found: KnownItem[] = [];
    const away = new Map<number, string[]>();
    for (const sku of skus) {
      const number = partitionOf(sku, count);
      const partition = served(number);
      const item = partition?.books.of(ITEMS).items.get(sku);
      if (item !== undefined) found.push(knownItem(item));
      if (partition === undefined) away.set(number, [...(away.get(number) ?? []), sku]);
    }
    const asked = [...away].map(([number, those]) =>
      inHalves(those, async (some) => (await peers.ask(number, 'items', { skus: some })).items),
    );
    return [...found, ...(await Promise.all(asked)).flat()];
  }

  readonly handlers: PeerHandlers<'items'> = {
    items: async (_, { skus }) => ({ items: await this.items(skus) }),
  };
}

/** An item as answers say it. */
export function knownItem({ sku, name, attributes, at }: Item): KnownItem {
  return { sku, name, attributes, at };
}
