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
  const due = new Due();
  for await (const entry of readFacts(month.path, { format: 'online-retail', location: demo.warehouse })) {
    if (entry.kind !== 'fact') continue;
    const sale = entry.fact as unknown as RealFact;
    for (const fact of due.upTo(parseInstant(sale.occurredAt) ?? 0)) yield named(fact, prefix);
    yield named(entry.fact, prefix);
    if (sale.type !== 'sale') continue;
    if (drawn(`receipt ${sale.id}`, demo.receiptsPerThousand)) yield named(delivery(sale), prefix);
    if (drawn(`transfer ${sale.id}`, demo.transfersPerThousand)) {
      const [shipped, received] = transfer(sale, demo, prefix);
      yield named(shipped, prefix);
      due.add(received, demo.transferMs);
    }
    if (drawn(`return ${sale.id}`, demo.storeReturnsPerThousand)) due.add(storeReturn(sale, demo), demo.storeReturnMs);
  }
  for (const fact of due.upTo(Number.POSITIVE_INFINITY)) yield named(fact, prefix);
}

interface RealFact {
  readonly id: string;
  readonly type: string;
  readonly sku: string;
  readonly location: string;
  readonly occurredAt: string;
  readonly qty: number;
}

/** Facts that come some time after their cause, taken in the order of their moments. */
class Due {
  readonly #waiting: { readonly at: number; readonly fact: SentFact }[] = [];

  add(fact: SentFact, afterMs: number): void {
    const occurredAt = later(String(fact.occurredAt), afterMs);
    const at = parseInstant(occurredAt) ?? 0;
    let place = this.#waiting.length;
    while (place > 0 && (this.#waiting[place - 1]?.at ?? 0) > at) place--;
    this.#waiting.splice(place, 0, { at, fact: { ...fact, occurredAt } });
  }

  /** Takes what has come by then. */
  *upTo(at: number): Generator<SentFact> {
    for (let next = this.#waiting[0]; next !== undefined && next.at <= at; next = this.#waiting[0]) {
      this.#waiting.shift();
      yield next.fact;
    }
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
