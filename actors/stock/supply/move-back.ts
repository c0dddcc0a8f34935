/** The clock rule for transfers that rules before version 3 have folded. */
import { sellableFromParts } from '../movements.ts';
import type { Moment, SkuEntry } from '../state.ts';

/** Lets facts of transfers that are later than `latest` count as of it, in their order. @returns whether there are any */
export function moveTransfersBack({ keys, transfers }: SkuEntry, latest: number): boolean {
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
