/** Routes that read available to promise, stock, and the facts behind a stock. */
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { LIMITS } from '../../../config/limits.ts';
import { BUCKETS, MOVED_BUCKETS, noUnits, ON_HAND_SUM } from '../../../streams/buckets.ts';
import { JSON_TYPE } from '../../../streams/codec.ts';
import { explainAnswer, explainQuery } from '../../../streams/contract/operator.ts';
import {
  type AtpAnswer,
  atpAnswer,
  atpLineAnswer,
  atpParams,
  atpQuerystring,
  atpRequest,
  type StockAnswer,
  skuStockAnswer,
  stockAnswer,
  stockRequest,
  stocksAnswer,
  stocksRequest,
} from '../../../streams/contract/stock.ts';
import type { Answers } from '../../api/stock-api.ts';
import { addRoute, type Operation, prefersMsgpack } from '../operation.ts';

const LINE = {
  sku: '85123A',
  atp: 17,
  version: '3.18244',
  locations: [
    { location: 'store-12', atp: 5 },
    { location: 'dc-1', atp: 12 },
  ],
};
const AS_OF = '2026-11-24T09:15:00.123Z';
export const STOCK: StockAnswer = {
  sku: '85123A',
  location: 'store-12',
  ...noUnits(BUCKETS),
  onHand: 10,
  sellable: 9,
  inspection: 1,
  held: 1,
  allocated: 2,
  safetyStock: 1,
  available: 5,
  atp: 5,
  inTransit: 6,
  version: LINE.version,
};
const stockKey = stockRequest.required();

const ATP_BOUND = `An answer holds at most ${LIMITS.atpLocations} locations, of all lines together; beyond: 413.`;

const atpOfSku: Operation = {
  id: 'atpOfSku',
  method: 'GET',
  path: '/v1/atp/{sku}',
  tag: 'atp',
  summary: 'What of a SKU may be promised',
  description:
    'What may be promised now, or by the day or moment `by`, to `channel` and `purpose`; never below 0. What is promised for a later day counts, as does what is on its way. `backorderable` is shown where a policy allows backorders. `version` is epoch.sequence of what the answer was computed from and never goes back for a SKU.',
  bound: ATP_BOUND,
  params: atpParams,
  query: atpQuerystring,
  answers: { 200: { description: 'One line', schema: atpLineAnswer, example: { asOf: AS_OF, ...LINE } } },
  problems: ['invalid-request', 'not-found', 'too-large', 'undecided'],
};

const queryAtp: Operation = {
  id: 'queryAtp',
  method: 'POST',
  bodyBytes: LIMITS.atpBodyBytes,
  path: '/v1/atp',
  tag: 'atp',
  summary: 'What of many SKUs may be promised',
  description: 'A SKU that nothing is known of has atp 0 and no locations. Equal lines are computed once.',
  bound: ATP_BOUND,
  body: {
    schema: atpRequest,
    examples: {
      many: {
        lines: [{ sku: '85123A', locations: ['store-12', 'dc-1'] }, { sku: '71053' }],
        channel: 'web',
        by: '2026-12-01',
      },
    },
  },
  answers: {
    200: { description: 'A line each, in order', schema: atpAnswer, example: { asOf: AS_OF, lines: [LINE] } },
  },
  problems: ['invalid-request', 'undecided'],
};

const stockOfSku: Operation = {
  id: 'stockOfSku',
  method: 'GET',
  path: '/v1/stock/{sku}',
  tag: 'stock',
  summary: 'Stock of a SKU at all its locations',
  bound: `At most ${LIMITS.stockRows} locations are answered at once; beyond: 413.`,
  params: atpParams,
  answers: {
    200: { description: 'Every location', schema: skuStockAnswer, example: { sku: '85123A', locations: [STOCK] } },
  },
  problems: ['invalid-request', 'not-found', 'too-large', 'undecided'],
};

const queryStock: Operation = {
  id: 'queryStock',
  method: 'POST',
  bodyBytes: LIMITS.atpBodyBytes,
  path: '/v1/stock',
  tag: 'stock',
  summary: 'Stock of many SKUs',
  description: 'SKUs and locations of which nothing is known are left out.',
  bound: `An answer holds at most ${LIMITS.stockRows} rows, one for each SKU at a location; beyond: 413.`,
  body: { schema: stocksRequest, examples: { many: { skus: ['85123A', '71053'], locations: ['store-12'] } } },
  answers: {
    200: { description: 'A row for each SKU at a location', schema: stocksAnswer, example: { stock: [STOCK] } },
  },
  problems: ['invalid-request', 'too-large', 'undecided'],
};

const stockAtLocation: Operation = {
  id: 'stockAtLocation',
  method: 'GET',
  path: '/v1/stock/{sku}/{location}',
  tag: 'stock',
  summary: 'Stock of a SKU at one location',
  description: `onHand is what is physically there: ${ON_HAND_SUM}. available can be negative. oversold is how many held and allocated units are not there.`,
  params: stockKey,
  answers: { 200: { description: 'The stock', schema: stockAnswer, example: STOCK } },
  problems: ['invalid-request', 'not-found', 'undecided'],
};

const explainStock: Operation = {
  id: 'explainStock',
  method: 'GET',
  path: '/v1/explain/{sku}/{location}',
  tag: 'stock',
  summary: 'The facts and reservations behind a stock, the newest page first',
  description:
    'The steps of a page are in the order in which they happened. A long field of a fact is cut. A node makes two explanations at once.',
  params: stockKey,
  query: explainQuery,
  answers: {
    200: {
      description: 'Steps with running totals, and the stock that they add up to',
      schema: explainAnswer,
      example: {
        sku: '85123A',
        location: 'store-12',
        asOf: AS_OF,
        steps: [
          {
            at: '2026-11-24T08:00:00Z',
            what: 'receipt',
            id: 'dock-1:7781:4',
            detail: 'qty 9, purchaseOrder PO-7781',
            change: { sellable: 9 },
            total: { ...noUnits(MOVED_BUCKETS), sellable: 9 },
          },
        ],
        stock: STOCK,
        adds: true,
        notes: [],
        next: null,
      },
    },
  },
  problems: ['invalid-request', 'not-found', 'busy', 'undecided'],
};

export const STOCK_OPERATIONS = [atpOfSku, queryAtp, stockOfSku, queryStock, stockAtLocation, explainStock];

/** Locations that are encoded per turn of the event loop, which takes about a millisecond. */
const LOCATIONS_AT_ONCE = 2_000;

/** Encodes an ATP answer as JSON in pieces, so that a large answer does not block the event loop. */
async function* jsonOf({ asOf, lines }: AtpAnswer): AsyncGenerator<string> {
  let [text, locations] = [`{"asOf":${JSON.stringify(asOf)},"lines":[`, 0];
  for (const [index, line] of lines.entries()) {
    text += `${index === 0 ? '' : ','}${JSON.stringify(line)}`;
    locations += line.locations.length;
    if (locations < LOCATIONS_AT_ONCE) continue;
    yield text;
    [text, locations] = ['', 0];
    await setImmediate();
  }
  yield `${text}]}`;
}

export function addStockRoutes(app: FastifyInstance, answers: Answers): void {
  addRoute(app, atpOfSku, (request) => answers.atpOfSku(request.params, request.query));
  addRoute(app, queryAtp, async (request, reply) => {
    const answer = await answers.atp(request.body);
    const locations = answer.lines.reduce((sum, line) => sum + line.locations.length, 0);
    if (locations <= LOCATIONS_AT_ONCE || prefersMsgpack(request.raw.rawHeaders)) return answer;
    return reply.type(JSON_TYPE).send(Readable.from(jsonOf(answer)));
  });
  addRoute(app, stockOfSku, (request) => answers.stock(request.params));
  addRoute(app, queryStock, (request) => answers.stocks(request.body));
  addRoute(app, stockAtLocation, (request) => answers.stockAt(request.params));
  addRoute(app, explainStock, (request) => answers.explain(request.params, request.query));
}
