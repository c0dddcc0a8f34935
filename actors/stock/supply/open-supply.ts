/** Supply on its way to a stock key, with the moment at which it counts. Pure. */
import type { StockKey } from '../state.ts';
import { dueOf, unitsInTransit } from './in-transit.ts';

export interface Supply {
  readonly source: 'purchase' | 'transfer';
  /** The purchase order, or the transfer. */
  readonly order: string;
  /** The line of a purchase order; '' without one. */
  readonly line: string;
  readonly qty: number;
  /** Microseconds since 1970. */
  readonly due: number;
}

/** @param laneTime duration of a transfer without an eta, in microseconds */
export function openSupply(key: StockKey, laneTime: (from: string | undefined, to: string) => number): Supply[] {
  const all: Supply[] = [];
  for (const record of key.rare?.inbound ?? []) {
    const due = dueOf(record, laneTime(undefined, key.location));
    if (due !== record.overdueFor)
      all.push({ source: 'transfer', order: record.id, line: '', qty: unitsInTransit(record), due });
  }
  return all;
}
