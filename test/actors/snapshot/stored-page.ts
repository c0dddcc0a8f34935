/** A stored page of a snapshot, changed by an attacker who knows its format. */
import { Packr } from 'msgpackr';

const packr = new Packr({ useRecords: false, int64AsType: 'number' });
const SKU = 0;
/** A SKU's first stock key begins with its location and its sellable units. */
type StoredItem = [kind: number, name: string, keys: [[location: unknown, sellable: number, ...unknown[]]]];

/** Returns the page with more units of a SKU at its first location, or undefined if it does not hold the SKU. */
export function pageWithMore(bytes: Buffer, sku: string, units: number): Buffer | undefined {
  const items = packr.unpack(bytes) as StoredItem[];
  const item = items.find(([kind, name]) => kind === SKU && name === sku);
  if (item === undefined) return undefined;
  item[2][0][1] += units;
  return Buffer.from(packr.pack(items));
}
