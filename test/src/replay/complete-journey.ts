/**
 * Facts of the complete-journey sample, for tests: 293 grocery stores whose lines are not in order of time. Every line with a quantity
 * above 0 is a sale. Lines with quantity 0 are skipped.
 */
import { createReadStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createGunzip, gunzipSync } from 'node:zlib';

export interface DerivedFacts extends AsyncIterable<object> {
  /** Number of lines with quantity 0 so far. */
  readonly skipped: number;
}

/** The sales in file order. Ids are basket:product:row, and row 1 is the first line below the header. */
export function deriveFacts(path: string): DerivedFacts {
  let skipped = 0;
  async function* facts(): AsyncGenerator<object> {
    skipped = 0;
    let row = -1;
    for await (const line of createInterface({
      input: createReadStream(path).pipe(createGunzip()),
      crlfDelay: 10_000,
    })) {
      row++;
      if (row === 0 || line === '') continue;
      const [, store, basket, product, quantity, , , , , , occurredAt] = line.split(',');
      const qty = Number(quantity);
      if (qty === 0) skipped++;
      else {
        const id = `${basket}:${product}:${row}`;
        yield { id, type: 'sale', sku: product, location: `store-${store}`, occurredAt, qty, transaction: basket };
      }
    }
  }
  return {
    [Symbol.asyncIterator]: facts,
    get skipped() {
      return skipped;
    },
  };
}

export interface ExpectedStock {
  /** `location sku` → sellable, from an empty book. */
  readonly sellable: Map<string, number>;
  readonly sales: number;
  readonly units: number;
  readonly skipped: number;
}

/** Computes the sums independently, from all text at once with columns by their heading. */
export function expectedStock(path: string): ExpectedStock {
  const text = gunzipSync(readFileSync(path)).toString('latin1');
  const headings = text.slice(0, text.indexOf('\n')).trim().split(',');
  const cell = (heading: string) => `(?<${heading}>[^,\\n]*)`;
  const pattern = new RegExp(`^${headings.map(cell).join(',')}\\r?$`, 'gm');
  const sellable = new Map<string, number>();
  const sums = { sales: 0, units: 0, skipped: 0 };
  for (const { groups } of text.slice(text.indexOf('\n') + 1).matchAll(pattern)) {
    const units = Number.parseInt(groups?.quantity ?? '', 10);
    if (units > 0) {
      const key = `store-${groups?.store_id} ${groups?.product_id}`;
      sellable.set(key, (sellable.get(key) ?? 0) - units);
      sums.sales++;
      sums.units += units;
    } else sums.skipped++;
  }
  return { sellable, ...sums };
}
