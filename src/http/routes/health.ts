/** Routes for operators: health, readiness, metrics, the OpenAPI and AsyncAPI documents and the live page. */
import type { FastifyInstance } from 'fastify';
import type { Readiness } from '../../../actors/ports/ports.ts';
import { PacedWork } from '../../../streams/clock.ts';
import { healthAnswer, notReadyAnswer, readinessAnswer } from '../../../streams/contract/operator.ts';
import { PROBLEM_TYPE, problem } from '../../error-status.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { SteadyClock } from '../../process/steady-clock.ts';
import { asyncApiText } from '../asyncapi.ts';
import { openApiText } from '../openapi.ts';
import { addRoute, type Operation } from '../operation.ts';
import { sendProblem } from '../problem-replies.ts';
import { addWebPage, page } from '../web-page.ts';
import { ANOMALY_OPERATIONS } from './anomalies.ts';
import { EVENT_OPERATIONS } from './events.ts';
import { FACT_OPERATIONS } from './facts.ts';
import { ITEM_OPERATIONS } from './items.ts';
import { PARKED_OPERATIONS } from './parked.ts';
import { POLICY_OPERATIONS } from './policies.ts';
import { RESERVATION_OPERATIONS } from './reservations.ts';
import { STOCK_OPERATIONS } from './stock.ts';
import { SUPPLY_OPERATIONS } from './supply.ts';
import { SYSTEM_OPERATIONS } from './system.ts';
import { WEBHOOK_OPERATIONS } from './webhooks.ts';

const health: Operation = {
  id: 'health',
  method: 'GET',
  path: '/healthz',
  tag: 'operations',
  summary: 'The process lives',
  answers: { 200: { description: 'It does', schema: healthAnswer, example: { status: 'alive', name: 'node-1' } } },
  problems: [],
};

const ready: Operation = {
  id: 'readiness',
  method: 'GET',
  path: '/readyz',
  tag: 'operations',
  summary: 'The node owns its partitions and has caught up',
  bound: 'It names at most 1,024 partitions.',
  answers: {
    200: {
      description: 'It serves',
      schema: readinessAnswer,
      example: {
        ready: true,
        owned: 2,
        partitions: 32,
        name: 'node-1',
        owns: [
          { partition: 3, epoch: 41 },
          { partition: 9, epoch: 44 },
        ],
      },
    },
    503: {
      description: 'It does not, and why',
      schema: notReadyAnswer,
      contentType: PROBLEM_TYPE,
      example: {
        ...problem('not-ready', 'partitions 3 and 9 are still being recovered'),
        reasons: ['partitions 3 and 9 are still being recovered'],
        owned: 1,
        partitions: 32,
        name: 'node-1',
        owns: [{ partition: 4, epoch: 45 }],
      },
    },
  },
  problems: [],
};

const metricsText: Operation = {
  id: 'metrics',
  method: 'GET',
  path: '/metrics',
  tag: 'operations',
  summary: 'Metrics for Prometheus',
  answers: { 200: { description: 'Prometheus text format', contentType: 'text/plain' } },
  problems: [],
};

const openApi: Operation = {
  id: 'openapi',
  method: 'GET',
  path: '/openapi.json',
  tag: 'operations',
  summary: 'This document',
  answers: { 200: { description: 'OpenAPI 3.1', contentType: 'application/json' } },
  problems: [],
};

const asyncApi: Operation = {
  id: 'asyncapi',
  method: 'GET',
  path: '/asyncapi.json',
  tag: 'operations',
  summary: 'All subjects of NATS and topics of the live feed',
  answers: { 200: { description: 'AsyncAPI 3.0', contentType: 'application/json' } },
  problems: [],
};

/** Every operation of the HTTP front. */
export const OPERATIONS: readonly Operation[] = [
  ...FACT_OPERATIONS,
  ...PARKED_OPERATIONS,
  ...STOCK_OPERATIONS,
  ...SUPPLY_OPERATIONS,
  ...ITEM_OPERATIONS,
  ...RESERVATION_OPERATIONS,
  ...ANOMALY_OPERATIONS,
  ...POLICY_OPERATIONS,
  ...EVENT_OPERATIONS,
  ...WEBHOOK_OPERATIONS,
  ...SYSTEM_OPERATIONS,
  health,
  ready,
  metricsText,
  openApi,
  asyncApi,
  page,
];

export interface OperationsDeps {
  readonly readiness: () => Readiness;
  readonly metrics: Metrics;
  readonly name: string;
}

export function addOperationsRoutes(app: FastifyInstance, { readiness, metrics, name }: OperationsDeps): void {
  addRoute(app, health, async () => ({ status: 'alive', name }));
  addRoute(app, ready, async (_request, reply) => {
    const { ready: serves, reasons, owned, partitions, owns, quarantined = [] } = readiness();
    if (serves) return { ready: true, owned, partitions, name, owns };
    const detail = reasons.length === 0 ? 'the node is starting' : reasons.join('; ');
    return sendProblem(
      reply,
      Object.assign(problem('not-ready', detail), { reasons, owned, partitions, name, owns, quarantined }),
    );
  });
  const text = new PacedWork(new SteadyClock(), () => metrics.render());
  addRoute(app, metricsText, async (_request, reply) => reply.type(metrics.contentType).send(await text.result()));
  addRoute(app, openApi, async (_request, reply) => reply.type('application/json').send(openApiText(OPERATIONS)));
  addRoute(app, asyncApi, async (_request, reply) => reply.type('application/json').send(asyncApiText()));
  addWebPage(app);
}
