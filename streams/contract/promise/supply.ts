/** The list of the supply that is on its way to the locations of a SKU. */
import { z } from 'zod';
import { LIMITS } from '../../../config/limits.ts';
import { cursorOf, limit, nextCursor } from '../pages.ts';
import { stockRequest } from '../stock.ts';

/** Where a page goes on: after this moment, in microseconds since 1970, and this source. */
export const supplyPlace = z.tuple([z.number(), z.string().max(1_000)]).readonly();
export type SupplyPlace = z.output<typeof supplyPlace>;

export const supplyQuery = z.object({
  location: stockRequest.shape.location,
  limit: limit(LIMITS.supplyListed, LIMITS.supplyListedUsual),
  cursor: cursorOf(supplyPlace),
});

const common = {
  location: z.string().meta({ description: 'where it is to arrive' }),
  qty: z.int().meta({ description: 'units that have not arrived' }),
  due: z.string().meta({ description: 'when it is promised; of a transfer, its eta or the usual time of its lane' }),
  overdue: z
    .boolean()
    .meta({ description: 'it should have arrived; it does not count in ATP until it gets a new date' }),
};
export const supplyEntry = z.discriminatedUnion('source', [
  z.object({
    source: z.literal('purchase'),
    purchaseOrder: z.string(),
    line: z.string().optional(),
    vendor: z.string().optional(),
    ...common,
  }),
  z.object({
    source: z.literal('transfer'),
    transfer: z.string(),
    from: z.string().optional().meta({ description: 'absent if it is not known' }),
    ...common,
  }),
]);
export const supplyAnswer = z
  .object({ supply: z.array(supplyEntry).meta({ description: 'in the order in which it is due' }), next: nextCursor })
  .meta({ id: 'Supply' });

export type SupplyEntry = z.infer<typeof supplyEntry>;
export type SupplyAnswer = z.infer<typeof supplyAnswer>;
export interface SupplyQuery {
  readonly sku: string;
  readonly location?: string | undefined;
  readonly limit: number;
  readonly after?: SupplyPlace | undefined;
}
export interface SupplyPage {
  readonly supply: readonly SupplyEntry[];
  /** Null if this was the last page. */
  readonly next: SupplyPlace | null;
}
