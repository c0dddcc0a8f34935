/**
 * Everything the demo must know about its month before it begins: which SKUs there are, how often each sells, and with how much stock
 * it opens.
 */
import type { Demo } from '../../config/demo/demo.ts';
import { Pace } from '../replay/pace.ts';
import { type Balance, balancesOf, change, type Flow, keyOf } from './balances.ts';
import { movements } from './movements.ts';

interface SkuMonth {
  readonly sku: string;
  readonly saleLines: number;
}
export interface Month {
  readonly path: string;
  /** occurredAt of the file's first fact. */
  readonly firstAt: string;
  /** In the order of their first fact. */
  readonly skus: readonly SkuMonth[];
  readonly balances: readonly Balance[];
  /** What the file calls each SKU. */
  readonly names: ReadonlyMap<string, string>;
}

/** Reads the whole month once; throws a ReadError if that fails. */
export async function readMonth(path: string, demo: Demo): Promise<Month> {
  const saleLines = new Map<string, number>();
  const flows = new Map<string, Flow>();
  const pace = paceOf(demo, 0);
  const descriptions = new Descriptions();
  let firstAt: string | undefined;
  let playedMs = 0;
  for await (const fact of movements(path, demo, '', (...said) => descriptions.add(...said))) {
    firstAt ??= String(fact.occurredAt);
    playedMs = Math.max(playedMs, pace.next(fact).dueMs ?? 0);
    const sku = String(fact.sku);
    saleLines.set(sku, (saleLines.get(sku) ?? 0) + (fact.type === 'sale' ? 1 : 0));
    const units = change(fact);
    const flow = flows.get(keyOf(fact)) ?? { out: 0, in: 0 };
    flows.set(keyOf(fact), { out: flow.out + Math.max(0, -units), in: flow.in + Math.max(0, units) });
  }
  if (firstAt === undefined) throw new Error(`${path} holds no facts`);
  const skus = [...saleLines].map(([sku, lines]) => ({ sku, saleLines: lines }));
  const linesInAll = skus.reduce((sum, each) => sum + each.saleLines, 0);
  const sold = storefrontUnits(demo, playedMs / 1000);
  const demands = skus.map(({ sku, saleLines: lines }) => ({ sku, storefront: (sold * lines) / linesInAll }));
  return { path, firstAt, skus, balances: balancesOf(demands, flows, demo), names: descriptions.names() };
}

/** Counts how often each SKU is described in which words. */
class Descriptions {
  readonly #bySku = new Map<string, Map<string, number>>();

  add(sku: string, description: string): void {
    if (description === '') return;
    const counts = this.#bySku.get(sku) ?? new Map<string, number>();
    this.#bySku.set(sku, counts.set(description, (counts.get(description) ?? 0) + 1));
  }

  /** The most frequent description of each SKU; of several, the first in the file. */
  names(): Map<string, string> {
    return new Map(
      Array.from(this.#bySku, ([sku, counts]) => {
        const most = Math.max(...counts.values());
        return [sku, [...counts.keys()].find((each) => counts.get(each) === most) ?? ''];
      }),
    );
  }
}

/** The pace of the month on the compressed clock. Its first fact is played at the anchor. */
export function paceOf({ compress, longestGapMs }: Demo, anchorMs: number): Pace {
  return new Pace({ speed: compress, fromNow: true, longestGapMs }, () => anchorMs);
}

/**
 * Units that the storefront is expected to sell in that many seconds. Lines of a basket and units of a line are drawn evenly from 1.
 */
function storefrontUnits({ storefront }: Demo, seconds: number): number {
  const { reservationsPerSecond, confirmed, mostLines, mostUnits } = storefront;
  return seconds * reservationsPerSecond * confirmed * ((1 + mostLines) / 2) * ((1 + mostUnits) / 2);
}
