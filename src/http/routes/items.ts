/** Routes about items: how SKUs are called. */
import type { FastifyInstance } from 'fastify';
import { LIMITS } from '../../../config/limits.ts';
import { itemAnswer, itemBody, itemParams, itemsAnswer, itemsQuery } from '../../../streams/contract/items.ts';
import type { ItemAnswers } from '../../api/item-api.ts';
import { addRoute, type Operation } from '../operation.ts';

const SAID = { name: 'White hanging heart T-light holder', attributes: { colour: 'white' } };
const ITEM = { sku: '85123A', ...SAID, occurredAt: '2026-11-24T09:15:00.123Z' };

const item: Operation = {
  id: 'item',
  method: 'GET',
  path: '/v1/items/{sku}',
  tag: 'items',
  summary: 'How a SKU is called',
  params: itemParams,
  answers: { 200: { description: 'What its latest fact says', schema: itemAnswer, example: ITEM } },
  problems: ['not-found', 'undecided'],
};

const putItem: Operation = {
  id: 'putItem',
  method: 'PUT',
  bodyBytes: LIMITS.smallBodyBytes,
  path: '/v1/items/{sku}',
  tag: 'items',
  summary: 'Says how a SKU is called',
  description:
    'Writes a fact of type `item` as of now, or just after the latest one, so that it wins. It replaces the name and all attributes. The answer comes when the fact is durable and the item says so.',
  params: itemParams,
  body: { schema: itemBody, examples: { item: SAID } },
  answers: { 200: { description: 'The item as it is now', schema: itemAnswer, example: ITEM } },
  problems: ['undecided'],
};

const items: Operation = {
  id: 'items',
  method: 'GET',
  path: '/v1/items',
  tag: 'items',
  summary: 'Items that fit a text, or all, by SKU',
  description:
    'An item fits `q` if its SKU begins with it, or if each word of it begins a word of the name. Case and accents do not matter. With `sku`, which may be repeated, it answers the items of these SKUs; those that have none are left out.',
  query: itemsQuery,
  answers: { 200: { description: 'By SKU', schema: itemsAnswer, example: { items: [ITEM], next: null } } },
  problems: ['undecided'],
};

export const ITEM_OPERATIONS = [items, item, putItem];

export function addItemRoutes(app: FastifyInstance, answers: ItemAnswers): void {
  addRoute(app, items, (request) => answers.items(request.query));
  addRoute(app, item, (request) => answers.item(request.params));
  addRoute(app, putItem, (request) => answers.put(request.params, request.body));
}
