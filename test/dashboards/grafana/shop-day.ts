/**
 * Everything that a system meets in a day, in a loop, so that every figure moves. It sends facts of every type, duplicates, facts that are
 * parked, ATP queries and invalid requests. Its reservations are held, confirmed, released, refused or left to expire.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Answer, ask } from '../../../harness/callers/http-caller.ts';

/** Pause between two rounds, to spare a busy machine. */
const PAUSE_MS = 100;
const DAY_MS = 86_400_000;

export class ShopDay {
  readonly #url: string;
  #round = 0;
  #open = true;
  readonly #ended: Promise<void>;

  /** @param url address of a node */
  constructor(url: string) {
    this.#url = url;
    this.#ended = this.#run();
    // close() reports the error. Until then it must not count as unhandled.
    this.#ended.catch(() => undefined);
  }

  /** Rejects with the loop's error, if there was one. */
  async close(): Promise<void> {
    this.#open = false;
    await this.#ended;
  }

  async #run(): Promise<void> {
    while (this.#open) {
      this.#round += 1;
      await this.#facts(this.#round);
      await this.#reservations(this.#round);
      await this.#reads();
      await delay(PAUSE_MS);
    }
  }

  async #facts(round: number): Promise<void> {
    const now = Date.now();
    const at = (agoMs = 0) => new Date(now - agoMs).toISOString();
    const shop = { sku: 'mug', location: 'shop', occurredAt: at() };
    const transfer = { type: 'transfer', sku: 'mug', transfer: `t${round}`, from: 'dc', to: 'shop', qty: 4 };
    const bought = { sku: 'mug', location: 'dc', purchaseOrder: `po${round}`, qty: 50 };
    const counted = await this.#post('/v1/facts', [
      { id: `p${round}`, type: 'purchase', ...bought, occurredAt: at(DAY_MS), promisedAt: at(10_800_000) },
      { id: `r${round}`, type: 'receipt', ...bought, occurredAt: at(7_200_000), damaged: 1 },
      { id: `o${round}`, ...transfer, location: 'dc', occurredAt: at(5_400_000), phase: 'shipped' },
      { id: `i${round}`, ...transfer, location: 'shop', occurredAt: at(60_000), phase: 'received', damaged: 1 },
      { id: `s${round}`, type: 'sale', ...shop, qty: 1, unitPrice: '2.55', currency: 'GBP' },
      { id: `b${round}`, type: 'return', ...shop, qty: 1, disposition: 'restock', reason: 'too small' },
      { id: `a${round}`, type: 'adjustment', ...shop, delta: -1, reason: 'breakage' },
      { id: `c${round}`, type: 'count', sku: 'bowl', location: 'shop', occurredAt: at(), counted: round % 2 },
      // Sells more than was ever in stock, which causes a negative stock key and an anomaly.
      { id: `n${round}`, type: 'sale', sku: 'plate', location: 'shop', occurredAt: at(), qty: 5 },
    ]);
    const rejected = counted.status === 200 ? counted.body.rejected : [];
    if (rejected.length > 0) throw new Error(`facts of the day were refused: ${JSON.stringify(rejected)}`);
    await this.#post('/v1/facts', {
      id: `s${round}`,
      type: 'sale',
      ...shop,
      qty: 1,
      unitPrice: '2.55',
      currency: 'GBP',
    });
    await this.#post('/v1/facts', { id: `s${round}`, type: 'sale', ...shop, qty: 77 });
    await this.#post('/v1/facts', { id: `old${round}`, type: 'sale', ...shop, occurredAt: at(4_000 * DAY_MS), qty: 1 });
  }

  async #reservations(round: number): Promise<void> {
    const order = (id: string, qty: number, ttlSeconds: number) =>
      this.#post('/v1/reservations', { id: `${id}${round}`, lines: [{ sku: 'mug', qty }], ttlSeconds });
    await order('kept', 1, 600);
    await order('kept', 1, 600);
    await order('given-up', 1, 600);
    await order('left', 1, 1);
    await order('greedy', 1_000_000, 600);
    await this.#post(`/v1/reservations/kept${round}/confirm`);
    await this.#post(`/v1/reservations/given-up${round}/release`);
  }

  async #reads(): Promise<void> {
    await ask(this.#url, 'GET', '/v1/atp/mug');
    await this.#post('/v1/atp', { lines: [{ sku: 'mug' }, { sku: 'bowl' }] });
    await ask(this.#url, 'GET', '/v1/stock/mug/shop');
    await ask(this.#url, 'GET', '/v1/stock/nothing/nowhere');
    await this.#post('/v1/atp', { lines: 7 });
  }

  #post(path: string, body?: unknown): Promise<Answer> {
    return ask(this.#url, 'POST', path, body);
  }
}
