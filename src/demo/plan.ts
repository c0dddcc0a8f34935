/**
 * The script of one run of the month: opening stock, its movements, and the late deliveries that end the staged shortages. All
 * stamps are in the retailer's own time.
 *
 *  DP1 The same month, demo and run number give the same facts in the same order, so a place in the script is a number.
 *  DP2 Ids begin with the run's prefix, so a month played again is new facts.
 *  DP3 No fact takes a stock key below zero, except facts of a staged SKU between one sale and its late delivery (balances.ts).
 */
import type { Demo } from '../../config/demo/demo.ts';
import { parseInstant } from '../../streams/instant.ts';
import type { SentFact } from '../replay/entry.ts';
import { type Balance, change, keyOf, openingOf, restockOf } from './balances.ts';
import { Due, later } from './due.ts';
import type { Month } from './month.ts';
import { movements } from './movements.ts';

const OPENING_BEFORE_MS = 60_000;

/** Yields the facts of one run, from its first. Run 1 opens with counts, later runs with deliveries (DP1). */
export async function* script(month: Month, demo: Demo, run: number, prefix: string): AsyncGenerator<SentFact> {
  const openedAt = later(month.firstAt, -OPENING_BEFORE_MS);
  for (const balance of month.balances) {
    const opening = run === 1 ? openingOf(balance, openedAt) : restockOf(balance, openedAt);
    if (opening !== undefined) yield named(opening, prefix);
  }
  const shortages = new Shortages(month.balances);
  const due = new Due();
  for await (const fact of movements(month.path, demo, prefix)) {
    for (const late of due.upTo(parseInstant(String(fact.occurredAt)) ?? 0)) yield named(late, prefix);
    yield named(fact, prefix);
    const delivery = shortages.causedBy(fact);
    if (delivery !== undefined) due.add(delivery, demo.stagedDeliveryMs);
  }
  for (const late of due.upTo(Number.POSITIVE_INFINITY)) yield named(late, prefix);
}

/** The stock of each staged SKU until it first goes below zero (DP3). */
class Shortages {
  readonly #left = new Map<string, { units: number; readonly balance: Balance }>();

  constructor(balances: readonly Balance[]) {
    for (const balance of balances)
      if (balance.late > 0) this.#left.set(keyOf(balance), { units: balance.opens, balance });
  }

  /** The delivery that this fact makes necessary, stamped with the fact's moment. */
  causedBy(fact: SentFact): SentFact | undefined {
    const key = keyOf(fact);
    const left = this.#left.get(key);
    if (left === undefined) return undefined;
    left.units += change(fact);
    if (left.units >= 0) return undefined;
    this.#left.delete(key);
    const { sku, location, late } = left.balance;
    const common = { type: 'receipt', sku, location, occurredAt: fact.occurredAt, qty: late };
    return { id: `late:${sku}`, ...common, purchaseOrder: `PO-late-${sku}` };
  }
}

// The prefix makes the ids of every run different (DP2).
function named(fact: SentFact, prefix: string): SentFact {
  return { ...fact, id: `${prefix}${String(fact.id)}` };
}
