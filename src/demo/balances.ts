/**
 * Opening balances of the demo. They are made up: the data set has none. Derived from the month's real demand by repeatable
 * chance, so that most SKUs last and some sell out.
 */
import type { Demo } from '../../config/demo/demo.ts';
import type { SentFact } from '../replay/entry.ts';
import { draw, drawn } from './chance.ts';
import type { Month, SkuMonth } from './month.ts';

/**
 * One `count` for every SKU at the warehouse and at the stores that carry it, ids `opening:<location>:<sku>`.
 * @param occurredAt before the first sale
 */
export function* openingBalances(month: Month, demo: Demo, occurredAt: string): Generator<SentFact> {
  const stores = demo.locations.filter((location) => location.id !== demo.warehouse);
  for (const sku of month.skus) {
    yield balance(demo.warehouse, sku.sku, warehouseOpening(sku, demo), occurredAt);
    for (const { id } of stores) {
      if (!drawn(`carried ${id} ${sku.sku}`, demo.carriedPerThousand)) continue;
      const { least, most } = demo.storeOpening;
      yield balance(id, sku.sku, least + draw(`opening ${id} ${sku.sku}`, most - least + 1), occurredAt);
    }
  }
}

/** For the month played again: a delivery of what it took the last time, ids `restock:<sku>`. */
export function* restocking(month: Month, demo: Demo, occurredAt: string): Generator<SentFact> {
  for (const { sku, net } of month.skus) {
    if (net <= 0) continue;
    const fields = {
      type: 'receipt',
      sku,
      location: demo.warehouse,
      occurredAt,
      qty: net,
      purchaseOrder: `restock:${sku}`,
    };
    yield { id: `restock:${sku}`, ...fields };
  }
}

/** Whether the SKU opens with less than it needs. */
export function isScarce(sku: string, demo: Demo): boolean {
  return drawn(`scarce ${sku}`, demo.scarcePerThousand);
}

function warehouseOpening({ sku, need }: SkuMonth, demo: Demo): number {
  if (isScarce(sku, demo)) return Math.floor(need * demo.scarceCover);
  return Math.ceil(need * demo.openingCover) + demo.openingSpare;
}

function balance(location: string, sku: string, counted: number, occurredAt: string): SentFact {
  return {
    id: `opening:${location}:${sku}`,
    type: 'count',
    sku,
    location,
    occurredAt,
    counted,
    note: 'made up for the demo',
  };
}
