/** The AsyncAPI document, checked by the parser of the AsyncAPI project and against the subjects that the program uses. */
import { Parser } from '@asyncapi/parser';
import { expect, it } from 'vitest';
import { parseTopic } from '../../../dashboards/feed/topic-name.ts';
import { requestEndpoints } from '../../../src/nats/service.ts';
import { EVENT_KINDS } from '../../../streams/contract/events.ts';
import { FACT_TYPES } from '../../../streams/subjects.ts';
import { front, logInto } from './front.ts';

it('is valid, and has every subject and topic', async () => {
  const { app, metrics } = front();
  const { payload, statusCode } = await app.inject({ method: 'GET', url: '/asyncapi.json' });
  await app.close();
  expect(statusCode).toBe(200);
  const { document, diagnostics } = await new Parser().parse(payload);
  expect(diagnostics.filter(({ severity }) => severity <= 1).map(({ message, path }) => [message, path])).toEqual([]);
  const addresses =
    document
      ?.channels()
      .all()
      .map((channel) => channel.address()) ?? [];
  const endpoints = requestEndpoints({} as never, metrics, logInto([])).map(({ group, name }) => `${group}.${name}`);
  const wanted = [
    ...FACT_TYPES.map((type) => `${type}.{location}.{sku}`),
    ...endpoints,
    'anomaly.{kind}',
    ...EVENT_KINDS.map((kind) => `event.${kind}`),
    '/v1/live',
  ];
  expect(new Set(addresses.filter((address) => address !== null))).toEqual(new Set(wanted));
  // Each topic of the document is one that the live feed takes.
  const topics =
    document
      ?.channels()
      .get('live')
      ?.messages()
      .all()
      .map((message) => message.id()) ?? [];
  expect(topics.filter((kind) => parseTopic(kind) === undefined && parseTopic(`${kind}:x`) === undefined)).toEqual([]);
  expect(topics).toHaveLength(6);
  const event = document?.channels().get('event_promise_changed')?.messages().all()[0]?.payload()?.json();
  expect(event).toMatchObject({ properties: { type: { const: 'holdfast.promise.changed.v1' } } });
});
