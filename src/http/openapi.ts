/**
 * Generates the OpenAPI 3.1 document from the operations and from the zod schemas that check their requests. Answers may gain fields, so
 * their objects are described as open.
 */
import { z } from 'zod';
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponseObject,
} from 'zod-openapi';
import { JSON_TYPE, MSGPACK_TYPE } from '../../streams/codec.ts';
import { problemBody } from '../../streams/contract/stock.ts';
import { PROBLEM_TYPE, PROBLEMS, type ProblemKind, problem } from '../error-status.ts';
import type { Operation } from './operation.ts';

const EXAMPLE_DETAILS: Partial<Record<ProblemKind, string>> = {
  'invalid-request': 'lines[0].qty must be a whole number from 1 to 1000000000',
  malformed: 'the body is not JSON: Unexpected end of JSON input',
  'too-large': 'the body is larger than 8 MiB',
  'not-found': 'nothing is known of SKU 85123A',
  'insufficient-stock': '85123A: 2 requested, 1 available',
  'id-conflict': 'the id cart-77 was used before with other content',
  'already-released': 'reservation cart-77 is released',
  'already-expired': 'reservation cart-77 has expired',
  'already-decided': 'the fact parked at 4 is dismissed by mia, so this changes nothing',
  'already-resolved': 'anomaly 7.negative_stock.9f3a11c402b7d5e8 is resolved: its cause is gone',
  undecided: 'partition 7 has no owner at the moment',
  changed: 'If-Match names another version; its version is "412" now: read it again',
  busy: '2 explanations are being made and 8 wait',
  'foreign-origin': 'pages of https://evil.example may not ask here; HOLDFAST_ORIGINS names those that may',
  'unknown-host': 'the node does not answer to the host evil.example; HOLDFAST_HOSTS names those that it answers to',
  'unsupported-media-type': 'Content-Type is text/plain; send application/json or application/msgpack',
  'internal-error': 'the request failed; the log of the node says why',
};

const texts = new WeakMap<readonly Operation[], string>();

/** The document as JSON text, generated once. */
export function openApiText(operations: readonly Operation[]): string {
  let text = texts.get(operations);
  if (text === undefined) {
    text = JSON.stringify(openApiDocument(operations));
    texts.set(operations, text);
  }
  return text;
}

function openApiDocument(operations: readonly Operation[]): object {
  const paths: ZodOpenApiPathsObject = {};
  for (const operation of operations) {
    const path = paths[operation.path] ?? {};
    path[operation.method.toLowerCase() as 'get' | 'post' | 'put' | 'delete'] = described(operation);
    paths[operation.path] = path;
  }
  return createDocument(
    {
      openapi: '3.1.1',
      info: {
        title: 'Holdfast',
        version: '1',
        description:
          'One stock for stores and web shop, and promises that hold. Bodies are JSON or MessagePack (Content-Type); answers are JSON, or MessagePack if Accept asks for it. ' +
          'Errors are RFC 9457 problems, always as JSON; their `type` is the bare kind.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      security: [],
      tags: [
        { name: 'facts', description: 'What has happened' },
        { name: 'atp', description: 'What may be promised' },
        { name: 'stock', description: 'What is there, and why' },
        { name: 'items', description: 'How SKUs are called' },
        { name: 'reservations', description: 'What is promised' },
        { name: 'policies', description: 'What may be promised to whom, and what the locations are' },
        { name: 'anomalies', description: 'What is not as it should be' },
        { name: 'events', description: 'What other systems are told' },
        { name: 'live', description: 'The whole system as it is now: what the live page shows' },
        { name: 'operations', description: 'Running a node' },
      ],
      paths,
    },
    {
      // Money is a number or a decimal string, which is a custom type in zod.
      allowEmptySchema: { custom: true },
      override: ({ zodSchema, jsonSchema, io }) => {
        if (zodSchema._zod.def.type === 'custom') jsonSchema.type = ['number', 'string'];
        if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
        // Requests are strict (src/api/checks.ts), and only facts keep what they do not define.
        if (io === 'input' && zodSchema instanceof z.ZodObject) jsonSchema.additionalProperties ??= false;
      },
    },
  );
}

function described(operation: Operation): ZodOpenApiOperationObject {
  const { id, tag, summary, bound, params, query, body } = operation;
  const description = [operation.description, bound].filter((each) => each !== undefined).join(' ');
  const responses: Record<string, ZodOpenApiResponseObject> = {};
  for (const [status, { description: what, schema, example, contentType = JSON_TYPE }] of Object.entries(
    operation.answers,
  )) {
    const media = { ...(schema === undefined ? {} : { schema }), ...(example === undefined ? {} : { example }) };
    const packed = schema !== undefined && contentType === JSON_TYPE && operation.tag !== 'operations';
    responses[status] = {
      description: what,
      content: { [contentType]: media, ...(packed ? { [MSGPACK_TYPE]: { schema } } : {}) },
    };
  }
  for (const [status, kinds] of problemsOf(operation)) {
    responses[status] ??= problemAnswer(kinds);
  }
  const requestParams = {
    ...(params === undefined ? {} : { path: params }),
    ...(query === undefined ? {} : { query }),
  };
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === '' ? {} : { description }),
    ...(bound === undefined ? {} : { 'x-bound': bound }),
    ...(params === undefined && query === undefined ? {} : { requestParams }),
    ...(!('bodyBytes' in operation) ? {} : { 'x-body-bytes': operation.bodyBytes }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: body.required ?? true,
            content: {
              [JSON_TYPE]: {
                schema: body.schema,
                examples: Object.fromEntries(Object.entries(body.examples).map(([name, value]) => [name, { value }])),
              },
              [MSGPACK_TYPE]: { schema: body.schema },
            },
          },
        }),
    responses,
  } as ZodOpenApiOperationObject;
}

/** Kinds of problems by status: those of the operation itself, and those common to all requests like it. */
function problemsOf(operation: Operation): Map<string, ProblemKind[]> {
  const kinds = new Set<ProblemKind>(operation.problems);
  const readsBody = 'bodyBytes' in operation;
  if (readsBody)
    for (const kind of ['malformed', 'too-large', 'unsupported-media-type', 'too-slow', 'busy'] as const)
      kinds.add(kind);
  if (operation.tag !== 'operations') for (const kind of ['bad-request', 'internal-error'] as const) kinds.add(kind);
  // The page ignores its query, because links to it may carry one.
  if (operation.path !== '/') kinds.add('invalid-request');
  if (operation.path !== '/healthz') for (const kind of ['foreign-origin', 'unknown-host'] as const) kinds.add(kind);
  const byStatus = new Map<string, ProblemKind[]>();
  for (const kind of kinds) {
    const status = String(PROBLEMS[kind].status);
    byStatus.set(status, [...(byStatus.get(status) ?? []), kind]);
  }
  return byStatus;
}

function problemAnswer(kinds: readonly ProblemKind[]): ZodOpenApiResponseObject {
  const examples = Object.fromEntries(kinds.map((kind) => [kind, { value: exampleOf(kind) }]));
  return {
    description: kinds.map((kind) => `${PROBLEMS[kind].title} (${kind})`).join('; or: '),
    ...(kinds.some((kind) => PROBLEMS[kind].status === 503)
      ? {
          headers: {
            'Retry-After': { description: 'seconds to wait before asking again', schema: { type: 'integer' } },
          },
        }
      : {}),
    content: { [PROBLEM_TYPE]: { schema: problemBody, examples } },
  };
}

function exampleOf(kind: ProblemKind): object {
  const body = problem(kind, EXAMPLE_DETAILS[kind] ?? PROBLEMS[kind].title);
  if (kind === 'invalid-request') {
    return { ...body, errors: [{ field: 'lines[0].qty', message: 'must be a whole number from 1 to 1000000000' }] };
  }
  if (kind === 'insufficient-stock') return { ...body, shortages: [{ sku: '85123A', requested: 2, available: 1 }] };
  return body;
}
