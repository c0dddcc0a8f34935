/** The clock rule for a book that rules before version 3 have folded. */
import { present } from '../../../streams/assert.ts';
import type { StockBook } from '../book.ts';
import { moveBack, sellableFromParts, withMoved } from '../movements.ts';
import { settle } from '../reservation.ts';
import type { Moment, ReservationPart, SkuEntry } from '../state.ts';

/** Lets what facts say of the time after `latest`, in microseconds, count as of it. */
export function moveBookBack(book: StockBook, latest: number): void {
  for (const entry of book.skus.values()) {
    // Each key must be moved, so this cannot stop at the first one.
    const moved = entry.keys.filter((key) => moveBack(key, latest));
    if (moveTransfersBack(entry, latest) || moved.length > 0) book.pages.touch(entry);
  }
  for (const part of book.parts.values()) if (movePartBack(book, part, latest)) book.pages.touch(part);
}

/** Lets facts of transfers that are later than `latest` count as of it, in their order. @returns whether there are any */
function moveTransfersBack({ keys, transfers }: SkuEntry, latest: number): boolean {
  let moved = false;
  for (const transfer of transfers?.values() ?? []) {
    const { latest: leg, arrivedAt } = transfer;
    if (leg.at <= latest && (arrivedAt ?? latest) <= latest) continue;
    moved = true;
    transfer.latest = { ...leg, ...movedMoment(leg, latest) };
    if (arrivedAt !== undefined) transfer.arrivedAt = Math.min(arrivedAt, latest);
  }
  for (const key of keys) {
    const corrections = key.rare?.corrections;
    if (key.rare === undefined || corrections === undefined) continue;
    key.rare.corrections = corrections.map((each) => ({ ...each, ...movedMoment(each, latest) }));
    key.sellable = sellableFromParts(key);
  }
  return moved;
}

function movedMoment({ at, own = at }: Moment, latest: number): Partial<Moment> {
  return at <= latest ? {} : { at: latest, own };
}

/** Lets sales of a reservation that are later than `latest` count as of it. @returns whether there are any */
function movePartBack(book: StockBook, part: ReservationPart, latest: number): boolean {
  const latestMs = Math.floor(latest / 1000);
  if (part.soldAtMs <= latestMs) return false;
  part.soldAtMs = latestMs;
  for (const sold of part.sold ?? []) {
    const { moments } = sold;
    let end = 0;
    while (end < moments.length && present(moments[end]) <= latest) end += 2;
    for (let i = end; i < moments.length; i += 2)
      sold.moved = withMoved(sold.moved ?? [], latest, present(moments[i]), present(moments[i + 1]));
    sold.moments = moments.slice(0, end);
  }
  settle(book, part);
  return true;
}
