/**
 * Turns decoded requests into the bodies of their answers, for every operation of the fronts. HTTP and NATS share this code, so requests
 * are checked, measured and counted in one place.
 *
 * Invariants:
 *  SA1 A request that goes on to the desks has passed its schema. A refusal made here names the field.
 *  SA2 Every request is counted once, and a request about a reservation with its outcome. 503 and 500 count as faults of the system, all
 *      other statuses as answers.
 */

import type { z } from 'zod';
import type { FactIngress, ParkedFact, ParkedFacts, StockService } from '../../actors/ports/ports.ts';
import { type FieldError, Refusal } from '../../actors/ports/refusal.ts';
import { LIMITS } from '../../config/limits.ts';
import {
  type Explanation,
  explainQuery,
  type ParkedAnswer,
  parkedParams,
  parkedQuery,
} from '../../streams/contract/operator.ts';
import { cursorText } from '../../streams/contract/pages.ts';
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
  partialRelease,
  type ReservationAnswer,
  type ReservationsAnswer,
  releaseRequest,
  reservationRequest,
  reservationStep,
  reservationsQuery,
  type SkuStockAnswer,
  type StockAnswer,
  stockRequest,
} from '../../streams/contract/stock.ts';
import { parseFact } from '../../streams/fact/fact.ts';
import { elementsOf, type SentBody } from '../../streams/fact/sent-body.ts';
import { isName, NAME_RULE } from '../../streams/names.ts';
import { problemOf } from '../error-status.ts';
import type { MeasuredOperation, ReservationOutcome } from '../metrics/families.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { refuseDepth, refuseLocations } from './bounds.ts';

/** Most wrong fields that one problem names. */
const ERRORS_NAMED = 20;

const stockKey = stockRequest.required();

export interface AnswersDeps {
  readonly stock: StockService;
  readonly facts: FactIngress;
  readonly parked: ParkedFacts;
  readonly metrics: Metrics;
}

export class Answers {
  readonly #stock: StockService;
  readonly #facts: FactIngress;
  readonly #parked: ParkedFacts;
  readonly #metrics: Metrics;

  constructor(deps: AnswersDeps) {
    this.#stock = deps.stock;
    this.#facts = deps.facts;
    this.#parked = deps.parked;
    this.#metrics = deps.metrics;
  }

  /** Submits one fact or a list of facts. Each is judged on its own. */
  async submitFacts(body: SentBody | undefined): Promise<FactsAnswer> {
    const sent = sentBody(body);
    const count = Array.isArray(sent.value) ? sent.value.length : 1;
    if (count > LIMITS.factsPerRequest) {
      throw new Refusal('too-large', `${count} facts in one request; at most ${LIMITS.factsPerRequest} are taken`);
    }
    if (count === 0) return { accepted: 0, duplicates: 0, rejected: [] };
    refuseDepth(sent.value);
    return this.#timed('facts', () => this.#facts.submit(Array.isArray(sent.value) ? elementsOf(sent) : [sent]));
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
      const { location, channel, by } = valid(atpQuerystring, onceEach(query));
      const line = lineOf(sku, location);
      await this.#namesKnown([line]);
      const answer = await this.#stock.atp({ lines: [line], channel, by });
      const found = onlyLine(answer);
      // No locations may only mean that the filters excluded all. Not-found is for a SKU of which nothing is known.
      if (
        found.locations.length === 0 &&
        ((line.locations === undefined && channel === undefined) || (await this.#isUnknown(sku)))
      ) {
        throw new Refusal('not-found', `nothing is known of SKU ${sku}`);
      }
      return { asOf: answer.asOf, sku: found.sku, atp: found.atp, version: found.version, locations: found.locations };
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

  async stockAt(params: unknown): Promise<StockAnswer> {
    const { sku, location } = valid(stockKey, params);
    return this.#blamed('stock', async () => {
      await this.#namesKnown([lineOf(sku, location)]);
      return this.#stock.stock(sku, location);
    });
  }

  async explain(params: unknown, query: unknown): Promise<Explanation> {
    const key = valid(stockKey, params);
    const { limit, cursor } = valid(explainQuery, onceEach(query));
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
    const { cursor, ...asked } = valid(reservationsQuery, onceEach(query));
    return this.#blamed('reservation', async () => {
      const { reservations, next } = await this.#stock.reservations({ ...asked, after: cursor?.[0] });
      return { reservations: [...reservations], next: next === null ? null : cursorText([next]) };
    });
  }

  async reservation(params: unknown): Promise<ReservationAnswer> {
    return this.#blamed('reservation', () => this.#stock.reservation(valid(reservationStep, params).id));
  }

  async listParked(query: unknown): Promise<ParkedAnswer> {
    const { after, limit } = valid(parkedQuery, onceEach(query));
    const { parked, next } = await this.#parked.list(after, limit);
    return { parked: [...parked], next };
  }

  async parkedFact(params: unknown): Promise<ParkedFact> {
    return this.#parked.get(valid(parkedParams, params).seq);
  }

  /** @param body a fact that replaces the parked one, or undefined to resubmit it unchanged */
  async resubmit(params: unknown, body: SentBody | undefined): Promise<{ seq: number; resubmitted: true }> {
    const { seq } = valid(parkedParams, params);
    const corrected = body?.value === undefined ? undefined : body;
    if (corrected !== undefined) {
      refuseDepth(corrected.value);
      const fact = parseFact(corrected.value);
      if (!fact.ok)
        throw invalid([
          { field: fact.field === '' ? 'body' : fact.field, message: withoutField(fact.message, fact.field) },
        ]);
    }
    await this.#parked.resubmit(seq, corrected);
    return { seq, resubmitted: true };
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

/** Returns the value as its schema types it. Throws a refusal that names the wrong fields if it does not match (SA1). */
export function valid<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalid(result.error.issues.map(({ path, message }) => ({ field: fieldName(path), message })));
}

function invalid(found: readonly FieldError[]): Refusal {
  const errors = found
    .filter(({ field }, index) => found.findIndex((other) => other.field === field) === index)
    .slice(0, ERRORS_NAMED);
  const named = errors.slice(0, 3).map(({ field, message }) => `${field === 'body' ? 'the body' : field} ${message}`);
  const more = errors.length > named.length ? '; and more, see errors' : '';
  return new Refusal('invalid-request', named.join('; ') + more, { errors });
}

/** The name of a field, such as `lines[0].qty`; `body` for the whole body. */
function fieldName(path: readonly PropertyKey[]): string {
  let name = '';
  for (const step of path) name += typeof step === 'number' ? `[${step}]` : `${name === '' ? '' : '.'}${String(step)}`;
  return name === '' ? 'body' : name;
}

function withoutField(message: string, field: string): string {
  const prefix = field === '' ? 'the fact ' : `${field} `;
  return message.startsWith(prefix) ? message.slice(prefix.length) : message;
}

function sentBody(body: SentBody | undefined): SentBody {
  present(body?.value);
  return body as SentBody;
}

export function present(body: unknown): unknown {
  if (body === undefined) throw new Refusal('malformed', 'the body is empty; JSON or MessagePack is expected');
  return body;
}

/** Refuses a query parameter that is given twice. It would parse as a list, and the schema's message would mislead. */
export function onceEach(query: unknown): unknown {
  for (const name in query as Record<string, unknown>) {
    if (Array.isArray((query as Record<string, unknown>)[name]))
      throw invalid([{ field: name, message: 'must be given once only' }]);
  }
  return query;
}

function onlyLine(answer: AtpAnswer): AtpLine {
  const line = answer.lines[0];
  if (line === undefined) throw new Error('an ATP answer without the line that was asked for');
  return line;
}
