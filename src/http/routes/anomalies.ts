/** Routes that list, acknowledge and resolve anomalies. */
import type { FastifyInstance } from 'fastify';
import type { AnomalyService } from '../../../actors/anomaly/keeper.ts';
import type { PersonStep } from '../../../actors/anomaly/lifecycle.ts';
import { LIMITS } from '../../../config/limits.ts';
import {
  anomaliesAnswer,
  anomaliesQuery,
  anomalyAnswer,
  anomalyParams,
  anomalyStep,
} from '../../../streams/contract/anomaly.ts';
import { cursorText } from '../../../streams/contract/pages.ts';
import { present, valid, validQuery } from '../../api/checks.ts';
import { addRoute, type Operation } from '../operation.ts';

const OPEN = {
  id: '7.negative_stock.9f3a11c402b7d5e8',
  kind: 'negative_stock',
  severity: 'warning',
  sku: '85123A',
  location: 'store-12',
  at: '2026-11-24T09:15:00.000Z',
  updatedAt: '2026-11-24T09:15:00.412Z',
  state: 'open',
  data: {
    sellable: -2,
    says: 'The book says -2 sellable: something came that was not booked, or was sold that is not there.',
  },
};
const DONE = { by: 'maria', why: 'counting now', at: '2026-11-24T09:20:00.000Z' };

const listAnomalies: Operation = {
  id: 'listAnomalies',
  method: 'GET',
  path: '/v1/anomalies',
  tag: 'anomalies',
  summary: 'Anomalies, the newest first',
  description: 'Changes are published on NATS as `anomaly.<kind>`.',
  query: anomaliesQuery,
  answers: {
    200: { description: 'Those that fit', schema: anomaliesAnswer, example: { anomalies: [OPEN], next: null } },
  },
  problems: ['invalid-request', 'undecided'],
};

const acknowledgeAnomaly: Operation = {
  id: 'acknowledgeAnomaly',
  method: 'POST',
  bodyBytes: LIMITS.smallBodyBytes,
  path: '/v1/anomalies/{id}/acknowledge',
  tag: 'anomalies',
  summary: 'Somebody is on it',
  description: 'It stays acknowledged until it is resolved. Repeating it is harmless: the first one counts.',
  params: anomalyParams,
  body: { schema: anomalyStep, examples: { acknowledge: { by: 'maria', why: 'counting now' } } },
  answers: {
    200: {
      description: 'The anomaly as it is',
      schema: anomalyAnswer,
      example: { ...OPEN, state: 'acknowledged', acknowledged: DONE },
    },
  },
  problems: ['not-found', 'already-resolved', 'invalid-request', 'undecided'],
};

const resolveAnomaly: Operation = {
  id: 'resolveAnomaly',
  method: 'POST',
  bodyBytes: LIMITS.smallBodyBytes,
  path: '/v1/anomalies/{id}/resolve',
  tag: 'anomalies',
  summary: 'It is dealt with',
  description:
    'It opens again only when its cause has gone and come again, or for a new one. Most resolve by themselves. Repeating it is harmless.',
  params: anomalyParams,
  body: { schema: anomalyStep, examples: { resolve: { by: 'maria', why: 'a delivery was not booked' } } },
  answers: {
    200: {
      description: 'The anomaly as it is',
      schema: anomalyAnswer,
      example: { ...OPEN, state: 'resolved', resolved: { ...DONE, why: 'a delivery was not booked' } },
    },
  },
  problems: ['not-found', 'invalid-request', 'undecided'],
};

export const ANOMALY_OPERATIONS = [listAnomalies, acknowledgeAnomaly, resolveAnomaly];

export function addAnomalyRoutes(app: FastifyInstance, anomalies: AnomalyService): void {
  addRoute(app, listAnomalies, async (request) => {
    const { cursor, limit, ...query } = validQuery(anomaliesQuery, request.query);
    const found = await anomalies.list({ ...query, limit: limit + 1, after: cursor });
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const next = found.length > limit && last !== undefined ? cursorText([last.at, last.id]) : null;
    return { anomalies: page, next };
  });
  const step = (operation: Operation, which: PersonStep) =>
    addRoute(app, operation, async (request) => {
      const { id } = valid(anomalyParams, request.params);
      return anomalies.step(id, which, valid(anomalyStep, present(request.body)));
    });
  step(acknowledgeAnomaly, 'acknowledge');
  step(resolveAnomaly, 'resolve');
}
