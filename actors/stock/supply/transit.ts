/** How the units of a transfer stand: on their way, lost, or more than have left. All of it is derived from the transfer's record. */
import type { StockKey, TransferRecord } from '../state.ts';

/** Units in transit to this key. */
export function inTransit(key: StockKey): number {
  let sum = 0;
  if (key.rare?.inbound !== undefined) for (const transfer of key.rare.inbound) sum += unitsInTransit(transfer);
  return sum;
}

export function unitsInTransit(transfer: TransferRecord): number {
  return missing(transfer) - unitsLost(transfer);
}

/** Units that were closed as lost and did not turn up since. */
export function unitsLost(transfer: TransferRecord): number {
  // mutant: found-units-stay-lost
  return Math.min(transfer.closedLost, missing(transfer));
}

/** Units that were received or corrected beyond what is known to have been shipped. */
export function unitsOver({ shipped, arrived, corrected }: TransferRecord): number {
  return Math.max(0, arrived + corrected - shipped);
}

/** Units that were shipped and of which nothing else is known but a loss. */
function missing({ shipped, arrived, corrected }: TransferRecord): number {
  return Math.max(0, shipped - arrived - corrected);
}

/** When the transfer is due. @param laneTime assumed duration of a transfer without an eta, in microseconds */
export function dueOf({ latest }: TransferRecord, laneTime: number): number {
  return latest.eta ?? latest.at + laneTime;
}
