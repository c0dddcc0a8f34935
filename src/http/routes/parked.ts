/** Routes by which people work through parked facts. */
import type { FastifyInstance } from 'fastify';
import { LIMITS } from '../../../config/limits.ts';
import {
  parkedAnswer,
  parkedDismissal,
  parkedFact,
  parkedGroupsAnswer,
  parkedGroupsQuery,
  parkedParams,
  parkedQuery,
  parkedResubmission,
  parkedWorkAnswer,
  resubmitQuery,
  resubmittedAnswer,
} from '../../../streams/contract/parked.ts';
import { factSchema } from '../../../streams/fact/schemas.ts';
import type { ParkedAnswers } from '../../api/parked-answers.ts';
import { addRoute, type Operation } from '../operation.ts';
import { SALE } from './facts.ts';

const PARKED = {
  seq: 4,
  parkedAt: '2026-11-24T09:15:00.123Z',
  reason: 'too-old',
  message: 'occurredAt is older than the idempotency horizon',
  state: 'waiting',
  id: SALE.id,
  type: SALE.type,
  sku: SALE.sku,
  location: SALE.location,
  device: 'till-3',
  occurredAt: '2026-11-02T09:15:00Z',
  source: 'SALES.18244',
  contentType: 'application/json',
  bytes: 'eyJpZCI6InRpbGwtMzoxMDA0ODI6MSIs',
  length: 190,
  cut: true,
};

const listParked: Operation = {
  id: 'listParked',
  method: 'GET',
  path: '/v1/parked',
  tag: 'facts',
  summary: 'List parked facts, oldest first',
  description:
    'Each has its reason, its state and, where they can be read, the fields by which it is known. Copies of a fact with the same id and content share a state. ' +
    `At most ${LIMITS.parkedBytesShown / 1024} KiB of the bytes of each are shown; one that is \`cut\` can be asked for by itself. ` +
    `A page ends early, with \`next\`, at ${LIMITS.parkedListBytes / 1024 / 1024} MiB or ${LIMITS.parkedListMs / 1000} s, and may then be empty.`,
  query: parkedQuery,
  answers: {
    200: {
      description: 'Parked facts with their reason and their bytes',
      schema: parkedAnswer,
      example: {
        parked: [PARKED],
        next: null,
      },
    },
  },
  problems: ['invalid-request', 'undecided'],
};

const readParked: Operation = {
  id: 'getParked',
  method: 'GET',
  path: '/v1/parked/{seq}',
  tag: 'facts',
  summary: 'Read a parked fact with all its bytes',
  params: parkedParams,
  answers: { 200: { description: 'The parked fact', schema: parkedFact, example: PARKED } },
  problems: ['invalid-request', 'not-found', 'undecided'],
};

const resubmitOne: Operation = {
  id: 'resubmitOneParked',
  method: 'POST',
  bodyBytes: LIMITS.smallBodyBytes,
  path: '/v1/parked/{seq}/resubmit',
  tag: 'facts',
  summary: 'Submit a parked fact again, as it is or corrected',
  description:
    'Without a body it is published as it came, past the horizon too; with a body, that fact takes its place. A count that is older than the horizon is refused: ' +
    'it cannot be placed among the facts around it any more; send a newer count, or an adjustment. To send the same again is harmless; ' +
    'a fact that somebody has dismissed, or resubmitted otherwise, is a 409.',
  params: parkedParams,
  query: resubmitQuery,
  body: { schema: factSchema, examples: { corrected: SALE }, required: false },
  answers: {
    200: { description: 'It is published again', schema: resubmittedAnswer, example: { seq: 4, resubmitted: true } },
  },
  problems: ['invalid-request', 'not-found', 'already-decided', 'too-large', 'undecided'],
};

const readGroups: Operation = {
  id: 'groupParked',
  method: 'GET',
  path: '/v1/parked/groups',
  tag: 'facts',
  summary: 'Count parked facts by reason and device',
  description: 'The largest group comes first. Copies of a fact count as one.',
  query: parkedGroupsQuery,
  answers: {
    200: {
      description: 'Groups of parked facts',
      schema: parkedGroupsAnswer,
      example: {
        groups: [{ reason: 'too-old', device: 'till-3', facts: 412, since: '2026-11-24T09:15:00.123Z' }],
        facts: 412,
      },
    },
  },
  problems: ['invalid-request', 'undecided'],
};

const WORK = { by: 'mia', why: 'till-3 was offline for nine days' };
const WORKED =
  `One request works for at most ${LIMITS.parkedWorkMs / 1000} s; if facts are left, ask again with \`next\` as \`after\`. ` +
  'To repeat a request is harmless.';

const resubmitMany: Operation = {
  id: 'resubmitParked',
  method: 'POST',
  bodyBytes: LIMITS.smallBodyBytes,
  path: '/v1/parked/resubmit',
  tag: 'facts',
  summary: 'Submit parked facts again, as they came',
  description:
    'Those that `seqs` names, or that the filter fits, and that wait. Each fact is sent once, past the horizon too, and its id is remembered for the horizon from then on. ' +
    '`left` says why others cannot be sent as they came: they can be corrected one by one, or dismissed. ' +
    WORKED,
  body: {
    schema: parkedResubmission,
    examples: {
      group: { reason: 'too-old', device: 'till-3', ...WORK },
      some: { seqs: [4, 5], ...WORK },
    },
  },
  bound: 'One entry for each kind of reason.',
  answers: { 200: { description: 'How many facts were sent', schema: parkedWorkAnswer, example: { facts: 412 } } },
  problems: ['invalid-request', 'too-large', 'undecided'],
};

const dismissMany: Operation = {
  id: 'dismissParked',
  method: 'POST',
  bodyBytes: LIMITS.smallBodyBytes,
  path: '/v1/parked/dismiss',
  tag: 'facts',
  summary: 'Dismiss parked facts that shall not count',
  description: `Those that \`seqs\` names, or that the filter fits, and that wait. They stay in the list, with who dismissed them and why. ${WORKED}`,
  body: {
    schema: parkedDismissal,
    examples: { group: { reason: 'invalid', device: 'till-3', by: 'mia', why: 'a test of the vendor' } },
  },
  bound: 'One entry for each kind of reason.',
  answers: { 200: { description: 'How many facts were dismissed', schema: parkedWorkAnswer, example: { facts: 3 } } },
  problems: ['invalid-request', 'too-large', 'undecided'],
};

export const PARKED_OPERATIONS = [listParked, readGroups, readParked, resubmitOne, resubmitMany, dismissMany];

export function addParkedRoutes(app: FastifyInstance, answers: ParkedAnswers): void {
  addRoute(app, listParked, (request) => answers.list(request.query));
  addRoute(app, readGroups, (request) => answers.groups(request.query));
  addRoute(app, readParked, (request) => answers.get(request.params));
  addRoute(app, resubmitOne, (request) => answers.resubmitOne(request.params, request.query, request.sent));
  addRoute(app, resubmitMany, (request) => answers.resubmit(request.sent?.value));
  addRoute(app, dismissMany, (request) => answers.dismiss(request.sent?.value));
}
