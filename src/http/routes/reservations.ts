/** Routes that place, confirm, release and read reservations. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { LIMITS } from '../../../config/limits.ts';
import {
  amendBody,
  MAX_LINES,
  partialRelease,
  type ReservationAnswer,
  reservationAnswer,
  reservationRequest,
  reservationStep,
  reservationsAnswer,
  reservationsQuery,
} from '../../../streams/contract/stock.ts';
import type { Answers } from '../../api/stock-api.ts';
import { addRoute, type Operation } from '../operation.ts';

const HELD = {
  id: 'cart-77',
  status: 'held',
  expiresAt: '2026-11-24T09:30:00.123Z',
  lines: [
    { sku: '85123A', qty: 2, fulfilled: 0, location: 'store-12', version: '3.18244' },
    { sku: '71053', qty: 1, fulfilled: 0, location: 'dc-1', version: '5.920' },
  ],
  etag: '2.411.0',
};

const RESERVATION_BOUND = `A reservation has at most ${MAX_LINES} lines, which name at most ${LIMITS.reservationLocations} locations together.`;

const placeReservation: Operation = {
  id: 'placeReservation',
  method: 'POST',
  bodyBytes: LIMITS.reservationBodyBytes,
  path: '/v1/reservations',
  tag: 'reservations',
  summary: 'Hold units',
  description:
    'All lines or none, unless `partial`; a line is taken whole from one location, unless it says `split`. With `confirm` the units are allocated at once and do not expire. The same id again gets the reservation as it is now, so that a caller who heard nothing asks again. An id that has ended is a 409.',
  body: {
    schema: reservationRequest,
    examples: {
      basket: {
        id: 'cart-77',
        channel: 'web',
        purpose: 'order',
        ttlSeconds: 900,
        partial: false,
        lines: [
          { sku: '85123A', qty: 2, locations: ['store-12', 'dc-1'] },
          { sku: '71053', qty: 1 },
        ],
      },
    },
  },
  bound: RESERVATION_BOUND,
  answers: {
    201: {
      description: 'Held, and durable. With `partial` what there is, and `shortages` for the rest',
      schema: reservationAnswer,
      example: HELD,
    },
    200: {
      description: 'The id was granted before: the reservation as it is',
      schema: reservationAnswer,
      example: HELD,
    },
  },
  problems: [
    'insufficient-stock',
    'id-conflict',
    'already-released',
    'already-expired',
    'invalid-request',
    'undecided',
  ],
};

const confirmReservation: Operation = {
  id: 'confirmReservation',
  method: 'POST',
  bodyBytes: LIMITS.smallBodyBytes,
  path: '/v1/reservations/{id}/confirm',
  tag: 'reservations',
  summary: 'Held becomes allocated and no longer expires',
  description: 'Repeating it is harmless. A body is not needed.',
  params: reservationStep,
  bound: RESERVATION_BOUND,
  answers: {
    200: {
      description: 'The reservation as it is',
      schema: reservationAnswer,
      example: { ...HELD, status: 'allocated', expiresAt: null },
    },
  },
  problems: ['not-found', 'already-released', 'already-expired', 'invalid-request', 'undecided'],
};

const releaseReservation: Operation = {
  id: 'releaseReservation',
  method: 'DELETE',
  path: '/v1/reservations/{id}',
  tag: 'reservations',
  summary: 'Give held or allocated units back',
  description:
    'Repeating it is harmless. An unknown id is remembered as released (`known` is false), so a placement that arrives later is refused.',
  params: reservationStep,
  bound: RESERVATION_BOUND,
  answers: {
    200: {
      description: 'The reservation as it is',
      schema: reservationAnswer,
      example: { ...HELD, status: 'released' },
    },
  },
  problems: ['invalid-request', 'undecided'],
};

const amendReservation: Operation = {
  id: 'amendReservation',
  method: 'PUT',
  bodyBytes: LIMITS.reservationBodyBytes,
  path: '/v1/reservations/{id}',
  tag: 'reservations',
  summary: 'Change a reservation',
  description:
    'Makes the reservation match the body, as a whole or not at all. Its own units count as free. It never changes the status. A line continues the line of its name, or else the next line of its SKU. What is fulfilled stays where it is. With the header `If-Match`, a reservation that has changed since is a 412.',
  params: reservationStep,
  body: {
    schema: amendBody,
    examples: { more: { channel: 'web', purpose: 'order', ttlSeconds: 900, lines: [{ sku: '85123A', qty: 3 }] } },
  },
  bound: RESERVATION_BOUND,
  answers: { 200: { description: 'The reservation as it is', schema: reservationAnswer, example: HELD } },
  problems: [
    'not-found',
    'already-released',
    'already-expired',
    'changed',
    'less-than-fulfilled',
    'insufficient-stock',
    'invalid-request',
    'undecided',
  ],
};

const releasePart: Operation = {
  id: 'releasePartOfReservation',
  method: 'POST',
  bodyBytes: LIMITS.reservationBodyBytes,
  path: '/v1/reservations/{id}/release',
  tag: 'reservations',
  summary: 'Give some of the units back',
  description:
    'The release has an id of its own. The same id again changes nothing. When the last open unit is released, the reservation is.',
  params: reservationStep,
  body: {
    schema: partialRelease,
    examples: { one: { id: 'cart-77-r1', lines: [{ sku: '85123A', qty: 1, location: 'store-12' }] } },
  },
  bound: RESERVATION_BOUND,
  answers: { 200: { description: 'The reservation as it is', schema: reservationAnswer, example: HELD } },
  problems: ['not-found', 'already-released', 'already-expired', 'more-than-open', 'invalid-request', 'undecided'],
};

const listReservations: Operation = {
  id: 'listReservations',
  method: 'GET',
  path: '/v1/reservations',
  tag: 'reservations',
  summary: 'The reservations of a SKU',
  description: 'Ordered by id. A page may hold fewer than `limit`; the list goes on as long as `next` is not null.',
  query: reservationsQuery,
  answers: {
    200: {
      description: 'A page of reservations, each as it is',
      schema: reservationsAnswer,
      example: { reservations: [HELD], next: null },
    },
  },
  problems: ['invalid-request', 'undecided'],
};

const readReservation: Operation = {
  id: 'readReservation',
  method: 'GET',
  path: '/v1/reservations/{id}',
  tag: 'reservations',
  summary: 'A reservation as it is',
  params: reservationStep,
  bound: RESERVATION_BOUND,
  answers: { 200: { description: 'The reservation', schema: reservationAnswer, example: HELD } },
  problems: ['not-found', 'invalid-request', 'undecided'],
};

export const RESERVATION_OPERATIONS = [
  placeReservation,
  confirmReservation,
  releaseReservation,
  amendReservation,
  releasePart,
  readReservation,
  listReservations,
];

export function addReservationRoutes(app: FastifyInstance, answers: Answers): void {
  /** Puts the version of the reservation into the header ETag. */
  const tagged = (reply: FastifyReply, reservation: ReservationAnswer) => {
    reply.header('etag', `"${reservation.etag}"`);
    return reservation;
  };
  addRoute(app, placeReservation, async (request, reply) => {
    const { fresh, reservation } = await answers.place(request.body);
    reply.code(fresh ? 201 : 200);
    return tagged(reply, reservation);
  });
  addRoute(app, confirmReservation, async (request, reply) => tagged(reply, await answers.confirm(request.params)));
  addRoute(app, releaseReservation, async (request, reply) => tagged(reply, await answers.release(request.params)));
  addRoute(app, amendReservation, async (request, reply) =>
    tagged(reply, await answers.amendAt(request.params, request.body, request.headers['if-match'])),
  );
  addRoute(app, releasePart, async (request, reply) =>
    tagged(reply, await answers.releasePart(request.params, request.body)),
  );
  addRoute(app, readReservation, async (request, reply) => tagged(reply, await answers.reservation(request.params)));
  addRoute(app, listReservations, (request) => answers.reservations(request.query));
}
