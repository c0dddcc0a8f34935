/**
 * Operations describe the HTTP front as data. Routes are registered from operations, and the OpenAPI document is generated from them, so
 * the two cannot diverge.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { z } from 'zod';
import { wrongField } from '../../actors/ports/refusal.ts';
import { encodeBody, MSGPACK_TYPE } from '../../streams/codec.ts';
import { headerOf } from '../api/callers.ts';
import { refuseUnknown, valid } from '../api/checks.ts';
import type { ProblemKind } from '../error-status.ts';

/** An operation that takes a body states how large the body may be. */
export type Operation = Described &
  ({ readonly method: 'GET' | 'DELETE' } | { readonly method: 'POST' | 'PUT'; readonly bodyBytes: number });

interface Described {
  readonly id: string;
  /** The path in OpenAPI syntax: `/v1/stock/{sku}`. */
  readonly path: string;
  readonly tag:
    | 'facts'
    | 'atp'
    | 'stock'
    | 'items'
    | 'reservations'
    | 'policies'
    | 'anomalies'
    | 'events'
    | 'live'
    | 'operations';
  readonly summary: string;
  readonly description?: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: {
    readonly schema: z.ZodType;
    readonly examples: Readonly<Record<string, unknown>>;
    readonly required?: false;
  };
  readonly answers: Readonly<Record<number, Answer>>;
  /** A sentence that states how the lists in the answer are bounded, unless a parameter `limit` bounds them. */
  readonly bound?: string;
  /** Kinds of problems that this operation may return, besides those common to all requests with its kind of input. */
  readonly problems: readonly ProblemKind[];
}

interface Answer {
  readonly description: string;
  /** If absent, the answer is text of the content type. */
  readonly schema?: z.ZodType;
  readonly example?: unknown;
  /** Default: application/json. */
  readonly contentType?: string;
}

/** Limit for the body of a request whose operation takes none, in bytes. */
const UNREAD_BODY_BYTES = 16 * 1024;

/** The query, or the body, of an operation that describes none. */
const NOTHING = z.object({}, { error: 'must be an object' });

export type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/**
 * Registers the operation's route with serializers generated from the schemas of its answers. They encode the handler's result as JSON,
 * unless the caller prefers MessagePack.
 * @param more further options of the framework for the route
 */
export function addRoute(
  app: FastifyInstance,
  operation: Operation,
  handler: Handler,
  more: Partial<RouteOptions> = {},
): void {
  const { query, body } = operation;
  const response: Record<string, unknown> = {};
  for (const [status, { schema, contentType }] of Object.entries(operation.answers)) {
    if (schema !== undefined && contentType === undefined) response[status] = serialized(schema);
  }
  app.route({
    ...more,
    method: operation.method,
    url: operation.path.replace(/\{(\w+)\}/g, ':$1'),
    bodyLimit: 'bodyBytes' in operation ? operation.bodyBytes : UNREAD_BODY_BYTES,
    schema: { response },
    handler: (request, reply) => {
      mustDecode(request.raw.url ?? '');
      // The handlers check the queries and bodies that their operations describe.
      if (query === undefined) refuseUnknown(NOTHING, request.query);
      if (body === undefined && (request.body ?? undefined) !== undefined) valid(NOTHING, request.body);
      const answer = handler(request, reply);
      return prefersMsgpack(request.raw.rawHeaders) ? packed(reply, answer) : answer;
    },
  });
}

/** Refuses a query that is not UTF-8. Its wrong bytes would become U+FFFD, which could make one name of two. */
function mustDecode(url: string): void {
  const query = url.indexOf('?');
  if (query < 0 || !url.includes('%', query)) return;
  try {
    decodeURIComponent(url.slice(query + 1));
  } catch {
    throw wrongField('query', 'must be percent-encoded UTF-8');
  }
}

async function packed(reply: FastifyReply, answer: Promise<unknown>): Promise<unknown> {
  const body = await answer;
  if (typeof body !== 'object' || body === null || reply.sent || Buffer.isBuffer(body)) return body;
  reply.type(MSGPACK_TYPE);
  return encodeBody(body, MSGPACK_TYPE);
}

/** True if the caller accepts MessagePack, and does not name JSON before it. */
export function prefersMsgpack(rawHeaders: readonly string[]): boolean {
  const accept = headerOf(rawHeaders, 'accept')?.toLowerCase();
  if (accept === undefined) return false;
  const msgpack = accept.indexOf('msgpack');
  if (msgpack < 0) return false;
  const json = accept.indexOf('application/json');
  return json < 0 || msgpack < json;
}

/** JSON Schema draft 7 for fast-json-stringify, with every definition inlined. */
function serialized(schema: z.ZodType): unknown {
  const { definitions = {}, ...whole } = z.toJSONSchema(schema, { target: 'draft-7', io: 'output' });
  return inlined(whole, definitions as Readonly<Record<string, unknown>>);
}

function inlined(part: unknown, definitions: Readonly<Record<string, unknown>>): unknown {
  if (Array.isArray(part)) return part.map((each) => inlined(each, definitions));
  if (typeof part !== 'object' || part === null) return part;
  const reference = (part as { $ref?: unknown }).$ref;
  if (typeof reference === 'string') return inlined(definitions[reference.slice('#/definitions/'.length)], definitions);
  return Object.fromEntries(
    Object.entries(part)
      .filter(([name]) => name !== '$schema')
      .map(([name, each]) => [name, inlined(each, definitions)]),
  );
}
