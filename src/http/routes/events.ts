/** Route of the outgoing events. */
import type { FastifyInstance } from 'fastify';
import { eventsAnswer, eventsQuery } from '../../../streams/contract/events.ts';
import type { EventsAnswers } from '../../api/events-answers.ts';
import { addRoute, type Operation } from '../operation.ts';

const listEvents: Operation = {
  id: 'listEvents',
  method: 'GET',
  path: '/v1/events',
  tag: 'events',
  summary: 'Events, the oldest first',
  description:
    'Each is a CloudEvent with its sequence in the stream EVENTS. Ask again with `after`=`next` to follow, and with `wait` to wait for the first event.',
  query: eventsQuery,
  answers: {
    200: {
      description: 'The events',
      schema: eventsAnswer,
      example: {
        events: [
          {
            specversion: '1.0',
            id: 'till-7-4711',
            source: 'urn:holdfast:facts',
            type: 'holdfast.transfer.shipped.v1',
            subject: '85123A/dc-1',
            time: '2026-11-24T09:15:00.000Z',
            datacontenttype: 'application/json',
            data: {
              sku: '85123A',
              location: 'dc-1',
              occurredAt: '2026-11-24T09:15:00.000Z',
              device: null,
              transfer: 'T-9',
              qty: 6,
              from: 'dc-1',
              to: 'store-12',
              eta: '2026-11-26T23:59:59.999Z',
            },
            sequence: '42',
          },
        ],
        next: '42',
      },
    },
  },
  problems: ['invalid-request', 'busy', 'undecided'],
};

export const EVENT_OPERATIONS = [listEvents];

export function addEventRoutes(app: FastifyInstance, events: EventsAnswers): void {
  addRoute(app, listEvents, (request) => events.page(request.query));
}
