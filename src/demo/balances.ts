/**
 * Opening balances of the demo, made up because the data set has none. They are computed from all that the month moves, so every stock
 * key lasts, in whatever order the streams are read. Only the staged ones run short.
 */
import type { Demo } from '../../config/demo/demo.ts';
import type { SentFact } from '../replay/entry.ts';
import { draw, drawn } from './chance.ts';
import { storesOf } from './movements.ts';

/** Units that the month takes from a stock key, and units that it brings. */
export interface Flow {
  readonly out: number;
  readonly in: number;
}
export interface Balance {
  readonly sku: string;
  readonly location: string;
  /** Units at the start. */
  readonly opens: number;
  /** Units that the month needs and that arrive only after the key has gone below zero; 0 unless it is staged. */
  readonly late: number;
  /** Units that bring the stock at the month's end back to its start. */
  readonly restock: number;
}

interface SkuDemand {
  readonly sku: string;
  /** Units that the storefront is expected to sell in the month, over all stores. */
  readonly storefront: number;
}

/** One balance for each SKU at the warehouse and at each store that carries it. */
export function balancesOf(demands: readonly SkuDemand[], flows: ReadonlyMap<string, Flow>, demo: Demo): Balance[] {
  return demands.flatMap(({ sku, storefront }) => {
    const stores = storesOf(demo).filter((id) => drawn(`carried ${id} ${sku}`, demo.carriedPerThousand));
    const flow = (location: string): Flow => flows.get(keyOf({ sku, location })) ?? { out: 0, in: 0 };
    return [
      atWarehouse(sku, flow(demo.warehouse), demo),
      ...stores.map((id) => atStore(sku, id, flow(id), storefront / stores.length, demo)),
    ];
  });
}

function atWarehouse(sku: string, flow: Flow, demo: Demo): Balance {
  const staged = demo.staged.find((each) => each.sku === sku);
  const opens = staged === undefined ? flow.out + demo.openingSpare : Math.floor(flow.out * staged.opensWith);
  const late = staged === undefined ? 0 : flow.out - opens;
  return { sku, location: demo.warehouse, opens, late, restock: Math.max(0, flow.out - flow.in - late) };
}

function atStore(sku: string, location: string, flow: Flow, storefront: number, demo: Demo): Balance {
  const { least, most } = demo.storeOpening;
  const spare = least + draw(`opening ${location} ${sku}`, most - least + 1);
  const opens = flow.out + Math.ceil(storefront * demo.storefrontCover) + spare;
  return { sku, location, opens, late: 0, restock: Math.max(0, flow.out + Math.ceil(storefront) - flow.in) };
}

/** A count, id `opening:<location>:<sku>`. */
export function openingOf({ sku, location, opens }: Balance, occurredAt: string): SentFact {
  const common = { type: 'count', sku, location, occurredAt, counted: opens };
  return { id: `opening:${location}:${sku}`, ...common, note: 'made up for the demo' };
}

/** A delivery for the month played again, id `restock:<location>:<sku>`; undefined if there is nothing to bring. */
export function restockOf({ sku, location, restock }: Balance, occurredAt: string): SentFact | undefined {
  if (restock === 0) return undefined;
  const id = `restock:${location}:${sku}`;
  return { id, type: 'receipt', sku, location, occurredAt, qty: restock, purchaseOrder: id };
}

/** Names the stock key of a fact or a balance. */
export function keyOf({ sku, location }: { readonly sku?: unknown; readonly location?: unknown }): string {
  return JSON.stringify([sku, location]);
}

/** Sellable units that a movement adds to its stock key; negative if it takes some. */
export function change(movement: SentFact): number {
  const { type, phase, disposition, qty, delta } = movement as {
    type: string;
    phase?: string;
    disposition?: string;
    qty?: number;
    delta?: number;
  };
  if (type === 'adjustment') return delta ?? 0;
  if (type === 'sale' || phase === 'shipped') return -(qty ?? 0);
  if (type === 'purchase' || (type === 'return' && disposition !== 'restock')) return 0;
  return qty ?? 0;
}
