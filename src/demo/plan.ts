/**
 * The script of one run of the month: opening stock, the real sales in file order, and made-up deliveries, transfers and
 * returns around them, all with stamps of the retailer's own time.
 *
 *  L1 The same month, demo and run number give the same facts in the same order: a place in the script is a number.
 *  L2 Ids begin with the run's prefix, so a month played again is new facts.
 */
import type { Demo } from '../../config/demo/demo.ts';
import { formatInstant, parseInstant } from '../../streams/instant.ts';
import type { SentFact } from '../replay/entry.ts';
import { readFacts } from '../replay/read.ts';
import { openingBalances, restocking } from './balances.ts';
import { draw, drawn } from './chance.ts';
import type { Month } from './month.ts';

const OPENING_BEFORE_MS = 60_000;
const RETURNS = [
  ['restock', 'changed my mind'],
  ['restock', 'wrong size'],
  ['inspect', 'opened box'],
  ['damaged', 'arrived broken'],
  ['scrap', 'beyond repair'],
  ['vendor', 'faulty batch'],
] as const;

/** The facts of one run, from its first. Run 1 opens with counts, later ones with deliveries. */
export async function* script(month: Month, demo: Demo, run: number, prefix: string): AsyncGenerator<SentFact> {
  const openedAt = later(month.firstAt, -OPENING_BEFORE_MS);
  const opening = run === 1 ? openingBalances(month, demo, openedAt) : restocking(month, demo, openedAt);
  for (const fact of opening) yield named(fact, prefix);
  const arrivals = new Due(demo.transferMs);
  const comingBack = new Due(demo.storeReturnMs);
  for await (const entry of readFacts(month.path, { format: 'online-retail', location: demo.warehouse })) {
    if (entry.kind !== 'fact') continue;
    const sale = entry.fact as unknown as RealFact;
    for (const due of [arrivals, comingBack]) for (const fact of due.upTo(sale.occurredAt)) yield named(fact, prefix);
    yield named(entry.fact, prefix);
    if (sale.type !== 'sale') continue;
    if (drawn(`receipt ${sale.id}`, demo.receiptsPerThousand)) yield named(delivery(sale), prefix);
    if (drawn(`transfer ${sale.id}`, demo.transfersPerThousand)) {
      const [shipped, received] = transfer(sale, demo, prefix);
      yield named(shipped, prefix);
      arrivals.add(received);
    }
    if (drawn(`return ${sale.id}`, demo.storeReturnsPerThousand)) comingBack.add(storeReturn(sale, demo));
  }
  for (const due of [arrivals, comingBack]) for (const fact of due.upTo(undefined)) yield named(fact, prefix);
}

interface RealFact {
  readonly id: string;
  readonly type: string;
  readonly sku: string;
  readonly location: string;
  readonly occurredAt: string;
  readonly qty: number;
}

/** Facts that come all the same time after their cause, in order. */
class Due {
  readonly #afterMs: number;
  #waiting: SentFact[] = [];

  constructor(afterMs: number) {
    this.#afterMs = afterMs;
  }

  add(fact: SentFact): void {
    this.#waiting.push({ ...fact, occurredAt: later(String(fact.occurredAt), this.#afterMs) });
  }

  /** Takes what has come by then, or all that is left. */
  upTo(at: string | undefined): SentFact[] {
    const limit = at === undefined ? Number.POSITIVE_INFINITY : (parseInstant(at) ?? 0);
    const first = this.#waiting.findIndex((fact) => (parseInstant(String(fact.occurredAt)) ?? 0) > limit);
    return this.#waiting.splice(0, first < 0 ? this.#waiting.length : first);
  }
}

function delivery({ id, sku, location, occurredAt }: RealFact): SentFact {
  const qty = 24 + draw(`receipt qty ${id}`, 49);
  return { id: `receipt:${id}`, type: 'receipt', sku, location, occurredAt, qty, purchaseOrder: `PO-${id}` };
}

function transfer(sale: RealFact, demo: Demo, prefix: string): [SentFact, SentFact] {
  const { id, sku, occurredAt } = sale;
  const common = {
    type: 'transfer',
    sku,
    occurredAt,
    transfer: `${prefix}T-${id}`,
    from: demo.warehouse,
    to: storeOf(id, demo),
  };
  const qty = 6 + draw(`transfer qty ${id}`, 19);
  const mishap = draw(`mishap ${id}`, 20);
  const arrived = mishap <= 1 ? qty - 1 : qty;
  const eta = later(occurredAt, demo.transferMs);
  return [
    { id: `transfer:${id}:shipped`, ...common, phase: 'shipped', location: common.from, qty, eta },
    {
      id: `transfer:${id}:received`,
      ...common,
      phase: 'received',
      location: common.to,
      qty: arrived,
      ...(mishap === 1 ? { damaged: 1 } : {}),
    },
  ];
}

function storeReturn(sale: RealFact, demo: Demo): SentFact {
  const { id, sku, occurredAt } = sale;
  const [disposition, reason] = RETURNS[draw(`disposition ${id}`, RETURNS.length)] ?? RETURNS[0];
  const qty = Math.min(sale.qty, 1 + draw(`return qty ${id}`, 3));
  return { id: `return:${id}`, type: 'return', sku, location: storeOf(id, demo), occurredAt, qty, disposition, reason };
}

function storeOf(id: string, demo: Demo): string {
  const stores = demo.locations.filter((location) => location.id !== demo.warehouse);
  return stores[draw(`store ${id}`, stores.length)]?.id ?? demo.warehouse;
}

function named(fact: SentFact, prefix: string): SentFact {
  return { ...fact, id: `${prefix}${String(fact.id)}` };
}

function later(at: string, ms: number): string {
  return formatInstant((parseInstant(at) ?? 0) + ms * 1000);
}
