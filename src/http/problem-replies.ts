/**
 * Answers failed requests over HTTP. A failure anywhere in the framework becomes an application/problem+json with the status of its kind.
 * A 503 also says when to retry.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LIMITS } from '../../config/limits.ts';
import type { ProblemBody } from '../../streams/contract/stock.ts';
import { ANSWER_HEADERS } from '../api/callers.ts';
import { FrontProblem, PROBLEM_TYPE, PROBLEMS, type ProblemKind, problem, problemOf } from '../error-status.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { LimitedLog, logProblem } from '../process/limited-log.ts';
import type { Log } from '../process/log.ts';
import { UnreadBody } from './body-reader.ts';
import { discard } from './discard.ts';
import { methodsOf } from './methods.ts';
import type { Operation } from './operation.ts';

/** A caller should retry an undecided request soon. */
const RETRY_AFTER_SECONDS = '1';

export function sendProblem(reply: FastifyReply, body: ProblemBody): FastifyReply {
  reply.code(body.status).type(PROBLEM_TYPE);
  if (body.status === 503) reply.header('Retry-After', RETRY_AFTER_SECONDS);
  return reply.serializer(String).send(JSON.stringify(body));
}

/** Sets the handlers of errors and of unknown routes. They count every problem. */
export function answerProblems(
  app: FastifyInstance,
  { log, metrics }: { readonly log: Log; readonly metrics: Metrics },
  operations: readonly Operation[],
): void {
  const methods = methodsOf(operations);
  const limited = new LimitedLog(log);
  const answer = (reply: FastifyReply, body: ProblemBody) => {
    metrics.countBy('problems_total', body.type as ProblemKind);
    return sendProblem(reply, body);
  };
  app.setErrorHandler(async (error, request, reply) => {
    const body = problemOf(translated(error));
    // The rest of a refused body is discarded. For a 503 the server does it after the answer, so that the answer does not wait.
    if (error instanceof UnreadBody && body.status === 503) reply.removeHeader('Connection');
    else if (error instanceof UnreadBody && !(await discard(request.raw))) reply.header('Connection', 'close');
    const fields = { method: request.method, route: request.routeOptions.url, request: request.id };
    logProblem(log, limited, error, body, 'an HTTP request', fields);
    return answer(reply, body);
  });
  app.setNotFoundHandler((request, reply) => {
    const allowed = methods(pathOf(request)).join(', ');
    if (allowed !== '') {
      reply.header('Allow', allowed);
      answer(reply, problem('method-not-allowed', `${pathOf(request)} takes ${allowed}, not ${request.method}`));
      return;
    }
    answer(
      reply,
      problem('not-found', `there is no ${request.method} ${pathOf(request)}; /openapi.json lists what there is`),
    );
  });
}

/** Answers errors that occur before the framework has found a route, such as a path that cannot be decoded. */
export function frameworkProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  endOffer(request, reply);
  sendProblem(reply.headers(ANSWER_HEADERS), problemOf(translated(error)));
}

/** Node.js reads no further request after one that offered an upgrade. If it was not upgraded, the connection must end with the answer. */
export function endOffer({ raw }: FastifyRequest, { raw: response }: FastifyReply): void {
  const { upgrade, socket }: IncomingMessage & { readonly upgrade?: boolean } = raw;
  if (upgrade !== true) return;
  response.shouldKeepAlive = false;
  response.once('finish', () => socket.destroySoon());
}

/** Answers bytes that are not HTTP, and requests that do not arrive in time. */
export function clientProblem(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const kind = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'too-slow' : 'bad-request';
  const { status, title } = PROBLEMS[kind];
  const body = JSON.stringify(problem(kind, clientDetail(error.code)));
  const headers = {
    'Content-Type': PROBLEM_TYPE,
    'Content-Length': Buffer.byteLength(body),
    ...ANSWER_HEADERS,
    Connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${title}\r\n${lines.join('')}\r\n${body}`);
}

function clientDetail(code: string | undefined): string {
  if (code === 'HPE_HEADER_OVERFLOW') return 'the request line and headers are longer than 16 KiB';
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return `the request did not come within ${LIMITS.requestReadMs / 1000} s`;
  return 'this is not a well-formed HTTP/1.1 request';
}

/** Turns the framework's client errors into problems. Any other error is returned unchanged. */
function translated(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if ('code' in error && error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new FrontProblem('unsupported-media-type', 'the Content-Type is not well-formed');
  const status = 'statusCode' in error ? error.statusCode : undefined;
  if (typeof status === 'number' && status >= 400 && status < 500)
    return new FrontProblem('bad-request', error.message);
  return error;
}

function pathOf(request: FastifyRequest): string {
  const query = request.url.indexOf('?');
  return (query < 0 ? request.url : request.url.slice(0, query)).slice(0, 200);
}
