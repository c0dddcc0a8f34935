/**
 * Generates the AsyncAPI 3.0 document from the schemas that check facts and requests, and from those of anomalies, events and topics of
 * the live feed. A test holds it against the subjects and the topics that the program uses.
 */
import { z } from 'zod';
import { JSON_TYPE } from '../../streams/codec.ts';
import { anomalyAnswer } from '../../streams/contract/anomaly.ts';
import { ANOMALY_KINDS } from '../../streams/contract/anomaly-kinds.ts';
import { EVENT_KINDS, EVENTS, envelope, eventSubject } from '../../streams/contract/events.ts';
import {
  amendRequest,
  atpAnswer,
  atpLineAnswer,
  atpRequest,
  factsAnswer,
  problemBody,
  releaseRequest,
  reservationAnswer,
  reservationRequest,
  reservationStep,
  skuStockAnswer,
  stockAnswer,
  stockRequest,
} from '../../streams/contract/stock.ts';
import { kpiAnswer, locationsAnswer, systemAnswer } from '../../streams/contract/system.ts';
import { factSchema } from '../../streams/fact/schemas.ts';
import { FACT_TYPES } from '../../streams/subjects.ts';

/** Requests of the NATS service, with the body and the answer of each. */
const REQUESTS: Readonly<Record<string, { body: z.ZodType; answer: z.ZodType; summary: string }>> = {
  'fact.submit': {
    body: z.union([factSchema, z.array(factSchema)]),
    answer: factsAnswer,
    summary: 'Store facts, and say whether they count',
  },
  'atp.query': { body: atpRequest, answer: atpAnswer, summary: 'What may be promised' },
  'reservation.place': { body: reservationRequest, answer: reservationAnswer, summary: 'Hold stock' },
  'reservation.amend': { body: amendRequest, answer: reservationAnswer, summary: 'Make a reservation match a request' },
  'reservation.confirm': { body: reservationStep, answer: reservationAnswer, summary: 'Allocate what is held' },
  'reservation.release': { body: releaseRequest, answer: reservationAnswer, summary: 'Give stock back' },
  'stock.get': {
    body: stockRequest,
    answer: z.union([stockAnswer, skuStockAnswer]),
    summary: 'What is there, held and on its way',
  },
};

const location = z.looseObject({
  ...locationsAnswer.shape.locations.element.omit({ factsPerMinute: true }).shape,
  windows: kpiAnswer.shape.windows,
  ageing: kpiAnswer.shape.ageing,
});
/** Data of each topic of the live feed, by the pattern of its name. */
const TOPICS: Readonly<Record<string, { topic: string; data: z.ZodType }>> = {
  kpi: { topic: '^kpi$', data: kpiAnswer },
  anomaly: { topic: '^anomaly$', data: anomalyAnswer },
  system: { topic: '^system$', data: systemAnswer },
  atp: { topic: '^atp:.+$', data: atpLineAnswer },
  stock: { topic: '^stock:.+$', data: skuStockAnswer },
  location: { topic: '^location:.+$', data: location },
};

type Json = Record<string, unknown>;

let text: string | undefined;

/** The document as JSON text, generated once. */
export function asyncApiText(): string {
  text ??= JSON.stringify(asyncApiDocument());
  return text;
}

/** Channels and operations of the document, and the schemas that they refer to. */
class Described {
  readonly channels: Json = {};
  readonly operations: Json = {};
  readonly #schemas: Json = {};

  get document(): Json {
    return {
      channels: this.channels,
      operations: this.operations,
      components: { schemas: this.#schemas },
    };
  }

  /** Adds a channel with one operation. `receive` is what Holdfast takes, `send` what it publishes. */
  channel(
    name: string,
    action: 'receive' | 'send',
    channel: Json & { readonly server: string },
    messages: Readonly<Record<string, Json>>,
    more: Json = {},
  ): void {
    const { server, ...rest } = channel;
    this.channels[name] = { ...rest, servers: [{ $ref: `#/servers/${server}` }], messages };
    this.operations[name] = {
      action,
      channel: { $ref: `#/channels/${name}` },
      messages: refsOf(name, messages),
      ...more,
    };
  }

  /** The answers of a request, which go to the reply subject that the caller names. */
  reply(name: string, messages: Readonly<Record<string, Json>>): Json {
    this.channels[name] = { address: null, messages };
    return { channel: { $ref: `#/channels/${name}` }, messages: refsOf(name, messages) };
  }

  /** A JSON Schema whose definitions are schemas of the document. */
  schema(schema: z.ZodType, io: 'input' | 'output'): Json {
    const {
      definitions = {},
      $schema: _,
      ...whole
    } = z.toJSONSchema(schema, {
      target: 'draft-7',
      io,
      unrepresentable: 'any',
      override: ({ zodSchema, jsonSchema }) => {
        // Money is a number or a decimal string, which is a custom type in zod.
        if (zodSchema._zod.def.type === 'custom') jsonSchema.type = ['number', 'string'];
        if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      },
    }) as Json & { definitions?: Json };
    // A schema with an id may look different as a request and as an answer.
    const prefix = io === 'input' ? 'Sent' : '';
    for (const [id, definition] of Object.entries(definitions))
      this.#schemas[`${prefix}${id}`] = moved(definition, prefix);
    return moved(whole, prefix) as Json;
  }

  message(schema: z.ZodType, io: 'input' | 'output', title: string, more: Json = {}): Json {
    return { title, contentType: JSON_TYPE, payload: this.schema(schema, io), ...more };
  }
}

function refsOf(channel: string, messages: Readonly<Record<string, Json>>): Json[] {
  return Object.keys(messages).map((message) => ({ $ref: `#/channels/${channel}/messages/${message}` }));
}

function moved(part: unknown, prefix: string): unknown {
  if (Array.isArray(part)) return part.map((each) => moved(each, prefix));
  if (typeof part !== 'object' || part === null) return part;
  return Object.fromEntries(
    Object.entries(part)
      // The id names the definition, and nothing resolves it.
      .filter(([name, each]) => name !== '$schema' && !(name === 'id' && typeof each === 'string'))
      .map(([name, each]) => [
        name,
        name === '$ref'
          ? String(each).replace('#/definitions/', `#/components/schemas/${prefix}`)
          : moved(each, prefix),
      ]),
  );
}

function asyncApiDocument(): Json {
  const described = new Described();
  const named = {
    location: { description: 'the location, percent-encoded' },
    sku: { description: 'the SKU, percent-encoded' },
  };
  for (const type of FACT_TYPES) {
    const schema = factSchema.options.find(({ shape }) => shape.type.value === type);
    if (schema === undefined) continue;
    const headers = {
      type: 'object',
      properties: { 'Nats-Msg-Id': { type: 'string', description: 'the id of the fact' } },
    };
    described.channel(
      `fact_${type}`,
      'receive',
      { server: 'nats', address: `${type}.{location}.{sku}`, parameters: named },
      { fact: described.message(schema, 'input', `A ${type} that has happened`, { headers }) },
      { summary: `Publish a ${type}` },
    );
  }
  for (const [subject, { body, answer, summary }] of Object.entries(REQUESTS)) {
    const name = subject.replace('.', '_');
    const problem = { 'Nats-Service-Error-Code': { type: 'string', description: 'the HTTP status' } };
    const reply = described.reply(`${name}_reply`, {
      answer: described.message(answer, 'output', 'The answer'),
      problem: described.message(problemBody, 'output', 'Why it was not done', {
        headers: { type: 'object', properties: problem },
      }),
    });
    const message = { request: described.message(body, 'input', summary) };
    described.channel(name, 'receive', { server: 'nats', address: subject }, message, { summary, reply });
  }
  described.channel(
    'anomaly',
    'send',
    { server: 'nats', address: 'anomaly.{kind}', parameters: { kind: { enum: [...ANOMALY_KINDS] } } },
    { anomaly: described.message(anomalyAnswer, 'output', 'An anomaly as it is now') },
    { summary: 'Changes of anomalies, without storage; EVENTS has them too' },
  );
  for (const kind of EVENT_KINDS)
    described.channel(
      `event_${kind.replace('.', '_')}`,
      'send',
      { server: 'nats', address: eventSubject(kind) },
      { event: described.message(envelope(kind), 'output', EVENTS[kind].summary) },
      { summary: EVENTS[kind].summary },
    );
  const topics = Object.entries(TOPICS).map(([name, { topic, data }]) => {
    const schema = z.object({ topic: z.string().regex(new RegExp(topic)), at: z.string(), data });
    return [name, described.message(schema, 'output', `Topic ${name}`)] as const;
  });
  described.channel(
    'live',
    'send',
    { server: 'live', address: '/v1/live', bindings: { ws: { query: topicsQuery() } } },
    Object.fromEntries(topics),
    { summary: 'The topics that a reader has asked for, the current value first, then changes' },
  );
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Holdfast',
      version: '1',
      description:
        'Facts, requests and events over NATS, and the live feed over WebSocket. Bodies over NATS are JSON or MessagePack. Events are CloudEvents 1.0 in JSON.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: JSON_TYPE,
    servers: {
      nats: { host: '127.0.0.1:4222', protocol: 'nats' },
      live: { host: '127.0.0.1:8080', protocol: 'ws' },
    },
    ...described.document,
  };
}

function topicsQuery(): Json {
  return {
    type: 'object',
    properties: { topics: { type: 'string', description: 'topics, with commas, such as kpi,atp:85123A' } },
  };
}
