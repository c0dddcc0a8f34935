/** A shop for the detectors' tables: a real book with a real observer, facts and decisions in few words, and a wall clock to set. */

import type { Alarm } from '../../../../actors/anomaly/detect/alarms.ts';
import { AnomalyObserver } from '../../../../actors/anomaly/observer.ts';
import { asOfClock } from '../../../../actors/idempotency/stored-fact.ts';
import { foldDecision, foldFact } from '../../../../actors/partition/fold.ts';
import { Partition } from '../../../../actors/partition/partition.ts';
import { ANOMALY_DEFAULTS, type AnomalyParameters } from '../../../../config/anomalies.ts';
import { LIMITS } from '../../../../config/limits.ts';
import { CLOCK_SLACK_MS, RULES_VERSION } from '../../../../config/rules.ts';
import type { AnomalyKind } from '../../../../streams/contract/anomaly-kinds.ts';
import { type Fact, parseFact } from '../../../../streams/fact/fact.ts';
import type { StockDecision } from '../../../../streams/journal/stock-decisions.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
const RULE = { version: RULES_VERSION, slackMs: CLOCK_SLACK_MS };
/** A Monday. */
const BEGIN = Date.parse('2026-01-05T00:00:00Z');

export class Shop {
  readonly partition = new Partition(7);
  observer: AnomalyObserver;
  readonly #parameters: AnomalyParameters;
  /** Milliseconds since 1970. Facts happen at this time and are stored a second later. */
  nowMs = BEGIN;
  #count = 0;

  constructor(parameters: Partial<AnomalyParameters> = {}) {
    this.#parameters = { ...ANOMALY_DEFAULTS, ...parameters };
    this.observer = this.#made();
    this.partition.observer = this.observer;
  }

  #made(): AnomalyObserver {
    return new AnomalyObserver(7, { parameters: this.#parameters, laneTimeMs: 3 * DAY_MS });
  }

  /** Replaces the observer with one that continues from its stored state. */
  restart(): this {
    const next = this.#made();
    next.load(this.book, this.observer.keep());
    this.observer = next;
    this.partition.observer = next;
    return this;
  }

  get book() {
    return this.partition.book;
  }

  /** A fact about the SKU mug at the shop now, unless the fields say otherwise. @param lateMs additional delay until the fact is stored */
  fact(type: string, fields: Record<string, unknown> = {}, lateMs = 0): this {
    this.#count += 1;
    const occurredAt = new Date(this.nowMs).toISOString();
    const parsed = parseFact({ id: `f${this.#count}`, type, sku: 'mug', location: 'shop', occurredAt, ...fields });
    if (!parsed.ok) throw new Error(parsed.message);
    const recordedAt = (this.nowMs + lateMs + 1000) * 1000;
    return this.fold(asOfClock(RULE, { recordedAt }, parsed.fact), recordedAt);
  }

  fold(fact: Fact, recordedAt = fact.at): this {
    foldFact(this.partition, fact, recordedAt);
    return this;
  }

  /** A hold whose home is this partition. @param more the partition of its line, if it is another one */
  hold(
    id: string,
    qty: number,
    more: { sku?: string; channel?: string; purpose?: string; partition?: number } = {},
  ): this {
    const { sku = 'mug', channel = 'web', purpose = 'order', partition = 7 } = more;
    const line = { index: 0, sku, location: 'shop', qty, partition, seq: 1 };
    const parts = [...new Set([7, partition])].map((number) => [number, 1] as const);
    const where = { coordinator: 7, participants: [partition], parts, shortages: [] };
    const times = { atMs: this.nowMs, expiresAtMs: this.nowMs + 900_000 };
    return this.decide({
      kind: 'granted',
      id,
      content: { hi: 1, lo: 1 },
      channel,
      purpose,
      ...times,
      ...where,
      lines: [line],
    });
  }

  step(kind: 'confirmed' | 'released' | 'expired', id: string): this {
    return this.decide({ kind, id, atMs: this.nowMs, parts: [[7, 1]] });
  }

  decide(decision: StockDecision): this {
    foldDecision(this.partition, decision);
    return this;
  }

  wait(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  /** Lets the observer process the passage of time, as the keeper does every second. */
  look(): this {
    this.observer.hear(this.observer.takeHeard());
    this.tick(this.observer);
    return this;
  }

  /** Lets an observer judge what becomes due with time. This partition is the home of every reservation of the shop. */
  tick(observer: AnomalyObserver): void {
    const nowMs = this.nowMs + 1000;
    observer.tick(nowMs);
    for (const id of observer.takeUnknown(nowMs, LIMITS.reservationsAsked))
      observer.homeAnswered(id, this.book.coordinatorEntries.get(id)?.known === true, nowMs);
  }

  /**
   * Plays days of business from 8 to 18 o'clock, closed on Sundays. Every ten minutes one of ten other SKUs is sold, and the mug at these
   * minutes after eight. Ends at midnight.
   */
  business(days: number, mugAt: readonly number[], more: Record<string, unknown> = {}): this {
    const morning = this.nowMs;
    for (let day = 0; day < days; day++) {
      const opens = morning + day * DAY_MS + 8 * HOUR_MS;
      const open = new Date(opens).getUTCDay() !== 0;
      for (let minute = 0; open && minute < 600; minute++) {
        this.nowMs = opens + minute * MINUTE_MS;
        if (minute % 10 === 0)
          this.fact('sale', { sku: `other-${(minute / 10) % 10}`, qty: 1, device: 'till', ...more });
        if (mugAt.includes(minute)) this.fact('sale', { qty: 1, unitPrice: '2.50', currency: 'GBP', ...more });
        if (minute % 60 === 0) this.look();
      }
    }
    this.nowMs = morning + days * DAY_MS;
    return this.look();
  }

  open(kind: AnomalyKind): Alarm[] {
    return [...this.observer.open()].map(([, alarm]) => alarm).filter((alarm) => alarm.kind === kind);
  }

  /** Open kinds, each once, in order. */
  get kinds(): AnomalyKind[] {
    return [...new Set([...this.observer.open()].map(([, { kind }]) => kind))].sort();
  }
}
