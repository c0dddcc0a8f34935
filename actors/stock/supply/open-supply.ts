/** The supply that is on its way to a stock key: open lines of purchase orders, and transfers in transit. Derived, and without a clock. */
import type { PurchaseLine, StockKey, TransferRecord } from '../state.ts';
import { dueOf, unitsInTransit } from './transit.ts';

/** Units from one source. `due` is in microseconds since 1970. */
export type Supply = { readonly qty: number; readonly due: number } & (
  | { readonly source: 'purchase'; readonly record: PurchaseLine }
  | { readonly source: 'transfer'; readonly record: TransferRecord }
);

/** Usual time from one location to another, in microseconds. `from` is undefined if it is not known. */
export type LaneTime = (from: string | undefined, to: string) => number;

/** The supply that may be promised. Supply that an owner has declared overdue is left out until it gets another due date. */
export function openSupply(key: StockKey, laneTime: LaneTime): Supply[] {
  return allSupply(key, laneTime).filter((supply) => !isDeclaredOverdue(supply));
}

/** All supply, in no particular order. */
export function allSupply({ location, rare }: StockKey, laneTime: LaneTime): Supply[] {
  const supply: Supply[] = [];
  for (const line of rare?.ordered ?? [])
    supply.push({ source: 'purchase', record: line, qty: line.open, due: line.due });
  for (const transfer of rare?.inbound ?? []) {
    const due = dueOf(transfer, laneTime(transfer.latest.from, location));
    supply.push({ source: 'transfer', record: transfer, qty: unitsInTransit(transfer), due });
  }
  return supply;
}

export function isDeclaredOverdue({ record, due }: Supply): boolean {
  return record.overdueFor === due;
}
