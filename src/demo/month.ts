/** What the demo has to know of its month before it begins: which SKUs there are, how much each needs, how often each sells. */
import { readFacts } from '../replay/read.ts';

export interface SkuMonth {
  readonly sku: string;
  /** Units that must be there at the start so that the book never goes negative. */
  readonly need: number;
  /** Units that the month takes away in all; below 0 it brings some. */
  readonly net: number;
  readonly saleLines: number;
}
export interface Month {
  readonly path: string;
  /** occurredAt of the first fact of the file. */
  readonly firstAt: string;
  /** In the order in which they first appear. */
  readonly skus: readonly SkuMonth[];
}

/** Reads the month through once; throws a ReadError if that fails. */
export async function readMonth(path: string): Promise<Month> {
  const books = new Map<string, { book: number; lowest: number; saleLines: number }>();
  let firstAt: string | undefined;
  for await (const entry of readFacts(path, { format: 'online-retail' })) {
    if (entry.kind !== 'fact') continue;
    const { sku, type, occurredAt, qty, delta } = entry.fact as {
      sku: string;
      type: string;
      occurredAt: string;
      qty?: number;
      delta?: number;
    };
    firstAt ??= occurredAt;
    const known = books.get(sku) ?? { book: 0, lowest: 0, saleLines: 0 };
    books.set(sku, known);
    if (type === 'sale') known.saleLines++;
    known.book += type === 'sale' ? -(qty ?? 0) : (qty ?? delta ?? 0);
    known.lowest = Math.min(known.lowest, known.book);
  }
  if (firstAt === undefined) throw new Error(`${path} holds no facts`);
  const skus = [...books].map(([sku, { book, lowest, saleLines }]) => ({
    sku,
    need: 0 - lowest,
    net: 0 - book,
    saleLines,
  }));
  return { path, firstAt, skus };
}
