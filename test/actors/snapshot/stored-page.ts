/** A page of a snapshot as it is stored, changed by somebody who knows its form. */
import { Packr } from 'msgpackr';

const packr = new Packr({ useRecords: false, int64AsType: 'number' });
const SKU = 0;
/** Of a SKU's first stock key, the location comes first and its sellable units second. */
type StoredItem = [kind: number, name: string, keys: [[location: unknown, sellable: number, ...unknown[]]]];

/** The page with more units of a SKU at its first location; undefined if it does not hold the SKU. */
export function pageWithMore(bytes: Buffer, sku: string, units: number): Buffer | undefined {
  const items = packr.unpack(bytes) as StoredItem[];
  const item = items.find(([kind, name]) => kind === SKU && name === sku);
  if (item === undefined) return undefined;
  item[2][0][1] += units;
  return Buffer.from(packr.pack(items));
}
