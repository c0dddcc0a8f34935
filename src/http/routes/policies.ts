/** Routes that read and set policies and describe locations. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LIMITS } from '../../../config/limits.ts';
import { locationAnswer, locationBody, locationHistory } from '../../../streams/contract/promise/location.ts';
import {
  authorQuery,
  effectiveAnswer,
  historyQuery,
  policyAnswer,
  policyBody,
  policyHistory,
  policyParams,
  removedAnswer,
} from '../../../streams/contract/promise/policy.ts';
import { locationParams } from '../../../streams/contract/system.ts';
import type { PolicyAnswers, Tagged } from '../../api/policy-answers.ts';
import { addRoute, type Operation } from '../operation.ts';

const FIELDS = {
  safetyStock: 2,
  protect: { pickup: 3 },
  cap: { marketplace: 10 },
  backorder: { web: 5 },
  priority: { pickup: 1, web: 2 },
  substitutes: ['85123B'],
  vendorManaged: false,
  channels: ['web', 'store', 'marketplace'],
  reorder: { min: 5, max: 20, pack: 6 },
};
const POLICY = { sku: '85123A', location: 'store-12', ...FIELDS };
const SAID = { by: 'maria', why: 'the shelf is counted late' };
const PLACE = {
  name: 'Leeds Briggate',
  kind: 'store',
  lat: 53.797,
  lon: -1.542,
  timezone: 'Europe/London',
  hours: { mon: [['09:00', '17:30']] },
  capacityPerHour: 20,
  handlingCost: 1.5,
  services: ['ship', 'pickup'],
  transitHours: { 'dc-1': 18 },
};
const LOCATION = { id: 'store-12', ...PLACE };
const EVERYWHERE =
  'The answer comes when it is in force on every node, within a second. For a node that does not answer, it waits until the lease of that node has ended. ' +
  'With the header `If-Match`, what has changed since is a 412. `by` and `why` are kept in the history.';
const HISTORY_BOUND = `The history has the last ${LIMITS.policyHistory} changes.`;
const FIELD_BOUND = `A policy names at most ${LIMITS.policyGroups} channels and purposes in a field, and ${LIMITS.policySubstitutes} substitutes.`;
const LOCATION_BOUND = `A location has at most ${LIMITS.openingPeriods} opening periods a day and ${LIMITS.transitLanes} lanes.`;
const removal = (etag: string) => ({
  200: { description: 'It is removed', schema: removedAnswer, example: { removed: true, etag } },
});

const readPolicy: Operation = {
  id: 'readPolicy',
  method: 'GET',
  path: '/v1/policies/{sku}/{location}',
  tag: 'policies',
  summary: 'The policy of a level, or with `history=1` who changed it and when',
  description: '`*` stands for every SKU or every location. The header `ETag` has the version.',
  params: policyParams,
  query: historyQuery,
  bound: `${FIELD_BOUND} ${HISTORY_BOUND}`,
  answers: {
    200: {
      description: 'The policy as it was set, or its changes, the newest first',
      schema: policyAnswer.partial().extend(policyHistory.partial().shape),
      example: POLICY,
    },
  },
  problems: ['not-found', 'invalid-request', 'undecided'],
};

const setPolicy: Operation = {
  id: 'setPolicy',
  method: 'PUT',
  bodyBytes: LIMITS.policyBodyBytes,
  path: '/v1/policies/{sku}/{location}',
  tag: 'policies',
  summary: 'Set the policy of a level',
  description:
    'It replaces what was set at this level. Each field that is in force for a SKU at a location comes from the most specific of (SKU, location), (SKU, `*`), (`*`, location) and (`*`, `*`). ' +
    EVERYWHERE,
  params: policyParams,
  body: { schema: policyBody, examples: { policy: { ...FIELDS, ...SAID } } },
  bound: FIELD_BOUND,
  answers: { 200: { description: 'The policy as it is', schema: policyAnswer, example: POLICY } },
  problems: ['changed', 'invalid-request', 'undecided'],
};

const removePolicy: Operation = {
  id: 'removePolicy',
  method: 'DELETE',
  path: '/v1/policies/{sku}/{location}',
  tag: 'policies',
  summary: 'Remove the policy of a level',
  description: EVERYWHERE,
  params: policyParams,
  query: authorQuery,
  answers: removal('413'),
  problems: ['not-found', 'changed', 'invalid-request', 'undecided'],
};

const effectivePolicy: Operation = {
  id: 'effectivePolicy',
  method: 'GET',
  path: '/v1/policies/{sku}/{location}/effective',
  tag: 'policies',
  summary: 'What is in force for a SKU at a location, and which level each field comes from',
  params: policyParams,
  bound: FIELD_BOUND,
  answers: {
    200: {
      description: 'Every field, with its default if no level sets it',
      schema: effectiveAnswer,
      example: { ...POLICY, levels: { safetyStock: { sku: '85123A', location: '*' } } },
    },
  },
  problems: ['invalid-request'],
};

const readLocation: Operation = {
  id: 'readLocation',
  method: 'GET',
  path: '/v1/locations/{id}',
  tag: 'policies',
  summary: 'The description of a location, or with `history=1` who changed it and when',
  description:
    'A location that is known only from facts has the defaults, and no `ETag`. What a description leaves out: its name is its id, it is a `store`, and it ships and hands out.',
  params: locationParams,
  query: historyQuery,
  bound: `${LOCATION_BOUND} ${HISTORY_BOUND}`,
  answers: {
    200: {
      description: 'The description, or its changes, the newest first',
      schema: locationAnswer.partial().extend(locationHistory.partial().shape),
      example: LOCATION,
    },
  },
  problems: ['not-found', 'invalid-request', 'undecided'],
};

const setLocation: Operation = {
  id: 'setLocation',
  method: 'PUT',
  bodyBytes: LIMITS.policyBodyBytes,
  path: '/v1/locations/{id}',
  tag: 'policies',
  summary: 'Describe a location',
  description: `It replaces the description. ${EVERYWHERE}`,
  params: locationParams,
  body: { schema: locationBody, examples: { location: { ...PLACE, ...SAID } } },
  bound: LOCATION_BOUND,
  answers: { 200: { description: 'The description as it is', schema: locationAnswer, example: LOCATION } },
  problems: ['changed', 'invalid-request', 'undecided'],
};

const removeLocation: Operation = {
  id: 'removeLocation',
  method: 'DELETE',
  path: '/v1/locations/{id}',
  tag: 'policies',
  summary: 'Remove the description of a location',
  description: `The location and its stock stay, with the defaults. ${EVERYWHERE}`,
  params: locationParams,
  query: authorQuery,
  answers: removal('414'),
  problems: ['not-found', 'changed', 'invalid-request', 'undecided'],
};

export const POLICY_OPERATIONS = [
  readPolicy,
  setPolicy,
  removePolicy,
  effectivePolicy,
  readLocation,
  setLocation,
  removeLocation,
];

export function addPolicyRoutes(app: FastifyInstance, answers: PolicyAnswers): void {
  const tagged = (operation: Operation, ask: (request: FastifyRequest) => Promise<Tagged<unknown>>) =>
    addRoute(app, operation, async (request, reply: FastifyReply) => {
      const { body, etag } = await ask(request);
      if (etag !== undefined) reply.header('etag', `"${etag}"`);
      return body;
    });
  tagged(readPolicy, ({ params, query }) => answers.policy(params, query));
  tagged(setPolicy, ({ params, body, headers }) => answers.setPolicy(params, body, headers['if-match']));
  tagged(removePolicy, ({ params, query, headers }) => answers.removePolicy(params, query, headers['if-match']));
  addRoute(app, effectivePolicy, ({ params }) => answers.effective(params));
  tagged(readLocation, ({ params, query }) => answers.location(params, query));
  tagged(setLocation, ({ params, body, headers }) => answers.setLocation(params, body, headers['if-match']));
  tagged(removeLocation, ({ params, query, headers }) => answers.removeLocation(params, query, headers['if-match']));
}
