/**
 * Operations: what the HTTP front offers, as data. A route is registered from its operation and the OpenAPI document is
 * generated from it, so that neither knows of one that the other does not.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { z } from 'zod';
import { encodeBody, MSGPACK_TYPE } from '../../streams/codec.ts';
import { headerOf } from '../api/callers.ts';
import type { ProblemKind } from '../problems.ts';

/** One that takes a body says how large it may be. */
export type Operation = Described &
  ({ readonly method: 'GET' | 'DELETE' } | { readonly method: 'POST'; readonly bodyBytes: number });

interface Described {
  readonly id: string;
  /** As OpenAPI writes it: `/v1/stock/{sku}`. */
  readonly path: string;
  readonly tag: 'facts' | 'atp' | 'stock' | 'reservations' | 'anomalies' | 'live' | 'operations';
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
  /** What bounds the lists in its answer, where no parameter `limit` does. */
  readonly bound?: string;
  /** Kinds of problems that this operation may answer, beside those that every request with its kind of input may meet. */
  readonly problems: readonly ProblemKind[];
}

interface Answer {
  readonly description: string;
  /** Absent: plain text of the content type. */
  readonly schema?: z.ZodType;
  readonly example?: unknown;
  /** application/json unless said otherwise. */
  readonly contentType?: string;
}

/** Bytes of a body that nobody asked for. */
const UNREAD_BODY_BYTES = 16 * 1024;

export type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/**
 * Registers the operation's route, with serializers made from its answers' schemas. What the handler returns goes to them,
 * or is packed if the caller prefers MessagePack.
 * @param more of the framework's options for its route
 */
export function addRoute(
  app: FastifyInstance,
  operation: Operation,
  handler: Handler,
  more: Partial<RouteOptions> = {},
): void {
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
      const answer = handler(request, reply);
      return prefersMsgpack(request.raw.rawHeaders) ? packed(reply, answer) : answer;
    },
  });
}

async function packed(reply: FastifyReply, answer: Promise<unknown>): Promise<unknown> {
  const body = await answer;
  if (typeof body !== 'object' || body === null || reply.sent || Buffer.isBuffer(body)) return body;
  reply.type(MSGPACK_TYPE);
  return encodeBody(body, MSGPACK_TYPE);
}

/** Whether the caller would rather have MessagePack than JSON. */
export function prefersMsgpack(rawHeaders: readonly string[]): boolean {
  const accept = headerOf(rawHeaders, 'accept')?.toLowerCase();
  if (accept === undefined) return false;
  const msgpack = accept.indexOf('msgpack');
  if (msgpack < 0) return false;
  const json = accept.indexOf('application/json');
  return json < 0 || msgpack < json;
}

/** Draft 7 for fast-json-stringify, with every definition in its place. */
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
