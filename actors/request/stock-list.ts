/** The stock of many SKUs in one answer. */
import { LIMITS } from '../../config/limits.ts';
import { type Clock, Turns } from '../../streams/clock.ts';
import type { StockAnswer, StocksAnswer, StocksRequest } from '../../streams/contract/stock.ts';
import { partitionOf } from '../../streams/subjects.ts';
import type { Partition } from '../partition/partition.ts';
import { inHalves } from '../ports/halves.ts';
import { Refusal } from '../ports/refusal.ts';
import { stockView } from '../stock/availability.ts';

export interface StockListDeps {
  readonly clock: Clock;
  /** Total number of partitions (P). */
  readonly count: number;
  /** The partition, if it is served here. */
  readonly served: (number: number) => Partition | undefined;
  /** Asks the owner of a partition. */
  readonly ask: (number: number, request: StocksRequest) => Promise<StocksAnswer>;
}

/** Rows by SKU in the order of the request, then by location. What is not known is left out. */
export async function stocksOf({ skus, locations }: StocksRequest, deps: StockListDeps): Promise<StocksAnswer> {
  const { clock, count, served, ask } = deps;
  const bySku = new Map<string, StockAnswer[]>(skus.map((sku) => [sku, []]));
  const away = new Map<number, string[]>();
  let rows = 0;
  const put = (found: readonly StockAnswer[]) => {
    rows += found.length;
    if (rows > LIMITS.stockRows) throw tooManyRows();
    for (const row of found) bySku.get(row.sku)?.push(row);
  };
  // A long answer yields to other requests (RR3).
  const turns = new Turns(clock, LIMITS.answerTurnMs);
  for (const sku of bySku.keys()) {
    const turn = turns.next();
    if (turn !== undefined) await turn;
    const number = partitionOf(sku, count);
    const partition = served(number);
    if (partition !== undefined) put(rowsOf(partition, sku, locations, clock.nowMs() * 1000));
    else away.set(number, [...(away.get(number) ?? []), sku]);
  }
  await Promise.all(
    [...away].map(async ([number, asked]) => {
      put(await inHalves(asked, async (some) => (await ask(number, { skus: [...some], locations })).stock));
    }),
  );
  return { stock: [...bySku.values()].flat() };
}

function rowsOf(
  { book }: Partition,
  sku: string,
  locations: readonly string[] | undefined,
  now: number,
): StockAnswer[] {
  const keys = book.skus.get(sku)?.keys ?? [];
  const wanted = locations === undefined ? undefined : new Set(locations);
  return keys.filter(({ location }) => wanted?.has(location) ?? true).map((key) => stockView(book, key, now));
}

function tooManyRows(): Refusal {
  return new Refusal(
    'too-large',
    `the answer would hold more than ${LIMITS.stockRows} rows, one for each SKU at a location: ask for fewer SKUs or locations at once`,
  );
}
