/**
 * Turns decoded requests into the bodies of their answers, for every operation of the fronts. HTTP and NATS share this code, so requests
 * are checked, measured and counted in one place.
 *
 * Invariants:
 *  SA1 A request that goes on to the desks has passed its schema, and says nothing that the schema does not know. A refusal made here
 *     names the field (src/api/checks.ts).
 *  SA2 Every request is counted once, and a request about a reservation with its outcome. 503 and 500 count as faults of the system, all
 *      other statuses as answers.
 */

import type { FactIngress, StockService } from '../../actors/ports/ports.ts';
import { Refusal } from '../../actors/ports/refusal.ts';
import { LIMITS } from '../../config/limits.ts';
import { type Explanation, explainQuery } from '../../streams/contract/operator.ts';
import { cursorText } from '../../streams/contract/pages.ts';
import { type SupplyAnswer, supplyQuery } from '../../streams/contract/promise/supply.ts';
import {
  type AmendRequest,
  type AtpAnswer,
  type AtpLine,
  amendBody,
  amendRequest,
  atpParams,
  atpQuerystring,
  atpRequest,
  type FactsAnswer,
  factsQuery,
  partialRelease,
  type ReservationAnswer,
  type ReservationsAnswer,
  releaseRequest,
  reservationRequest,
  reservationStep,
  reservationsQuery,
  type SkuStockAnswer,
  type StockAnswer,
  type StocksAnswer,
  stockRequest,
  stocksRequest,
} from '../../streams/contract/stock.ts';
import { elementsOf, type SentBody } from '../../streams/fact/sent-body.ts';
import { isName, NAME_RULE } from '../../streams/names.ts';
import { problemOf } from '../error-status.ts';
import type { MeasuredOperation, ReservationOutcome } from '../metrics/families.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { refuseLocations } from './bounds.ts';
import { invalid, present, valid, validQuery } from './checks.ts';

const stockKey = stockRequest.required();

export interface AnswersDeps {
  readonly stock: StockService;
  readonly facts: FactIngress;
  readonly metrics: Metrics;
}

export class Answers {
  readonly #stock: StockService;
  readonly #facts: FactIngress;
  readonly #metrics: Metrics;

  constructor(deps: AnswersDeps) {
    this.#stock = deps.stock;
    this.#facts = deps.facts;
    this.#metrics = deps.metrics;
  }

  /** Submits one fact or a list of facts. Each is judged on its own. */
  async submitFacts(body: SentBody | undefined, query: unknown): Promise<FactsAnswer> {
    const { versions } = validQuery(factsQuery, query);
    const sent = sentBody(body);
    const count = Array.isArray(sent.value) ? sent.value.length : 1;
    if (count > LIMITS.factsPerRequest) {
      throw new Refusal('too-large', `${count} facts in one request; at most ${LIMITS.factsPerRequest} are taken`);
    }
    if (count === 0) return { accepted: 0, duplicates: 0, rejected: [], ...(versions && { versions: {} }) };
    const facts = Array.isArray(sent.value) ? elementsOf(sent) : [sent];
    return this.#timed('facts', async () => {
      const answer = await this.#facts.submit(facts);
      return versions === undefined ? answer : { ...answer, versions: await this.#versionsOf(facts, answer) };
    });
  }

  /** The versions by SKU after the owners have judged the facts. The line of a SKU names no location, because only its version is wanted. */
  async #versionsOf(facts: readonly SentBody[], { rejected }: FactsAnswer): Promise<Record<string, string>> {
    const without = new Set(rejected.map(({ index }) => index));
    const skus = new Set(facts.filter((_, index) => !without.has(index)).map(skuOf));
    if (skus.size === 0) return {};
    const { lines } = await this.#stock.atp({ lines: [...skus].map((sku) => ({ sku, locations: [] })) });
    return Object.fromEntries(lines.map(({ sku, version }) => [sku, version]));
  }

  async atp(body: unknown): Promise<AtpAnswer> {
    return this.#timed('atp', async () => {
      refuseLocations(body, LIMITS.atpLocations);
      const request = valid(atpRequest, present(body));
      await this.#namesKnown(request.lines, 'lines');
      return this.#stock.atp(request);
    });
  }

  /** ATP of one SKU. Rejects with not-found if nothing is known of the SKU. */
  async atpOfSku(params: unknown, query: unknown): Promise<{ asOf: string } & AtpLine> {
    return this.#timed('atp', async () => {
      const { sku } = valid(atpParams, params);
      const { location, ...asked } = validQuery(atpQuerystring, query);
      const line = lineOf(sku, location);
      await this.#namesKnown([line]);
      const answer = await this.#stock.atp({ lines: [line], ...asked });
      const found = onlyLine(answer);
      // No locations may only mean that the filters excluded all. Not-found is for a SKU of which nothing is known.
      if (
        found.locations.length === 0 &&
        ((line.locations === undefined && asked.channel === undefined && asked.purpose === undefined) ||
          (await this.#isUnknown(sku)))
      ) {
        throw new Refusal('not-found', `nothing is known of SKU ${sku}`);
      }
      return { asOf: answer.asOf, ...found };
    });
  }

  /** The stock at a location, or at all locations of the SKU if the request names none. */
  async stock(body: unknown): Promise<StockAnswer | SkuStockAnswer> {
    const { sku, location } = valid(stockRequest, present(body));
    return this.#blamed<StockAnswer | SkuStockAnswer>('stock', async () => {
      await this.#namesKnown([lineOf(sku, location)]);
      return location === undefined ? this.#stock.skuStock(sku) : this.#stock.stock(sku, location);
    });
  }

  async stocks(body: unknown): Promise<StocksAnswer> {
    const { skus, locations } = valid(stocksRequest, present(body));
    return this.#blamed('stock', async () => {
      await this.#namesKnown(skus.map((sku, i) => (i === 0 ? { sku, locations } : { sku })));
      return this.#stock.stocks({ skus, locations });
    });
  }

  async stockAt(params: unknown): Promise<StockAnswer> {
    const { sku, location } = valid(stockKey, params);
    return this.#blamed('stock', async () => {
      await this.#namesKnown([lineOf(sku, location)]);
      return this.#stock.stock(sku, location);
    });
  }

  async supply(params: unknown, query: unknown): Promise<SupplyAnswer> {
    const { sku } = valid(atpParams, params);
    const { location, limit, cursor } = validQuery(supplyQuery, query);
    return this.#blamed('stock', async () => {
      await this.#namesKnown([lineOf(sku, location)]);
      const { supply, next } = await this.#stock.supply({ sku, location, limit, after: cursor });
      return { supply: [...supply], next: next === null ? null : cursorText(next) };
    });
  }

  async explain(params: unknown, query: unknown): Promise<Explanation> {
    const key = valid(stockKey, params);
    const { limit, cursor } = validQuery(explainQuery, query);
    return this.#blamed('stock', async () => {
      await this.#namesKnown([lineOf(key.sku, key.location)]);
      const answer = await this.#stock.explain(key, { limit, before: cursor });
      return { ...answer, next: answer.next === null ? null : cursorText(answer.next) };
    });
  }

  async place(body: unknown): Promise<{ fresh: boolean; reservation: ReservationAnswer }> {
    return this.#counted(
      async () => {
        refuseLocations(body, LIMITS.reservationLocations);
        const request = valid(reservationRequest, present(body));
        await this.#namesKnown(request.lines, 'lines');
        return this.#stock.place(request);
      },
      ({ fresh, reservation }) => {
        if (!fresh) return 'repeated';
        if (reservation.status === 'allocated') return 'confirmed';
        return (reservation.shortages?.length ?? 0) > 0 ? 'partial' : 'held';
      },
    );
  }

  async confirm(step: unknown): Promise<ReservationAnswer> {
    return this.#counted(
      async () => this.#stock.confirm(valid(reservationStep, present(step)).id),
      () => 'confirmed',
    );
  }

  /** Releases a reservation, or part of it. */
  async release(body: unknown): Promise<ReservationAnswer> {
    return this.#counted(
      async () => {
        const { id, release, lines } = valid(releaseRequest, present(body));
        if (release === undefined || lines === undefined) return this.#stock.release(id);
        return this.#stock.releaseSome(id, { id: release, lines });
      },
      () => 'released',
    );
  }

  async releasePart(params: unknown, body: unknown): Promise<ReservationAnswer> {
    return this.#counted(
      async () => {
        const { id } = valid(reservationStep, params);
        return this.#stock.releaseSome(id, valid(partialRelease, present(body)));
      },
      () => 'released',
    );
  }

  /** Changes the reservation that the path names. */
  async amendAt(params: unknown, body: unknown, ifMatch: string | undefined): Promise<ReservationAnswer> {
    return this.#amend(() => {
      const { id } = valid(reservationStep, params);
      const asked = valid(amendBody, present(body));
      if (asked.id !== undefined && asked.id !== id)
        throw invalid([{ field: 'id', message: 'must be that of the path, or left out' }]);
      return { ...asked, id, ifMatch };
    }, body);
  }

  async amend(body: unknown): Promise<ReservationAnswer> {
    return this.#amend(() => valid(amendRequest, present(body)), body);
  }

  #amend(read: () => AmendRequest, body: unknown): Promise<ReservationAnswer> {
    return this.#counted(
      async () => {
        refuseLocations(body, LIMITS.reservationLocations);
        const request = read();
        await this.#namesKnown(request.lines, 'lines');
        return this.#stock.amend(request);
      },
      () => 'amended',
    );
  }

  async reservations(query: unknown): Promise<ReservationsAnswer> {
    const { cursor, ...asked } = validQuery(reservationsQuery, query);
    return this.#blamed('reservation', async () => {
      const { reservations, next } = await this.#stock.reservations({ ...asked, after: cursor?.[0] });
      return { reservations: [...reservations], next: next === null ? null : cursorText([next]) };
    });
  }

  async reservation(params: unknown): Promise<ReservationAnswer> {
    return this.#blamed('reservation', () => this.#stock.reservation(valid(reservationStep, params).id));
  }

  /** Refuses names that break NAME_RULE, unless stored facts already use them. @param list the request's field that holds the lines */
  #namesKnown(lines: readonly NamedLine[], list?: string): Promise<void> | undefined {
    return lines.every(isNamed) ? undefined : this.#refuseNewNames(lines, list);
  }

  async #refuseNewNames(lines: readonly NamedLine[], list: string | undefined): Promise<void> {
    const odd = lines.filter((line) => !isNamed(line));
    const asked = [...new Set(odd.map(({ sku }) => sku))].map((sku) => ({ sku }));
    const answer = await this.#stock.atp({ lines: asked });
    const known = new Map(answer.lines.map(({ sku, locations }) => [sku, locations.map(({ location }) => location)]));
    for (const line of odd) {
      const field = list === undefined ? '' : `${list}[${lines.indexOf(line)}].`;
      const message = `must be ${NAME_RULE}`;
      const stored = known.get(line.sku) ?? [];
      if (stored.length === 0 && !isName(line.sku)) throw invalid([{ field: `${field}sku`, message }]);
      const stray = line.locations?.find((location) => !isName(location) && !stored.includes(location));
      if (stray !== undefined)
        throw invalid([{ field: `${field}${list === undefined ? 'location' : 'locations'}`, message }]);
    }
  }

  async #isUnknown(sku: string): Promise<boolean> {
    return onlyLine(await this.#stock.atp({ lines: [{ sku }] })).locations.length === 0;
  }

  async #timed<T>(operation: 'facts' | 'atp', ask: () => Promise<T>): Promise<T> {
    this.#metrics.countBy('requests_total', operation);
    const start = performance.now();
    try {
      return await ask();
    } catch (error) {
      this.#blame(operation, error);
      throw error;
    } finally {
      const seconds = (performance.now() - start) / 1000;
      this.#metrics.observe(operation === 'atp' ? 'atp_request_seconds' : 'facts_request_seconds', seconds);
    }
  }

  /** Counts the request, and counts a fault if the system is to blame for its failure (SA2). */
  async #blamed<T>(operation: MeasuredOperation, ask: () => Promise<T>): Promise<T> {
    this.#metrics.countBy('requests_total', operation);
    try {
      return await ask();
    } catch (error) {
      this.#blame(operation, error);
      throw error;
    }
  }

  #blame(operation: MeasuredOperation, error: unknown): void {
    if (problemOf(error).status >= 500) this.#metrics.countBy('request_faults_total', operation);
  }

  async #counted<T>(ask: () => Promise<T>, outcomeOf: (answer: T) => ReservationOutcome): Promise<T> {
    this.#metrics.countBy('requests_total', 'reservation');
    const start = performance.now();
    let outcome: ReservationOutcome = 'undecided';
    try {
      const answer = await ask();
      outcome = outcomeOf(answer);
      return answer;
    } catch (error) {
      if (error instanceof Refusal) outcome = outcomeOfRefusal(error);
      this.#blame('reservation', error);
      throw error;
    } finally {
      this.#metrics.countBy('reservations_total', outcome);
      this.#metrics.observe('reservation_seconds', (performance.now() - start) / 1000);
    }
  }
}

interface NamedLine {
  readonly sku: string;
  readonly locations?: readonly string[] | undefined;
}

function isNamed({ sku, locations }: NamedLine): boolean {
  return isName(sku) && (locations === undefined || locations.every(isName));
}

function lineOf(sku: string, location: string | undefined): NamedLine & { locations?: string[] } {
  return location === undefined ? { sku } : { sku, locations: [location] };
}

function outcomeOfRefusal({ kind }: Refusal): ReservationOutcome {
  if (kind === 'undecided') return 'undecided';
  return kind === 'id-conflict' ? 'conflict' : 'refused';
}

/** The SKU of a fact that was read. */
function skuOf({ value }: SentBody): string {
  return (value as { readonly sku: string }).sku;
}

function sentBody(body: SentBody | undefined): SentBody {
  present(body?.value);
  return body as SentBody;
}

function onlyLine(answer: AtpAnswer): AtpLine {
  const line = answer.lines[0];
  if (line === undefined) throw new Error('an ATP answer without the line that was asked for');
  return line;
}
