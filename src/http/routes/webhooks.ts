/** Routes of webhooks. */
import type { FastifyInstance } from 'fastify';
import { LIMITS } from '../../../config/limits.ts';
import {
  webhookAnswer,
  webhookBody,
  webhookParams,
  webhookRemoved,
  webhooksAnswer,
} from '../../../streams/contract/webhooks.ts';
import { present, valid } from '../../api/checks.ts';
import type { WebhookDesk } from '../../webhooks/webhook-desk.ts';
import { addRoute, type Operation } from '../operation.ts';

const WEBHOOK = {
  id: 'erp',
  url: 'https://erp.example/holdfast',
  kinds: ['promise.*', 'transfer.received'],
  state: 'active',
  createdAt: '2026-11-24T09:15:00.000Z',
  failingSince: null,
  disabled: null,
  oldSecretUntil: null,
};
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=';
const tag = 'events' as const;
const bound = 'A webhook names at most 20 kinds.';
const answer = (description: string, example: object) => ({ description, schema: webhookAnswer, example });

const putWebhook: Operation = {
  id: 'putWebhook',
  bound,
  method: 'PUT',
  path: '/v1/webhooks/{id}',
  tag,
  summary: 'Send events to a URL',
  description:
    'Makes a webhook, changes it, or makes one active that was disabled. Events are signed by the Standard Webhooks specification. The secret is shown only when the webhook is new.',
  params: webhookParams,
  bodyBytes: LIMITS.smallBodyBytes,
  body: { schema: webhookBody, examples: { promises: { url: WEBHOOK.url, kinds: WEBHOOK.kinds } } },
  answers: {
    200: answer('It was there, and is changed', WEBHOOK),
    201: answer('It is new', { ...WEBHOOK, secret: SECRET }),
  },
  problems: ['invalid-request', 'undecided'],
};
const getWebhook: Operation = {
  id: 'getWebhook',
  bound,
  method: 'GET',
  path: '/v1/webhooks/{id}',
  tag,
  summary: 'A webhook, and whether it works',
  params: webhookParams,
  answers: { 200: answer('The webhook', WEBHOOK) },
  problems: ['not-found', 'invalid-request', 'undecided'],
};
const listWebhooks: Operation = {
  id: 'listWebhooks',
  method: 'GET',
  path: '/v1/webhooks',
  tag,
  summary: 'All webhooks',
  bound: `There are at most ${LIMITS.webhooks}. ${bound}`,
  answers: {
    200: { description: 'By id', schema: webhooksAnswer, example: { webhooks: [WEBHOOK], next: null } },
  },
  problems: ['undecided'],
};
const deleteWebhook: Operation = {
  id: 'deleteWebhook',
  method: 'DELETE',
  path: '/v1/webhooks/{id}',
  tag,
  summary: 'Send nothing there any more',
  params: webhookParams,
  answers: { 200: { description: 'It is gone', schema: webhookRemoved, example: { id: 'erp', known: true } } },
  problems: ['invalid-request', 'undecided'],
};
const rotateWebhook: Operation = {
  id: 'rotateWebhook',
  bound,
  method: 'POST',
  path: '/v1/webhooks/{id}/rotate',
  tag,
  summary: 'A new secret; the old one signs as well for a day',
  params: webhookParams,
  bodyBytes: LIMITS.smallBodyBytes,
  answers: {
    200: answer('With the new secret', { ...WEBHOOK, oldSecretUntil: '2026-11-25T09:15:00.000Z', secret: SECRET }),
  },
  problems: ['not-found', 'invalid-request', 'undecided'],
};

export const WEBHOOK_OPERATIONS = [putWebhook, getWebhook, listWebhooks, deleteWebhook, rotateWebhook];

export function addWebhookRoutes(app: FastifyInstance, desk: WebhookDesk): void {
  const idOf = (request: { params: unknown }) => valid(webhookParams, request.params).id;
  addRoute(app, putWebhook, async (request, reply) => {
    const { fresh, webhook } = await desk.put(idOf(request), valid(webhookBody, present(request.body)));
    if (fresh) reply.code(201);
    return webhook;
  });
  addRoute(app, getWebhook, async (request) => desk.get(idOf(request)));
  addRoute(app, listWebhooks, async () => ({ webhooks: await desk.list(), next: null }));
  addRoute(app, deleteWebhook, async (request) => desk.remove(idOf(request)));
  addRoute(app, rotateWebhook, async (request) => desk.rotate(idOf(request)));
}
