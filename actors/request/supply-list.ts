/** Lists the supply on its way to the locations of a SKU, in the order in which it is due. Overdue supply is listed too. */
import type { SupplyEntry, SupplyPage, SupplyPlace, SupplyQuery } from '../../streams/contract/promise/supply.ts';
import { formatInstant } from '../../streams/instant.ts';
import type { SkuEntry, StockKey } from '../stock/state.ts';
import { allSupply, isDeclaredOverdue, type LaneTime, type Supply } from '../stock/supply/open-supply.ts';

interface Placed {
  readonly place: SupplyPlace;
  readonly key: StockKey;
  readonly supply: Supply;
}

/** @param now microseconds since 1970 */
export function supplyPage(
  { keys }: SkuEntry,
  { location, limit, after }: SupplyQuery,
  laneTime: LaneTime,
  now: number,
): SupplyPage {
  const found: Placed[] = [];
  for (const key of keys) {
    if (location !== undefined && key.location !== location) continue;
    for (const supply of allSupply(key, laneTime)) {
      const place = [supply.due, sourceOf(supply)] as const;
      if (after === undefined || compare(place, after) > 0) found.push({ place, key, supply });
    }
  }
  found.sort((a, b) => compare(a.place, b.place));
  const page = found.slice(0, limit);
  return {
    supply: page.map(({ key, supply }) => entryOf(key, supply, now)),
    next: found.length > limit ? (page.at(-1)?.place ?? null) : null,
  };
}

/** Its name among all supply of the SKU, because a line of a purchase order and a transfer have one record each. */
function sourceOf(supply: Supply): string {
  if (supply.source === 'transfer') return `transfer\u0001${supply.record.id}`;
  return `purchase\u0001${supply.record.order.id}\u0001${supply.record.name ?? ''}`;
}

function compare([due, source]: SupplyPlace, [otherDue, otherSource]: SupplyPlace): number {
  if (due !== otherDue) return due - otherDue;
  return source < otherSource ? -1 : source > otherSource ? 1 : 0;
}

function entryOf({ location }: StockKey, supply: Supply, now: number): SupplyEntry {
  const { qty, due } = supply;
  const overdue = due < now || isDeclaredOverdue(supply);
  const common = { location, qty, due: formatInstant(due), overdue };
  if (supply.source === 'transfer') {
    const { id: transfer, latest } = supply.record;
    return { source: 'transfer', transfer, ...(latest.from !== undefined && { from: latest.from }), ...common };
  }
  const { order, name: line, vendor } = supply.record;
  const named = { ...(line !== undefined && { line }), ...(vendor !== undefined && { vendor }) };
  return { source: 'purchase', purchaseOrder: order.id, ...named, ...common };
}
