/** Answers what SKUs are called, and writes what a person says they are called, as a fact like any other. */
import { randomUUID } from 'node:crypto';
import type { FactIngress, ItemService, KnownItem } from '../../actors/ports/ports.ts';
import { Refusal, UNDECIDED, undecided } from '../../actors/ports/refusal.ts';
import { encodeBody, JSON_TYPE } from '../../streams/codec.ts';
import { type ItemAnswer, type ItemsAnswer, itemBody, itemParams, itemsQuery } from '../../streams/contract/items.ts';
import { cursorText } from '../../streams/contract/pages.ts';
import type { SentBody } from '../../streams/fact/sent-body.ts';
import { formatInstant } from '../../streams/instant.ts';
import { isName, NAME_RULE } from '../../streams/names.ts';
import { invalid, present, valid, validQuery } from './checks.ts';

/** Items of all partitions that fit a text, by SKU. @param text undefined for all items; @param after only SKUs after this one */
export type FindItems = (text: string | undefined, after: string, limit: number) => Promise<readonly KnownItem[]>;

export interface ItemAnswersDeps {
  readonly items: ItemService;
  readonly find: FindItems;
  readonly facts: FactIngress;
}

export class ItemAnswers {
  readonly #deps: ItemAnswersDeps;

  constructor(deps: ItemAnswersDeps) {
    this.#deps = deps;
  }

  async item(params: unknown): Promise<ItemAnswer> {
    const { sku } = valid(itemParams, params);
    const known = await this.#known(sku);
    if (known === undefined) throw new Refusal('not-found', `no item is known of SKU ${sku}`);
    return answerOf(known);
  }

  async items(query: unknown): Promise<ItemsAnswer> {
    const { q, sku, cursor, limit } = validQuery(itemsQuery, query, ['sku']);
    if (sku !== undefined) {
      if (q !== undefined || cursor !== undefined)
        throw invalid([{ field: 'sku', message: 'must not be given with q or cursor' }]);
      const named = [...(await this.#deps.items.items([...new Set([sku].flat())]))];
      return { items: named.sort((a, b) => (a.sku < b.sku ? -1 : 1)).map(answerOf), next: null };
    }
    const found = await this.#deps.find(q, cursor?.[0] ?? '', limit + 1);
    const items = found.slice(0, limit).map(answerOf);
    return { items, next: found.length > limit ? cursorText([items.at(-1)?.sku ?? '']) : null };
  }

  /** Writes an item as of now or, if a fact says something of a later moment, just after that. Answers when it is durable and folded. */
  async put(params: unknown, body: unknown): Promise<ItemAnswer> {
    const { sku } = valid(itemParams, params);
    if (!isName(sku)) throw invalid([{ field: 'sku', message: `must be ${NAME_RULE}` }]);
    const said = valid(itemBody, present(body));
    const before = await this.#known(sku);
    const at = Math.max(Date.now() * 1000, (before?.at ?? 0) + 1);
    const fact = { id: `put:${randomUUID()}`, type: 'item', sku, occurredAt: formatInstant(at), ...said };
    const sent: SentBody = { value: fact, bytes: encodeBody(fact, JSON_TYPE), type: JSON_TYPE };
    const [rejected] = (await this.#deps.facts.submit([sent])).rejected;
    if (rejected !== undefined) throw new Refusal('invalid-request', rejected.message);
    const known = await this.#known(sku);
    if (known === undefined) throw undecided(UNDECIDED.verdict);
    return answerOf(known);
  }

  async #known(sku: string): Promise<KnownItem | undefined> {
    return (await this.#deps.items.items([sku]))[0];
  }
}

function answerOf({ sku, name, attributes, at }: KnownItem): ItemAnswer {
  return { sku, name, attributes: Object.fromEntries(attributes), occurredAt: formatInstant(at) };
}
