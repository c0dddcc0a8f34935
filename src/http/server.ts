/**
 * The HTTP front: fastify with the routes of the contract, bodies in JSON or MessagePack, and problems for all that goes wrong.
 *
 * Invariants:
 *  SV1 Requests are checked in src/api/stock-api.ts, which NATS uses too; the framework only carries them.
 *  SV2 A request that succeeds logs nothing and passes one hook, which judges who asks (src/api/callers.ts) before anything is read.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import type { AnomalyService } from '../../actors/anomaly/keeper.ts';
import type { FactIngress, ParkedFacts, Readiness, StockService } from '../../actors/ports/ports.ts';
import { LIMITS } from '../../config/limits.ts';
import { type Certificates, tlsOptionsOf } from '../../config/servers/tls.ts';
import { JSON_TYPE, MSGPACK_TYPE } from '../../streams/codec.ts';
import type { BodyType, SentBody } from '../../streams/fact/sent-body.ts';
import { formOf, readBody } from '../api/bodies.ts';
import { ANSWER_HEADERS, type Callers, refusalOfCaller } from '../api/callers.ts';
import { Answers } from '../api/stock-api.ts';
import { SystemAnswers, type SystemView } from '../api/system-api.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Log } from '../process/log.ts';
import { BodyReader, UnreadBody } from './body-reader.ts';
import type { LiveFront } from './live-socket.ts';
import { answerProblems, clientProblem, endOffer, frameworkProblem } from './problems.ts';
import { addAnomalyRoutes } from './routes/anomalies.ts';
import { addFactRoutes } from './routes/facts.ts';
import { addOperationsRoutes, OPERATIONS } from './routes/health.ts';
import { addReservationRoutes } from './routes/reservations.ts';
import { addStockRoutes } from './routes/stock.ts';
import { addSystemRoutes } from './routes/system.ts';

/** An id of 128 characters of four UTF-8 bytes, each percent-encoded. */
const LONGEST_PARAMETER = 128 * 4 * 3;

/** How often bodies and requests that take too long are looked for. */
const WATCH_MS = 1_000;

export interface HttpDeps {
  readonly stock: StockService;
  readonly facts: FactIngress;
  readonly parked: ParkedFacts;
  readonly anomalies: AnomalyService;
  readonly readiness: () => Readiness;
  readonly system: SystemView;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly callers: Callers;
  readonly live: LiveFront;
  readonly bodies?: BodyReader;
  /** The node's name. */
  readonly name: string;
  /** With it, HTTP is HTTPS. */
  readonly tls?: Certificates | undefined;
}

/** Browsers that have come once over TLS do not come without it for a year. */
const STRICT_TRANSPORT = 'max-age=31536000';

/** The server, with its routes; the caller has it listen and closes it. */
export function buildHttp(deps: HttpDeps): FastifyInstance {
  const watched = { connectionsCheckingInterval: WATCH_MS };
  const app = fastify({
    logger: false,
    requestTimeout: LIMITS.requestReadMs,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: LONGEST_PARAMETER },
    frameworkErrors: frameworkProblem,
    clientErrorHandler: clientProblem,
    // Not http2, which the live feed does not speak.
    ...(deps.tls === undefined
      ? { http: watched }
      : { https: { ...watched, ...tlsOptionsOf(deps.tls), minVersion: 'TLSv1.2' as const } }),
  }) as FastifyInstance;
  if (deps.tls !== undefined)
    app.server.prependListener('request', (_, response) =>
      response.setHeader('Strict-Transport-Security', STRICT_TRANSPORT),
    );
  app.server.maxConnections = LIMITS.connections;
  admitCallers(app, deps.callers);
  readBodies(app, deps);
  answerProblems(app, deps, OPERATIONS);
  const answers = new Answers(deps);
  // SV1.
  addFactRoutes(app, answers);
  addStockRoutes(app, answers);
  addReservationRoutes(app, answers);
  addAnomalyRoutes(app, deps.anomalies);
  addSystemRoutes(app, new SystemAnswers(deps.system));
  addOperationsRoutes(app, deps);
  deps.live.addTo(app);
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
    /** Its answer, whose end ends what was kept for the request. */
    response: ServerResponse;
  }
}

// SV2.
function admitCallers(app: FastifyInstance, callers: Callers): void {
  app.decorateRequest('response');
  app.addHook('onRequest', (request, reply, done) => {
    request.response = reply.raw;
    endOffer(request, reply);
    reply.headers(ANSWER_HEADERS);
    const refusal =
      request.routeOptions.url === '/healthz' ? undefined : refusalOfCaller(request.raw.rawHeaders, callers);
    if (refusal === undefined) done();
    else done(new UnreadBody(...refusal));
  });
}

function readBodies(app: FastifyInstance, { metrics, bodies: reader = new BodyReader() }: HttpDeps): void {
  metrics.gauge('http_body_bytes', () => reader.held);
  const watching = setInterval(() => reader.watch(), WATCH_MS);
  watching.unref();
  app.addHook('onClose', async () => clearInterval(watching));
  app.removeAllContentTypeParsers();
  app.decorateRequest('sent', undefined);
  const parse = (request: FastifyRequest, payload: IncomingMessage, done: Done) => {
    try {
      const type = formOfBody(request);
      reader.read(payload, request.response, request.routeOptions.bodyLimit, (error, bytes) => {
        if (error !== null) return done(error);
        try {
          request.sent = { value: readBody(bytes, type), bytes, type };
        } catch (unreadable) {
          return done(unreadable as Error);
        }
        done(null, request.sent.value);
      });
    } catch (refusal) {
      done(refusal as Error);
    }
  };
  // The framework finds a name faster than it parses a type that it does not know.
  for (const type of [JSON_TYPE, MSGPACK_TYPE, '*']) app.addContentTypeParser(type, parse);
}

type Done = (error: Error | null, value?: unknown) => void;

/** CA2 of src/api/callers.ts: a page of another origin can send a body without a type, or with one of a form, and not be asked first. */
function formOfBody({ headers }: FastifyRequest): BodyType {
  const { 'content-type': type, 'content-encoding': encoding } = headers;
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    throw new UnreadBody(
      'unsupported-media-type',
      `Content-Encoding ${encoding.slice(0, 100)} is not supported; send the body as it is`,
    );
  const form = type === undefined ? undefined : formOf(type);
  if (form !== undefined) return form;
  const sent = type === undefined ? 'the body has no Content-Type' : `Content-Type is ${type.slice(0, 200)}`;
  throw new UnreadBody('unsupported-media-type', `${sent}; send application/json or application/msgpack`);
}
