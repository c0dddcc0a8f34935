/** Searches over partitions for what wrong clocks of devices have done. Each list is bounded by CLOCKS_SHOWN per partition. */
import type { SourceClock } from '../../actors/anomaly/sources.ts';
import type { StockBook } from '../../actors/stock/book.ts';
import type { StockKey } from '../../actors/stock/state.ts';

export const CLOCKS_SHOWN = 200;

export interface ClocksQuery {
  /** Devices whose least lag of a day is above this are shown, in microseconds. */
  readonly lag: number;
  /** The moment to which the clock rule moved what older rules had believed (Rules.latestOf); null if there is none. */
  readonly movedTo: number | null;
}
export interface FoundClocks {
  readonly sources: readonly {
    readonly location: string;
    /** Null if the facts of the location name no device. */
    readonly device: string | null;
    /** Both in microseconds. */
    readonly ahead: number;
    readonly lag: number;
  }[];
  /** Stock keys that depend on what was moved. A count of the shelf corrects them. */
  readonly uncounted: readonly { readonly sku: string; readonly location: string }[];
}

export function findClocks(
  book: StockBook,
  clocks: readonly SourceClock[],
  { lag, movedTo }: ClocksQuery,
): FoundClocks {
  const sources = clocks
    .filter((each) => each.ahead > 0 || (each.device !== undefined && each.lag > lag))
    .map((each) => ({ ...each, device: each.device ?? null }));
  const uncounted: FoundClocks['uncounted'][number][] = [];
  if (movedTo !== null)
    for (const { name, keys } of book.skus.values())
      for (const key of keys) if (dependsOn(key, movedTo)) uncounted.push({ sku: name, location: key.location });
  return { sources: sources.slice(0, CLOCKS_SHOWN), uncounted: uncounted.slice(0, CLOCKS_SHOWN) };
}

/** Whether something that was moved to a moment still says how much the key has. */
function dependsOn({ count, rare }: StockKey, moment: number): boolean {
  if (count !== undefined && count.at > moment) return false;
  if (count?.at === moment && count.own !== undefined) return true;
  const moved = rare?.moved ?? [];
  for (let i = 0; i < moved.length; i += 3) if (moved[i] === moment) return true;
  return false;
}
