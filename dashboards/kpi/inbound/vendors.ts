/**
 * How each vendor has delivered since the first fact: how long its deliveries took, and how late they were. A delivery is the part of a
 * receipt that fills one line of a purchase order.
 *
 * Invariant VN1: at most VENDORS_KEPT vendors of a partition have figures of their own. Later ones count together as OTHER_VENDORS.
 */
import type { PurchaseLine, PurchaseRecord } from '../../../actors/stock/state.ts';
import type { Receipt } from '../../../streams/fact/fact.ts';
import type { VendorFigures } from '../../topics.ts';

/** A row is about 150 bytes with its name, which is at most 128 characters. */
const VENDORS_KEPT = 100;
const OTHER_VENDORS = 'other';
/** Most vendors shown. */
const VENDORS_SHOWN = 50;

/** Times are sums over the deliveries, in seconds. Deliveries of which the order is not known have no lead time. */
export type VendorRow = readonly [
  vendor: string,
  deliveries: number,
  leads: number,
  leadSeconds: number,
  late: number,
  lateSeconds: number,
];

export interface Delivery {
  readonly line: PurchaseLine;
  /** From the first purchase to the receipt, by the senders' clocks; undefined if one of them is wrong. */
  readonly leadSeconds: number | undefined;
  /** 0 if it was in time. */
  readonly lateSeconds: number;
}

/** What a receipt has delivered on each line that its units fill, after it was folded. */
export function deliveriesOf(
  { lines, received, orderedAt }: PurchaseRecord,
  { at, qty, damaged }: Receipt,
): Delivery[] {
  const deliveries: Delivery[] = [];
  let end = 0;
  for (const line of lines) {
    const begin = end;
    end += line.qty;
    if (end <= received - qty - damaged || begin >= received || begin === end) continue;
    deliveries.push({
      line,
      leadSeconds: orderedAt > at ? undefined : (at - orderedAt) / 1e6,
      lateSeconds: Math.max(0, at - line.due) / 1e6,
    });
  }
  return deliveries;
}

export class Vendors {
  readonly #rows = new Map<string, VendorRow>();

  /** @param vendor '' if the purchase names none */
  add(vendor: string, { leadSeconds, lateSeconds }: Delivery): void {
    const [leads, seconds] = leadSeconds === undefined ? [0, 0] : [1, leadSeconds];
    addRow(this.#rows, [vendor, 1, leads, seconds, lateSeconds > 0 ? 1 : 0, lateSeconds], VENDORS_KEPT);
  }

  read(): readonly VendorRow[] {
    return [...this.#rows.values()];
  }

  static load(rows: readonly VendorRow[]): Vendors {
    const vendors = new Vendors();
    for (const row of rows) vendors.#rows.set(row[0], row);
    return vendors;
  }
}

/** Adds up the rows of all partitions, those with the most deliveries first. */
export function vendorFigures(parts: Iterable<readonly VendorRow[]>): VendorFigures[] {
  const rows = new Map<string, VendorRow>();
  for (const part of parts) for (const row of part) addRow(rows, row, Number.POSITIVE_INFINITY);
  return [...rows.values()]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, VENDORS_SHOWN)
    .map(([vendor, deliveries, leads, leadSeconds, late, lateSeconds]) => ({
      vendor,
      deliveries,
      leadSeconds: leads === 0 ? null : leadSeconds / leads,
      late,
      lateSeconds: late === 0 ? null : lateSeconds / late,
    }));
}

function addRow(rows: Map<string, VendorRow>, row: VendorRow, most: number): void {
  // A vendor that is known goes on with its own row (VN1).
  const vendor = rows.has(row[0]) || rows.size < most ? row[0] : OTHER_VENDORS;
  const [, ...before] = rows.get(vendor) ?? [vendor, 0, 0, 0, 0, 0];
  const [, ...more] = row;
  const sums = before.map((sum, index) => sum + (more[index] as number));
  rows.set(vendor, [vendor, ...sums] as unknown as VendorRow);
}
