/**
 * The ports of the HTTP and NATS fronts in memory. They are small, exact enough to show the fronts' own behaviour, and can produce every
 * refusal. Other tests cover the stock itself.
 */

import type { AnomalyService } from '../../../../actors/anomaly/keeper.ts';
import { ItemBook } from '../../../../actors/item/book.ts';
import type { ExplainedKey, ExplainPage } from '../../../../actors/ports/explain-page.ts';
import type { ParkedFacts, ParkedFilter, ParkedSelection } from '../../../../actors/ports/parked.ts';
import type { ExplainAnswer } from '../../../../actors/ports/peer-operations.ts';
import type { FactIngress, ItemService, StockService } from '../../../../actors/ports/ports.ts';
import { Refusal, UNDECIDED, undecided } from '../../../../actors/ports/refusal.ts';
import { knownItem } from '../../../../actors/request/item-desk.ts';
import { supplyPage } from '../../../../actors/request/supply-list.ts';
import { contentOf } from '../../../../actors/reservation/content.ts';
import { StockBook } from '../../../../actors/stock/book.ts';
import type { ParkedFact, ParkedWork } from '../../../../streams/contract/parked.ts';
import type { SupplyPage, SupplyQuery } from '../../../../streams/contract/promise/supply.ts';
import type {
  AmendRequest,
  AtpAnswer,
  AtpRequest,
  ReservationAnswer,
  ReservationRequest,
  SkuStockAnswer,
  StockAnswer,
  StocksAnswer,
  StocksRequest,
} from '../../../../streams/contract/stock.ts';
import { parseFact } from '../../../../streams/fact/fact.ts';
import type { SentBody } from '../../../../streams/fact/sent-body.ts';

const AS_OF = '2026-11-24T09:15:00.123Z';

export class MemoryStockService implements StockService {
  /** Sellable units by SKU and location. */
  readonly units = new Map<string, Map<string, number>>();
  readonly asked: AtpRequest[] = [];
  /** The facts folded into it are the supply. */
  readonly book = new StockBook(0);
  /** If set, every call is refused with it. */
  failure: Error | undefined;
  readonly #reservations = new Map<string, { content: string; answer: ReservationAnswer }>();

  put(sku: string, location: string, qty: number): this {
    const at = this.units.get(sku) ?? new Map<string, number>();
    this.units.set(sku, at.set(location, qty));
    return this;
  }

  async atp(request: AtpRequest): Promise<AtpAnswer> {
    this.#check();
    this.asked.push(request);
    const lines = request.lines.map(({ sku, locations: wanted }) => {
      const locations = [...(this.units.get(sku) ?? [])]
        .filter(([location]) => wanted === undefined || wanted.includes(location))
        .filter(() => request.channel !== 'nowhere')
        .map(([location, atp]) => ({ location, atp }));
      return { sku, atp: locations.reduce((sum, { atp }) => sum + atp, 0), version: '1.1', locations };
    });
    return { asOf: AS_OF, lines };
  }

  async stock(sku: string, location: string): Promise<StockAnswer> {
    this.#check();
    const units = this.units.get(sku)?.get(location);
    if (units === undefined) throw new Refusal('not-found', `nothing is known of SKU ${sku} at ${location}`);
    return stockOf(sku, location, units);
  }

  async skuStock(sku: string): Promise<SkuStockAnswer> {
    this.#check();
    const at = this.units.get(sku);
    if (at === undefined) throw new Refusal('not-found', `nothing is known of SKU ${sku}`);
    return { sku, locations: [...at].map(([location, units]) => stockOf(sku, location, units)) };
  }

  async stocks({ skus, locations }: StocksRequest): Promise<StocksAnswer> {
    this.#check();
    const rows = skus.flatMap((sku) =>
      [...(this.units.get(sku) ?? [])].map(([location, units]) => ({ sku, location, units })),
    );
    const wanted = rows.filter(({ location }) => locations === undefined || locations.includes(location));
    return { stock: wanted.map(({ sku, location, units }) => stockOf(sku, location, units)) };
  }

  async supply(query: SupplyQuery): Promise<SupplyPage> {
    this.#check();
    const entry = this.book.skus.get(query.sku);
    if (entry === undefined) throw new Refusal('not-found', `nothing is known of SKU ${query.sku}`);
    return supplyPage(entry, query, () => 0, Date.parse(AS_OF) * 1000);
  }

  async place(request: ReservationRequest): Promise<{ fresh: boolean; reservation: ReservationAnswer }> {
    this.#check();
    const { hi, lo } = contentOf(request);
    const content = `${hi}.${lo}`;
    const known = this.#reservations.get(request.id);
    if (known !== undefined) {
      if (known.content !== content)
        throw new Refusal('id-conflict', `the id ${request.id} was used before with other content`);
      return { fresh: false, reservation: known.answer };
    }
    const lines: ReservationAnswer['lines'] = [];
    const shortages: { sku: string; requested: number; available: number }[] = [];
    for (const { sku, qty } of request.lines) {
      const [location, units] = [...(this.units.get(sku) ?? [])][0] ?? ['', 0];
      if (units < qty) shortages.push({ sku, requested: qty, available: units });
      if (Math.min(units, qty) > 0)
        lines.push({ sku, qty: Math.min(units, qty), fulfilled: 0, location, version: '1.2' });
    }
    if (shortages.length > 0 && (!request.partial || lines.length === 0)) {
      throw new Refusal('insufficient-stock', 'not enough stock', { shortages });
    }
    const answer: ReservationAnswer = { id: request.id, status: 'held', expiresAt: AS_OF, lines, etag: '1.2.0' };
    if (shortages.length > 0) answer.shortages = shortages;
    this.#reservations.set(request.id, { content, answer });
    return { fresh: true, reservation: answer };
  }

  async confirm(id: string): Promise<ReservationAnswer> {
    const { answer } = this.#known(id);
    if (answer.status === 'released') throw new Refusal('already-released', `reservation ${id} is released`);
    return Object.assign(answer, { status: 'allocated', expiresAt: null });
  }

  async release(id: string): Promise<ReservationAnswer> {
    return Object.assign(this.#known(id).answer, { status: 'released' });
  }

  async amend({ id }: AmendRequest): Promise<ReservationAnswer> {
    return this.#known(id).answer;
  }

  async releaseSome(id: string): Promise<ReservationAnswer> {
    return this.#known(id).answer;
  }

  async reservations() {
    return { reservations: [...this.#reservations.values()].map(({ answer }) => answer), next: null };
  }

  async reservation(id: string): Promise<ReservationAnswer> {
    return this.#known(id).answer;
  }

  async explain({ sku, location }: ExplainedKey, _page: ExplainPage): Promise<ExplainAnswer> {
    const stock = await this.stock(sku, location);
    const total = {
      sellable: stock.sellable,
      damaged: 0,
      inspection: 0,
      held: 0,
      allocated: 0,
      inTransit: 0,
      onOrder: 0,
    };
    const step = {
      at: AS_OF,
      what: 'receipt',
      id: 'r-1',
      detail: `qty ${stock.sellable}`,
      change: { sellable: stock.sellable },
      total,
    };
    return { sku, location, asOf: AS_OF, steps: [step], stock, adds: true, notes: [], next: null };
  }

  #known(id: string): { answer: ReservationAnswer } {
    this.#check();
    const known = this.#reservations.get(id);
    if (known === undefined) throw new Refusal('not-found', `there is no reservation ${id}`);
    return known;
  }

  #check(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}

export class MemoryFacts implements FactIngress, ItemService, ParkedFacts {
  readonly book = new ItemBook();
  readonly taken: unknown[] = [];
  /** The bytes of each fact, as text. */
  readonly takenBytes: string[] = [];
  readonly parked: ParkedFact[] = [];
  readonly resubmitted: { seq: number; corrected: unknown }[] = [];
  failure: Error | undefined;
  readonly #ids = new Set<string>();

  async submit(facts: readonly SentBody[]) {
    if (this.failure !== undefined) throw this.failure;
    const answer = { accepted: 0, duplicates: 0, rejected: [] as { index: number; code: string; message: string }[] };
    facts.forEach(({ value, bytes }, index) => {
      const parsed = parseFact(value);
      if (!parsed.ok) answer.rejected.push({ index, code: 'invalid', message: parsed.message });
      else if (this.#ids.has(parsed.fact.id)) answer.duplicates += 1;
      else {
        this.#ids.add(parsed.fact.id);
        if (parsed.fact.type === 'item') this.book.put(parsed.fact);
        this.taken.push(value);
        this.takenBytes.push(Buffer.from(bytes).toString());
        answer.accepted += 1;
      }
    });
    return answer;
  }

  async items(skus: readonly string[]) {
    if (this.failure !== undefined) throw this.failure;
    return skus.flatMap((sku) => this.book.items.get(sku) ?? []).map(knownItem);
  }

  async list(filter: ParkedFilter, after: number, limit: number) {
    const parked = this.parked.filter(
      ({ seq, state }) => seq > after && (filter.state === undefined || state === filter.state),
    );
    return { parked: parked.slice(0, limit), next: parked.length > limit ? (parked[limit - 1]?.seq ?? null) : null };
  }

  async get(seq: number): Promise<ParkedFact> {
    const found = this.parked.find((fact) => fact.seq === seq);
    if (found === undefined) throw new Refusal('not-found', `there is no parked fact ${seq}`);
    return found;
  }

  async groups() {
    return { groups: [], facts: 0 };
  }

  /** Selections that were worked through. */
  readonly worked: object[] = [];

  async resubmit(selection: ParkedSelection, decider: object): Promise<ParkedWork> {
    this.worked.push({ step: 'resubmit', ...selection, ...decider });
    // A second request is needed, as for very many facts.
    return selection.after === undefined && selection.seqs === undefined ? { facts: 2, next: 7 } : { facts: 1 };
  }

  async dismiss(selection: ParkedSelection, decider: object): Promise<ParkedWork> {
    this.worked.push({ step: 'dismiss', ...selection, ...decider });
    return { facts: 0, left: [{ code: 'being-sent', message: 'it is being sent', facts: 1, seq: 4 }] };
  }

  async resubmitOne(seq: number, corrected: SentBody | undefined): Promise<void> {
    if (!this.parked.some((fact) => fact.seq === seq)) throw new Refusal('not-found', `there is no parked fact ${seq}`);
    const parsed = corrected === undefined ? undefined : parseFact(corrected.value);
    if (parsed?.ok === false) throw new Refusal('invalid-request', parsed.message);
    this.resubmitted.push({ seq, corrected: corrected?.value });
  }
}

export const NOT_DECIDED = undecided(UNDECIDED.owner);

function stockOf(sku: string, location: string, units: number): StockAnswer {
  return {
    sku,
    location,
    onHand: units,
    sellable: units,
    damaged: 0,
    inspection: 0,
    held: 0,
    allocated: 0,
    promised: 0,
    safetyStock: 0,
    available: units,
    oversold: 0,
    atp: Math.max(0, units),
    inTransit: 0,
    onOrder: 0,
    version: '1.1',
  };
}

/** Anomalies in memory: none. */
export const NO_ANOMALIES: AnomalyService = {
  list: async () => [],
  step: async (id) => {
    throw new Refusal('not-found', `there is no anomaly ${id}`);
  },
};
