/**
 * Everything that moves stock in one run of the month: the real sales in file order, and made-up purchases with their deliveries, transfers
 * and returns around them.
 *
 * The same month and demo give the same movements in the same order.
 */
import type { Demo } from '../../config/demo/demo.ts';
import { parseInstant } from '../../streams/instant.ts';
import type { SentFact } from '../replay/entry.ts';
import { readFacts } from '../replay/read.ts';
import { draw, drawn } from './chance.ts';
import { Due, later } from './due.ts';

const RETURNS = [
  ['restock', 'changed my mind'],
  ['restock', 'wrong size'],
  ['inspect', 'opened box'],
  ['damaged', 'arrived broken'],
  ['scrap', 'beyond repair'],
  ['vendor', 'faulty batch'],
] as const;

/**
 * Yields the movements in the order in which they are sent. Ids have no prefix yet.
 * @param described called with the description of each sale in the file
 */
export async function* movements(
  path: string,
  demo: Demo,
  prefix: string,
  described?: (sku: string, description: string) => void,
): AsyncGenerator<SentFact> {
  const staged = new Set<string>(demo.staged.map(({ sku }) => sku));
  const due = new Due();
  for await (const { entry } of readFacts(path, { format: 'online-retail', location: demo.warehouse, described })) {
    if (entry.kind !== 'fact') continue;
    const sale = entry.fact as unknown as RealFact;
    yield* due.upTo(parseInstant(sale.occurredAt) ?? 0);
    yield entry.fact;
    if (sale.type !== 'sale') continue;
    // A chance delivery would end a staged shortage before its own delivery does.
    if (!staged.has(sale.sku) && drawn(`receipt ${sale.id}`, demo.purchasesPerThousand)) {
      const { purchase, receipt, final } = order(sale, demo, prefix);
      yield purchase;
      const afterMs = demo.deliveryMs + (drawn(`late ${sale.id}`, demo.latePerThousand) ? demo.lateMs : 0);
      due.add(receipt, afterMs);
      if (final !== undefined) due.add(final, afterMs + demo.lateMs);
    }
    if (drawn(`transfer ${sale.id}`, demo.transfersPerThousand)) {
      const [shipped, received] = transfer(sale, demo, prefix);
      yield shipped;
      due.add(received, demo.transferMs);
    }
    if (drawn(`return ${sale.id}`, demo.storeReturnsPerThousand)) due.add(storeReturn(sale, demo), demo.storeReturnMs);
  }
  yield* due.upTo(Number.POSITIVE_INFINITY);
}

interface RealFact {
  readonly id: string;
  readonly type: string;
  readonly sku: string;
  readonly location: string;
  readonly occurredAt: string;
  readonly qty: number;
}

/** A purchase, its delivery, and for a short delivery the purchase that makes it final. */
function order({ id, sku, location, occurredAt }: RealFact, demo: Demo, prefix: string) {
  const common = { sku, location, occurredAt, purchaseOrder: `${prefix}PO-${id}` };
  const vendor = demo.vendors[draw(`vendor ${sku}`, demo.vendors.length)];
  const qty = 24 + draw(`receipt qty ${id}`, 49);
  const delivered = drawn(`short ${id}`, demo.shortPerThousand) ? qty - 1 - draw(`short qty ${id}`, 12) : qty;
  const purchase = { type: 'purchase', ...common, vendor, promisedAt: later(occurredAt, demo.deliveryMs) };
  return {
    purchase: { id: `purchase:${id}`, ...purchase, qty },
    receipt: { id: `receipt:${id}`, type: 'receipt', ...common, qty: delivered },
    final: delivered < qty ? { id: `purchase:${id}:final`, ...purchase, qty: delivered } : undefined,
  };
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
  const stores = storesOf(demo);
  return stores[draw(`store ${id}`, stores.length)] ?? demo.warehouse;
}

/** Every location but the warehouse. */
export function storesOf(demo: Demo): string[] {
  return demo.locations.map(({ id }) => id).filter((id) => id !== demo.warehouse);
}
