/** What of purchases is still on order. It follows from their records (purchases.ts). */
import type { PurchaseRecord, StockKey } from '../state.ts';

/** The open units of each line by definition (PU2). */
export function openUnits({ lines, received }: PurchaseRecord): number[] {
  let left = received;
  return lines.map(({ qty }) => {
    const filled = Math.min(qty, left);
    left -= filled;
    return qty - filled;
  });
}

/** Units on order for this key. */
export function onOrder({ rare }: StockKey): number {
  let sum = 0;
  if (rare?.ordered !== undefined) for (const line of rare.ordered) sum += line.open;
  return sum;
}
