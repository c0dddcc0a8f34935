/** The route that takes facts in. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { LIMITS } from '../../../config/limits.ts';
import { factsAnswer, factsQuery } from '../../../streams/contract/stock.ts';
import { factSchema } from '../../../streams/fact/schemas.ts';
import type { Answers } from '../../api/stock-api.ts';
import { addRoute, type Operation } from '../operation.ts';

export const SALE = {
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

export const FACT_OPERATIONS = [submitFacts];

export function addFactRoutes(app: FastifyInstance, answers: Answers): void {
  addRoute(app, submitFacts, (request) => answers.submitFacts(request.sent, request.query));
}
