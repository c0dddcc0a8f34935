/** Routes about the whole system, which the live page reads, and the operation of the live feed. */
import type { FastifyInstance } from 'fastify';
import { LOCATIONS_SHOWN } from '../../../dashboards/kpi/known-figures.ts';
import { noUnits, TOTALLED_BUCKETS } from '../../../streams/buckets.ts';
import { promisesAnswer, promisesQuery } from '../../../streams/contract/promise/promises.ts';
import {
  claimsAnswer,
  claimsQuery,
  clocksAnswer,
  type KpiAnswer,
  kpiAnswer,
  liveQuery,
  locationParams,
  locationStockAnswer,
  locationStockQuery,
  locationsAnswer,
  locationsQuery,
  searchAnswer,
  searchQuery,
  systemAnswer,
} from '../../../streams/contract/system.ts';
import type { SystemAnswers } from '../../api/system-api.ts';
import { addRoute, type Operation } from '../operation.ts';
import { STOCK } from './stock.ts';

const AT = '2026-11-24T09:15:00.123Z';
const STANDING = {
  units: {
    ...noUnits(TOTALLED_BUCKETS),
    onHand: 10,
    sellable: 9,
    inspection: 1,
    held: 1,
    allocated: 2,
    atp: 6,
    inTransit: 6,
  },
  stockKeys: 1,
  stockOuts: 0,
  oversold: 0,
  negative: 0,
  negativeUnits: 0,
};
const BRIEF = { location: 'store-12', ...STANDING, openAnomalies: 0, heardAt: AT, factsPerMinute: 12 };
const HAPPENED = {
  seconds: 58.2,
  facts: { sale: 12, receipt: 0, transfer: 0, return: 1, count: 0, adjustment: 0, purchase: 0 },
  unitsSold: 30,
  unitsReturned: 1,
  returnRate: 1 / 30,
  returnReasons: { 'too small': 1 },
  holds: { granted: 4, confirmed: 3, released: 1, expired: 0, conversion: 0.75 },
  transfers: { received: 0, leadSeconds: null, unitsDamaged: 0 },
  deliveries: { received: 2, leadSeconds: 432_000, late: 1, lateSeconds: 7_200 },
  counts: { counted: 0, accuracy: null, varianceUnits: 0 },
  sellThrough: 0.75,
};
const LATENCY = { requests: 100, perSecond: 1.7, p50Ms: 0.2, p99Ms: 0.9 };
const ASKED = {
  seconds: 58.2,
  atp: LATENCY,
  reservations: { ...LATENCY, outcomes: { held: 4, refused: 1 } },
  factsDuplicate: 0,
  factsParked: { 'too-old': 0, 'id-conflict': 0, unreadable: 0, invalid: 0, 'subject-mismatch': 0 },
};
const KPI: KpiAnswer = {
  ...STANDING,
  windows: { minute: HAPPENED, hour: HAPPENED, day: HAPPENED, all: HAPPENED },
  asked: { minute: ASKED, hour: ASKED, all: ASKED },
  ageing: [10, 0, 0, 0, 0],
  vendors: [{ vendor: 'Pottery Ltd', deliveries: 2, leadSeconds: 432_000, late: 1, lateSeconds: 7_200 }],
  openAnomalies: {},
  locations: [BRIEF],
  locationCount: 1,
  factsBySecond: [0, 3, 5],
};

const search: Operation = {
  id: 'search',
  method: 'GET',
  path: '/v1/search',
  tag: 'live',
  summary: 'SKUs and locations whose names hold a text, and SKUs whose items fit it',
  description:
    'Those that begin with it come first, then those that hold it, then those whose items fit it (see /v1/items); each by name.',
  query: searchQuery,
  answers: {
    200: {
      description: 'Names',
      schema: searchAnswer,
      example: { skus: ['85123A'], locations: ['store-12'], names: { '85123A': 'White hanging heart T-light holder' } },
    },
  },
  problems: ['invalid-request', 'undecided'],
};

const locations: Operation = {
  id: 'locations',
  method: 'GET',
  path: '/v1/locations',
  tag: 'live',
  summary: 'Every location in short',
  query: locationsQuery,
  answers: { 200: { description: 'By name', schema: locationsAnswer, example: { locations: [BRIEF], next: null } } },
  problems: ['invalid-request'],
};

const locationStock: Operation = {
  id: 'locationStock',
  method: 'GET',
  path: '/v1/locations/{id}/stock',
  tag: 'live',
  summary: 'Stock keys of a location, those that need a person first',
  description:
    'Oversold, below zero, out of stock, held, the rest; each by SKU. `state`: `oversold` (promised units are not there), `negative` (a bucket is below 0), `out` (nothing sellable), `held` (held or allocated).',
  params: locationParams,
  query: locationStockQuery,
  answers: {
    200: {
      description: 'A page',
      schema: locationStockAnswer,
      example: {
        location: 'store-12',
        stock: [{ ...STOCK, safetyStock: 0, available: 6, atp: 6 }],
        next: null,
      },
    },
  },
  problems: ['invalid-request', 'not-found', 'undecided'],
};

const claimsOf: Operation = {
  id: 'claimsOfStock',
  method: 'GET',
  path: '/v1/claims',
  tag: 'reservations',
  summary: 'Units that reservations of a SKU claim now, at one location or at all',
  description: 'A line each, oldest first. A page holds all lines of its last reservation.',
  query: claimsQuery,
  answers: {
    200: {
      description: 'Lines that hold or allocate units',
      schema: claimsAnswer,
      example: {
        claims: [
          {
            id: 'cart-77',
            status: 'held',
            channel: 'web',
            purpose: 'order',
            qty: 2,
            location: 'store-12',
            grantedAt: AT,
            expiresAt: '2026-11-24T09:30:00.123Z',
          },
        ],
        next: null,
      },
    },
  },
  problems: ['invalid-request', 'undecided'],
};

const promises: Operation = {
  id: 'listPromises',
  method: 'GET',
  path: '/v1/promises',
  tag: 'reservations',
  summary: 'Lines that are promised for later, by default those that are late',
  description:
    'A line is late if it is due later than it is wanted. It has the fields of the event `promise.changed`, by SKU, location and reservation.',
  query: promisesQuery,
  answers: {
    200: {
      description: 'A page of lines',
      schema: promisesAnswer,
      example: {
        promises: [
          {
            reservation: 'o-1001',
            line: null,
            sku: '85123A',
            location: 'dc-1',
            qty: 2,
            wanted: '2026-12-01T23:59:59.999999Z',
            was: '2026-12-01T23:59:59.999999Z',
            now: '2026-12-08T12:00:00.000Z',
            cause: 'purchase erp:po-7781:2',
          },
        ],
        next: null,
      },
    },
  },
  problems: ['invalid-request', 'undecided'],
};

const clocks: Operation = {
  id: 'clocks',
  method: 'GET',
  path: '/v1/clocks',
  tag: 'live',
  summary: 'Devices whose clocks are wrong, and stock that somebody has to count because of that',
  description:
    '`ahead`: the latest fact happened later than it was stored, by more than the clock slack. `behind`: no fact of a whole day was stored within the slack after it happened, because the clock is behind or the device sends late. `uncounted`: a timestamp from the future was believed there by an older version, and nobody has counted since.',
  bound: 'It names at most 200 of each per partition.',
  answers: {
    200: {
      description: 'The worst first',
      schema: clocksAnswer,
      example: {
        ahead: [{ location: 'store-12', device: 'till-2', seconds: 172_800 }],
        behind: [{ location: 'store-12', device: 'till-3', seconds: 7_200 }],
        uncounted: [{ sku: '85123A', location: 'store-12' }],
      },
    },
  },
  problems: ['undecided'],
};

const kpi: Operation = {
  id: 'kpi',
  method: 'GET',
  path: '/v1/kpi',
  tag: 'live',
  summary: 'The figures of the whole system: the topic `kpi` of the live feed',
  description:
    'What is not known is null. A partition that nobody serves at the moment keeps the figures that it had last.',
  bound: `Of locations it names the ${LOCATIONS_SHOWN} most in need; /v1/locations lists all.`,
  answers: { 200: { description: 'The figures', schema: kpiAnswer, example: KPI } },
  problems: [],
};

const system: Operation = {
  id: 'system',
  method: 'GET',
  path: '/v1/system',
  tag: 'live',
  summary: 'Nodes and partitions: the topic `system` of the live feed',
  bound: 'It names the nodes that are alive, and at most 1,024 partitions.',
  answers: {
    200: {
      description: 'As the node that answers knows them',
      schema: systemAnswer,
      example: {
        nodes: [
          {
            name: 'node-1',
            http: '127.0.0.1:8080',
            ready: true,
            reasons: [],
            owned: 32,
            actors: 4000,
            reservations: 12,
            journalWaiting: 0,
            lag: { SALES: 0 },
            snapshotAgeSeconds: 3.2,
            eventLoopP99Ms: 1.4,
            memoryMiB: 140,
            liveClients: 3,
            startedAt: AT,
            silentSeconds: 0,
          },
        ],
        partitions: 32,
        owners: [{ node: 'node-1', epoch: 41 }, null],
        parked: 0,
        durability: 'durability: every answer is on disk (one copy, sync always)',
        horizonSeconds: 604_800,
        version: '0.2.0',
      },
    },
  },
  problems: ['undecided'],
};

/** src/http/live-socket.ts adds its route. */
export const live: Operation = {
  id: 'live',
  method: 'GET',
  path: '/v1/live',
  tag: 'live',
  summary: 'The live feed, a WebSocket',
  description:
    'Topics stand in the query, `topics=kpi,anomaly,system,atp:SKU,stock:SKU,location:ID` (ids percent-encoded), or are asked for on the open socket with `{"subscribe":["…"]}` and `{"unsubscribe":["…"]}`. Messages are `{"topic","at","data"}`: the present value first, then changes. Who reads slowly gets fewer, newer values. Close codes: 1001 the node stops, 1008 misused or silent, 1009 a message is too long, 1013 it took nothing for 30 s. Pages of other origins are refused unless HOLDFAST_ORIGINS names them.',
  query: liveQuery,
  answers: { 101: { description: 'The connection is a WebSocket now', contentType: 'application/json' } },
  problems: ['invalid-request', 'foreign-origin', 'upgrade-required', 'too-many-readers'],
};

export const SYSTEM_OPERATIONS = [search, locations, locationStock, claimsOf, promises, clocks, kpi, system, live];

export function addSystemRoutes(app: FastifyInstance, answers: SystemAnswers): void {
  addRoute(app, search, (request) => answers.search(request.query));
  addRoute(app, locations, (request) => answers.locations(request.query));
  addRoute(app, locationStock, (request) => answers.locationStock(request.params, request.query));
  addRoute(app, claimsOf, (request) => answers.claims(request.query));
  addRoute(app, promises, (request) => answers.promises(request.query));
  addRoute(app, clocks, () => answers.clocks());
  addRoute(app, kpi, () => answers.kpi());
  addRoute(app, system, () => answers.system());
}
