/** Routes for those who run the node: life, readiness, metrics, the OpenAPI document, and the front page. */
import type { FastifyInstance } from 'fastify';
import type { Readiness } from '../../actors/ports.ts';
import type { Metrics } from '../metrics.ts';
import { healthAnswer, notReadyAnswer, readinessAnswer } from '../operator-requests.ts';
import { PROBLEM_TYPE, problem } from '../problems.ts';
import { openApiText } from './openapi.ts';
import { addRoute, type Operation } from './operation.ts';
import { sendProblem } from './problems.ts';
import { ANOMALY_OPERATIONS } from './routes-anomalies.ts';
import { FACT_OPERATIONS } from './routes-facts.ts';
import { RESERVATION_OPERATIONS } from './routes-reservations.ts';
import { STOCK_OPERATIONS } from './routes-stock.ts';
import { SYSTEM_OPERATIONS } from './routes-system.ts';

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

const page: Operation = {
  id: 'page',
  method: 'GET',
  path: '/',
  tag: 'operations',
  summary: 'The front page, for people',
  answers: { 200: { description: 'HTML', contentType: 'text/html' } },
  problems: [],
};

/** Every operation of the HTTP front. */
export const OPERATIONS: readonly Operation[] = [
  ...FACT_OPERATIONS,
  ...STOCK_OPERATIONS,
  ...RESERVATION_OPERATIONS,
  ...ANOMALY_OPERATIONS,
  ...SYSTEM_OPERATIONS,
  health,
  ready,
  metricsText,
  openApi,
  page,
];

export interface OperationsWorld {
  readonly readiness: () => Readiness;
  readonly metrics: Metrics;
  readonly name: string;
}

export function addOperationsRoutes(app: FastifyInstance, { readiness, metrics, name }: OperationsWorld): void {
  addRoute(app, health, async () => ({ status: 'alive', name }));
  addRoute(app, ready, async (_request, reply) => {
    const { ready: serves, reasons, owned, partitions, owns } = readiness();
    if (serves) return { ready: true, owned, partitions, name, owns };
    const detail = reasons.length === 0 ? 'the node is starting' : reasons.join('; ');
    return sendProblem(reply, Object.assign(problem('not-ready', detail), { reasons, owned, partitions, name, owns }));
  });
  addRoute(app, metricsText, async (_request, reply) => reply.type(metrics.contentType).send(await metrics.render()));
  addRoute(app, openApi, async (_request, reply) => reply.type('application/json').send(openApiText(OPERATIONS)));
  const html = frontPage(name);
  addRoute(app, page, async (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'")
      .header('X-Content-Type-Options', 'nosniff')
      .send(html),
  );
}

function frontPage(name: string): string {
  const safe = name.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Holdfast ${safe}</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}</style>
<h1>Holdfast</h1>
<p>This is the node <strong>${safe}</strong>. It answers what is in stock, what may be promised, and keeps what is promised.</p>
<ul>
<li><a href="/readyz">Readiness</a>: does it serve?</li>
<li><a href="/openapi.json">OpenAPI document</a>: what can be asked.</li>
<li><a href="/metrics">Metrics</a>, for Prometheus.</li>
</ul>
</html>
`;
}
