/** Routes that take facts in, and that list, show and resubmit parked facts. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { LIMITS } from '../../../config/limits.ts';
import {
  parkedAnswer,
  parkedFact,
  parkedParams,
  parkedQuery,
  resubmittedAnswer,
} from '../../../streams/contract/operator.ts';
import { factsAnswer, factsQuery } from '../../../streams/contract/stock.ts';
import { factSchema } from '../../../streams/fact/fact.ts';
import type { Answers } from '../../api/stock-api.ts';
import { addRoute, type Operation } from '../operation.ts';

const SALE = {
  id: 'till-3:100482:1',
  type: 'sale',
  sku: '85123A',
  location: 'store-12',
  occurredAt: '2026-11-24T09:15:00Z',
  qty: 2,
  unitPrice: '2.55',
  currency: 'GBP',
  channel: 'store',
};
const RECEIPT = {
  id: 'dock-1:7781:4',
  type: 'receipt',
  sku: '85123A',
  location: 'store-12',
  occurredAt: '2026-11-24T08:00:00Z',
  qty: 48,
  damaged: 1,
  purchaseOrder: 'PO-7781',
};

const submitFacts: Operation = {
  id: 'submitFacts',
  method: 'POST',
  bodyBytes: LIMITS.bodyBytes,
  path: '/v1/facts',
  tag: 'facts',
  summary: 'Report facts',
  description:
    `One fact or an array of up to ${LIMITS.factsPerRequest}. Each counts once, however often it is sent; of several with one id in one request the first holds. The answer comes after every accepted fact is durable and its owner has said what became of it. ` +
    `One above ${LIMITS.factBytes / 1024} KiB is rejected as too-large, and not kept. One that cannot be read, is older than the idempotency horizon (too-old) or comes under an id that was used with other content (id-conflict) is parked, with its bytes as they were sent, and named in \`rejected\`; it never refuses the rest. ` +
    'A field that is null or empty is absent, and unknown fields are kept. A field that would change what is counted is refused as `invalid` on a type that does not define it. ' +
    '503: what became of one is not known; send all of them again, which is harmless.',
  query: factsQuery,
  bound: `At most ${LIMITS.factsPerRequest} are taken, and named in the answer.`,
  body: {
    schema: z.union([factSchema, z.array(factSchema).max(LIMITS.factsPerRequest)]),
    examples: { one: SALE, several: [SALE, RECEIPT] },
  },
  answers: {
    200: {
      description: 'What became of them; 200 also when some are rejected',
      schema: factsAnswer,
      example: {
        accepted: 1,
        duplicates: 1,
        rejected: [
          { index: 2, code: 'too-old', message: 'occurredAt is older than the idempotency horizon of 7 days' },
        ],
      },
    },
  },
  problems: ['undecided'],
};

const PARKED = {
  seq: 4,
  parkedAt: '2026-11-24T09:15:00.123Z',
  reason: 'too-old',
  message: 'occurredAt is older than the idempotency horizon of 7 days',
  source: 'SALES.18244',
  contentType: 'application/json',
  bytes: 'eyJpZCI6InRpbGwtMzoxIn0=',
  length: 17,
  cut: false,
};

const listParked: Operation = {
  id: 'listParked',
  method: 'GET',
  path: '/v1/parked',
  tag: 'facts',
  summary: 'List parked facts, oldest first',
  description:
    `At most ${LIMITS.parkedBytesShown / 1024} KiB of the bytes of each are shown; one that is \`cut\` can be asked for by itself. ` +
    `A page ends early, with \`next\`, at ${LIMITS.parkedListBytes / 1024 / 1024} MiB or ${LIMITS.parkedListMs / 1000} s, and may then be empty.`,
  query: parkedQuery,
  answers: {
    200: {
      description: 'Parked facts with their reason and their bytes',
      schema: parkedAnswer,
      example: {
        parked: [PARKED],
        next: null,
      },
    },
  },
  problems: ['invalid-request', 'undecided'],
};

const readParked: Operation = {
  id: 'getParked',
  method: 'GET',
  path: '/v1/parked/{seq}',
  tag: 'facts',
  summary: 'Read a parked fact with all its bytes',
  params: parkedParams,
  answers: { 200: { description: 'The parked fact', schema: parkedFact, example: PARKED } },
  problems: ['invalid-request', 'not-found', 'undecided'],
};

const resubmitParked: Operation = {
  id: 'resubmitParked',
  method: 'POST',
  bodyBytes: LIMITS.smallBodyBytes,
  path: '/v1/parked/{seq}/resubmit',
  tag: 'facts',
  summary: 'Submit a parked fact again, as it is or corrected',
  description:
    'Without a body it is published as it came, past the horizon too; with a body, that fact takes its place. A count that is older than the horizon is refused: ' +
    'it cannot be placed among the facts around it any more; send a newer count, or an adjustment.',
  params: parkedParams,
  body: { schema: factSchema, examples: { corrected: SALE }, required: false },
  answers: {
    200: { description: 'It is published again', schema: resubmittedAnswer, example: { seq: 4, resubmitted: true } },
  },
  problems: ['invalid-request', 'not-found', 'id-conflict', 'too-large', 'undecided'],
};

export const FACT_OPERATIONS = [submitFacts, listParked, readParked, resubmitParked];

export function addFactRoutes(app: FastifyInstance, answers: Answers): void {
  addRoute(app, submitFacts, (request) => answers.submitFacts(request.sent, request.query));
  addRoute(app, listParked, (request) => answers.listParked(request.query));
  addRoute(app, readParked, (request) => answers.parkedFact(request.params));
  addRoute(app, resubmitParked, (request) => answers.resubmit(request.params, request.sent));
}
