/** Routes that place, confirm, release and read reservations. */
import type { FastifyInstance } from 'fastify';
import { LIMITS } from '../../../config/limits.ts';
import { MAX_LINES, reservationAnswer, reservationRequest, reservationStep } from '../../../streams/contract/stock.ts';
import type { Answers } from '../../api/stock-api.ts';
import { addRoute, type Operation } from '../operation.ts';

const HELD = {
  id: 'cart-77',
  status: 'held',
  expiresAt: '2026-11-24T09:30:00.123Z',
  lines: [
    { sku: '85123A', qty: 2, location: 'store-12', version: '3.18244' },
    { sku: '71053', qty: 1, location: 'dc-1', version: '5.920' },
  ],
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
    'All lines or none, unless `partial`; a line is taken whole from one location, unless it says `split`. The same id again gets the same answer, so that a caller who heard nothing asks again.',
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
    200: { description: 'The id was granted before: the same grant again', schema: reservationAnswer, example: HELD },
  },
  problems: ['insufficient-stock', 'id-conflict', 'invalid-request', 'undecided'],
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
  description: 'Repeating it is harmless.',
  params: reservationStep,
  bound: RESERVATION_BOUND,
  answers: {
    200: {
      description: 'The reservation as it is',
      schema: reservationAnswer,
      example: { ...HELD, status: 'released' },
    },
  },
  problems: ['not-found', 'invalid-request', 'undecided'],
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

export const RESERVATION_OPERATIONS = [placeReservation, confirmReservation, releaseReservation, readReservation];

export function addReservationRoutes(app: FastifyInstance, answers: Answers): void {
  addRoute(app, placeReservation, async (request, reply) => {
    const { fresh, reservation } = await answers.place(request.body);
    reply.code(fresh ? 201 : 200);
    return reservation;
  });
  addRoute(app, confirmReservation, (request) => answers.confirm(request.params));
  addRoute(app, releaseReservation, (request) => answers.release(request.params));
  addRoute(app, readReservation, (request) => answers.reservation(request.params));
}
