/** The route that lists the supply on its way. */
import type { FastifyInstance } from 'fastify';
import { type SupplyEntry, supplyAnswer, supplyQuery } from '../../../streams/contract/promise/supply.ts';
import { atpParams } from '../../../streams/contract/stock.ts';
import type { Answers } from '../../api/stock-api.ts';
import { addRoute, type Operation } from '../operation.ts';

export const SUPPLY: readonly SupplyEntry[] = [
  {
    source: 'transfer',
    transfer: 't-118',
    from: 'dc-1',
    location: 'store-12',
    qty: 6,
    due: '2026-11-25T08:00:00.000Z',
    overdue: false,
  },
  {
    source: 'purchase',
    purchaseOrder: 'PO-7781',
    line: '4',
    vendor: 'Pottery Ltd',
    location: 'dc-1',
    qty: 240,
    due: '2026-12-01T23:59:59.999999Z',
    overdue: false,
  },
];

const supplyOfSku: Operation = {
  id: 'supplyOfSku',
  method: 'GET',
  path: '/v1/supply/{sku}',
  tag: 'stock',
  summary: 'What is on its way to the locations of a SKU, by when it is due',
  description:
    'Open lines of purchase orders, and transfers in transit. A receipt that names a purchase order counts against it wherever it arrives, the line that is promised first being the first to be filled.',
  params: atpParams,
  query: supplyQuery,
  answers: {
    200: { description: 'A page of supply', schema: supplyAnswer, example: { supply: SUPPLY, next: null } },
  },
  problems: ['invalid-request', 'not-found', 'undecided'],
};

export const SUPPLY_OPERATIONS = [supplyOfSku];

export function addSupplyRoutes(app: FastifyInstance, answers: Answers): void {
  addRoute(app, supplyOfSku, (request) => answers.supply(request.params, request.query));
}
