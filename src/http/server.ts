/**
 * The HTTP front runs the routes of the contract on fastify. Bodies are JSON or MessagePack, and every failure is answered as a problem.
 *
 * Invariants:
 *  SV1 src/api/stock-api.ts checks the requests, for HTTP and NATS alike. The framework only carries them.
 *  SV2 A request that succeeds logs nothing and passes one hook, which checks the caller (src/api/callers.ts) before anything is read.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import type { AnomalyService } from '../../actors/anomaly/keeper.ts';
import type { PolicyService } from '../../actors/in-force/policy-desk.ts';
import type { ParkedFacts } from '../../actors/ports/parked.ts';
import type { FactIngress, ItemService, Readiness, StockService } from '../../actors/ports/ports.ts';
import { LIMITS } from '../../config/limits.ts';
import { type Certificates, tlsOptionsOf } from '../../config/servers/tls.ts';
import { JSON_TYPE, MSGPACK_TYPE } from '../../streams/codec.ts';
import type { BodyType, SentBody } from '../../streams/fact/sent-body.ts';
import { formOf, readBody } from '../api/bodies.ts';
import { ANSWER_HEADERS, type Callers, refusalOfCaller } from '../api/callers.ts';
import type { EventsAnswers } from '../api/events-answers.ts';
import { ItemAnswers } from '../api/item-api.ts';
import { ParkedAnswers } from '../api/parked-answers.ts';
import { PolicyAnswers } from '../api/policy-answers.ts';
import { Answers } from '../api/stock-api.ts';
import { SystemAnswers, type SystemView } from '../api/system-api.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Log } from '../process/log.ts';
import type { WebhookDesk } from '../webhooks/webhook-desk.ts';
import { BodyReader, UnreadBody } from './body-reader.ts';
import type { LiveFront } from './live-socket.ts';
import { answerProblems, clientProblem, endOffer, frameworkProblem } from './problem-replies.ts';
import { addAnomalyRoutes } from './routes/anomalies.ts';
import { addEventRoutes } from './routes/events.ts';
import { addFactRoutes } from './routes/facts.ts';
import { addOperationsRoutes, OPERATIONS } from './routes/health.ts';
import { addItemRoutes } from './routes/items.ts';
import { addParkedRoutes } from './routes/parked.ts';
import { addPolicyRoutes } from './routes/policies.ts';
import { addReservationRoutes } from './routes/reservations.ts';
import { addStockRoutes } from './routes/stock.ts';
import { addSupplyRoutes } from './routes/supply.ts';
import { addSystemRoutes } from './routes/system.ts';
import { addWebhookRoutes } from './routes/webhooks.ts';

/** Length of an id of 128 characters, if each has four UTF-8 bytes and all bytes are percent-encoded. */
const LONGEST_PARAMETER = 128 * 4 * 3;

/** Interval of the checks for slow bodies and slow requests. */
const WATCH_MS = 1_000;

export interface HttpDeps {
  readonly stock: StockService;
  readonly items: ItemService;
  readonly facts: FactIngress;
  readonly parked: ParkedFacts;
  readonly anomalies: AnomalyService;
  readonly policies: PolicyService;
  readonly events: EventsAnswers;
  readonly webhooks: WebhookDesk;
  readonly readiness: () => Readiness;
  readonly system: SystemView;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly callers: Callers;
  readonly live: LiveFront;
  readonly bodies?: BodyReader;
  /** The node's name. */
  readonly name: string;
  /** If set, the server speaks HTTPS. */
  readonly tls?: Certificates | undefined;
}

/** A browser that has connected over TLS once will not connect without TLS for a year. */
const STRICT_TRANSPORT = 'max-age=31536000';

/** Builds the server and its routes. The caller starts listening and closes it. */
export function buildHttp(deps: HttpDeps): FastifyInstance {
  const watched = { connectionsCheckingInterval: WATCH_MS };
  const app = fastify({
    logger: false,
    requestTimeout: LIMITS.requestReadMs,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: LONGEST_PARAMETER },
    frameworkErrors: frameworkProblem,
    clientErrorHandler: clientProblem,
    // HTTP/2 is off, because the live feed does not support it.
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
  // The routes below pass requests on unchecked; the answers check them (SV1).
  addFactRoutes(app, answers);
  addParkedRoutes(app, new ParkedAnswers(deps.parked));
  addStockRoutes(app, answers);
  addSupplyRoutes(app, answers);
  addItemRoutes(app, new ItemAnswers({ ...deps, find: (...query) => deps.system.reads.items(...query) }));
  addReservationRoutes(app, answers);
  addAnomalyRoutes(app, deps.anomalies);
  addPolicyRoutes(app, new PolicyAnswers(deps.policies, deps.system.figures));
  addEventRoutes(app, deps.events);
  addWebhookRoutes(app, deps.webhooks);
  addSystemRoutes(app, new SystemAnswers(deps.system, deps.policies.locations));
  addOperationsRoutes(app, deps);
  deps.live.addTo(app);
  return app;
}

/** How long a closing server waits for requests in flight. */
const CLOSE_MS = 3_000;

/** Answers the requests in flight, then closes every connection. */
export async function closeHttp(app: FastifyInstance): Promise<void> {
  const closing = app.close();
  // Otherwise a connection that becomes idle during the close would be kept alive for over a minute.
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
    /** The body as it was sent; undefined if the request has none. */
    sent: SentBody | undefined;
    /** The response. Its end releases the memory of the request's body. */
    response: ServerResponse;
  }
}

// The only hook that every request passes (SV2).
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
  // The framework looks up a known type faster than it parses an unknown one, so '*' alone would be slower.
  for (const type of [JSON_TYPE, MSGPACK_TYPE, '*']) app.addContentTypeParser(type, parse);
}

type Done = (error: Error | null, value?: unknown) => void;

/** Accepts JSON and MessagePack only. A foreign page can send other types, or none, without a preflight (CA2 of src/api/callers.ts). */
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
