/**
 * The HTTP front: fastify with the routes of the contract, bodies in JSON or MessagePack, and problems for all that goes wrong.
 *
 * Invariants:
 *  H1 Requests are checked in src/answers.ts, which NATS uses too; the framework only carries them.
 *  H2 A request that succeeds logs nothing and passes no hook.
 */
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import type { AnomalyDesk } from '../../actors/anomaly-keeper.ts';
import type { FactDesk, ParkedFacts, Readiness, StockDesk } from '../../actors/ports.ts';
import { LIMITS } from '../../config/limits.ts';
import { type Certificates, tlsOptionsOf } from '../../config/tls.ts';
import { JSON_TYPE, MSGPACK_TYPE } from '../../streams/codec.ts';
import type { SentBody } from '../../streams/sent.ts';
import { Answers } from '../answers.ts';
import { formOf, readBody, sniffedForm } from '../bodies.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { FrontProblem } from '../problems.ts';
import { SystemAnswers, type SystemView } from '../system-answers.ts';
import { answerProblems, clientProblem, frameworkProblem } from './problems.ts';
import { addAnomalyRoutes } from './routes-anomalies.ts';
import { addFactRoutes } from './routes-facts.ts';
import { addOperationsRoutes, OPERATIONS } from './routes-operations.ts';
import { addReservationRoutes } from './routes-reservations.ts';
import { addStockRoutes } from './routes-stock.ts';
import { addSystemRoutes } from './routes-system.ts';

/** An id of 128 characters of four UTF-8 bytes, each percent-encoded. */
const LONGEST_PARAMETER = 128 * 4 * 3;

/** Headers and body must have come within this time, so that slow senders cannot hold sockets. */
const REQUEST_TIMEOUT_MS = 60_000;

export interface HttpWorld {
  readonly desk: StockDesk;
  readonly facts: FactDesk;
  readonly parked: ParkedFacts;
  readonly anomalies: AnomalyDesk;
  readonly readiness: () => Readiness;
  readonly system: SystemView;
  readonly metrics: Metrics;
  readonly log: Log;
  /** The node's name. */
  readonly name: string;
  /** With it, HTTP is HTTPS. */
  readonly tls?: Certificates | undefined;
}

/** Browsers that have come once over TLS do not come without it for a year. */
const STRICT_TRANSPORT = 'max-age=31536000';

/** The server, with its routes; the caller has it listen and closes it. */
export function buildHttp(world: HttpWorld): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: LIMITS.bodyBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: LONGEST_PARAMETER },
    frameworkErrors: frameworkProblem,
    clientErrorHandler: clientProblem,
    // Not http2, which the live feed does not speak.
    ...(world.tls === undefined ? {} : { https: { ...tlsOptionsOf(world.tls), minVersion: 'TLSv1.2' as const } }),
  }) as FastifyInstance;
  if (world.tls !== undefined)
    app.server.prependListener('request', (_, response) =>
      response.setHeader('Strict-Transport-Security', STRICT_TRANSPORT),
    );
  readBodies(app);
  answerProblems(app, world, OPERATIONS);
  const answers = new Answers(world);
  addFactRoutes(app, answers);
  addStockRoutes(app, answers);
  addReservationRoutes(app, answers);
  addAnomalyRoutes(app, world.anomalies);
  addSystemRoutes(app, new SystemAnswers(world.system));
  addOperationsRoutes(app, world);
  return app;
}

/** Longest wait for requests that are being answered when the server closes. */
const CLOSE_MS = 3_000;

/** Answers what it has taken, then closes every connection. */
export async function closeHttp(app: FastifyInstance): Promise<void> {
  const closing = app.close();
  // One that falls idle after closing began would be kept for its caller's next request, for a minute and more.
  const idle = setInterval(() => app.server.closeIdleConnections(), 20);
  const late = setTimeout(() => app.server.closeAllConnections(), CLOSE_MS);
  try {
    await closing;
  } finally {
    clearInterval(idle);
    clearTimeout(late);
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The body as it was sent; undefined if there is none. */
    sent: SentBody | undefined;
  }
}

type Done = (error: Error | null, body?: unknown) => void;

function readBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.decorateRequest('sent', undefined);
  for (const type of [JSON_TYPE, MSGPACK_TYPE, '*']) {
    app.addContentTypeParser(type, { parseAs: 'buffer' }, (request: FastifyRequest, bytes: Buffer, done: Done) => {
      try {
        request.sent = decoded(request, bytes);
      } catch (error) {
        done(error as Error);
        return;
      }
      done(null, request.sent.value);
    });
  }
}

function decoded(request: FastifyRequest, bytes: Buffer): SentBody {
  const { 'content-type': type, 'content-encoding': encoding } = request.headers;
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new FrontProblem(
      'unsupported-media-type',
      `Content-Encoding ${encoding} is not supported; send the body as it is`,
    );
  }
  const form = type === undefined ? sniffedForm(bytes) : formOf(type);
  if (form !== undefined) return { value: readBody(bytes, form), bytes, type: form };
  throw new FrontProblem(
    'unsupported-media-type',
    `Content-Type is ${type?.slice(0, 200)}; send application/json or application/msgpack`,
  );
}
