/**
 * Detects reservation_hoarding: holds that keep units from customers who would buy them.
 *
 * Model, per stock key, for unconfirmed holds only, because allocations are orders:
 *  HD1 Concentration: the holds of one channel and purpose take at least `hoardShare` of the sellable units, with at least `hoardHolds`
 *     holds and `hoardUnits` units. One large order is one hold, so it is not hoarding.
 *  HD2 Churn: at least `hoardExpired` holds of the SKU expired, and P(as many | share of expired holds in the rest of the partition) is at
 *     most `hoardTail` (binomial, one-sided), while holds take at least `hoardChurnShare`. Denial-of-inventory bots do this (OWASP
 *     Automated Threats, OAT-021).
 *  Each ends below a lower threshold. The weight of ended holds decays exponentially.
 *
 * The units held follow from the book. Only the outcomes of ended holds are kept here.
 */

import { ANOMALY_BOUNDS } from '../../../config/anomalies.ts';
import { present } from '../../../streams/assert.ts';
import type { StockBook } from '../../stock/book.ts';
import type { PartChange } from '../../stock/changes.ts';
import type { ReservationPart, StockKey } from '../../stock/state.ts';
import { causeOf, type DetectorContext, rounded, whereOf } from './context.ts';
import { shareTail } from './probability.ts';

interface Tally {
  holds: number;
  units: number;
}
/** Ended holds, decayed up to `atMs`. */
interface Ended {
  expired: number;
  all: number;
  atMs: number;
}

export class Hoarding {
  readonly #context: DetectorContext;
  /** For each key with holds, its holds by channel and purpose. */
  readonly #held = new Map<StockKey, Map<string, Tally>>();
  #ended = new Map<string, Ended>();
  /** Ended holds of the whole partition. */
  #whole: Ended;

  constructor(context: DetectorContext) {
    this.#context = context;
    this.#whole = this.#prior();
  }

  /** Replaces the holds that a reservation had before a change by those it has after it. */
  follow(change: PartChange): void {
    this.#count(change, (index) => present(change.claimed[index]), -1);
    this.#put(change.part);
  }

  #put(part: ReservationPart): void {
    this.#count(part, (index) => present(part.lines[index]).claimed, 1);
  }

  /** Counts an ended reservation, once per line for the SKU and once for the partition. */
  end(part: ReservationPart, how: 'confirmed' | 'released' | 'expired', atMs: number): void {
    const expired = how === 'expired' ? 1 : 0;
    for (const line of part.lines) {
      const sku = line.key.sku.name;
      const ended = this.#ended.get(sku) ?? { expired: 0, all: 0, atMs };
      this.#ended.delete(sku);
      this.#ended.set(sku, this.#add(ended, expired, atMs));
      if (this.#ended.size > ANOMALY_BOUNDS.heldSkus) this.#ended.delete(present(this.#ended.keys().next().value));
    }
    this.#add(this.#whole, expired, atMs);
  }

  /** Judges a key after its holds or its stock changed. Times are in microseconds since 1970. */
  judge(key: StockKey, at: number, recordedAt: number): void {
    const { alarms, parameters } = this.#context;
    const cause = causeOf(key);
    const tallies = this.#held.get(key);
    const open = alarms.get('reservation_hoarding', cause);
    if (tallies === undefined) {
      if (open !== undefined) alarms.clear('reservation_hoarding', cause);
      return;
    }
    const [most, { units, holds }] = greatest(tallies);
    const stock = Math.max(1, key.sellable);
    const share = units / stock;
    const heldShare = key.held / stock;
    const [channel = '', purpose = ''] = most.split('\u0001');
    const figures = { channel, purpose, holds, units, held: key.held, sellable: key.sellable, share: rounded(share) };
    const where = { ...whereOf(key), at, episode: recordedAt, severity: 'warning' as const };
    const great = holds >= parameters.hoardHolds && units >= parameters.hoardUnits;
    // Concentration is judged first and wins over churn (HD1).
    if (great && share >= parameters.hoardShare) {
      const says = `${units} of ${key.sellable} sellable units are in ${holds} holds of channel ${channel}, purpose ${purpose}.`;
      const tell = () => ({ says, figures: { ...figures, why: 'concentration' } });
      alarms.raise('reservation_hoarding', cause, { ...where, tell });
      return;
    }
    const churn = this.#churn(key, at / 1000);
    if (churn !== undefined && heldShare >= parameters.hoardChurnShare) {
      const says = `${churn.expired} of ${churn.all} holds ran out unconfirmed, and ${key.held} of ${key.sellable} sellable units are held again.`;
      const tell = () => ({ says, figures: { ...figures, ...churn, why: 'churn' } });
      alarms.raise('reservation_hoarding', cause, { ...where, tell });
      return;
    }
    if (open === undefined) return;
    const over =
      open.figures.why === 'churn'
        ? heldShare < parameters.hoardChurnClearShare || churn === undefined
        : share < parameters.hoardClearShare || holds < parameters.hoardHolds;
    if (over) alarms.clear('reservation_hoarding', cause);
  }

  /** How the SKU's holds ended, if so many expirations are improbable (HD2). */
  #churn(key: StockKey, nowMs: number): { expired: number; all: number; probability: number } | undefined {
    const { parameters } = this.#context;
    const ended = this.#ended.get(key.sku.name);
    if (ended === undefined) return undefined;
    const left = this.#left(ended.atMs, nowMs);
    const expired = Math.round(ended.expired * left);
    const all = Math.max(expired, Math.round(ended.all * left));
    if (expired < parameters.hoardExpired) return undefined;
    // The SKU's own holds are excluded, because it must not be its own measure.
    const others = this.#whole.all - ended.all;
    const { hoardPriorShare: prior, hoardPriorWeight: weight } = parameters;
    const usual = (Math.max(0, this.#whole.expired - ended.expired) + prior * weight) / (Math.max(0, others) + weight);
    const probability = shareTail(expired, all, Math.min(0.99, usual));
    return probability <= parameters.hoardTail ? { expired, all, probability: rounded(probability) } : undefined;
  }

  #add(ended: Ended, expired: number, atMs: number): Ended {
    const left = this.#left(ended.atMs, atMs);
    ended.expired = ended.expired * left + expired;
    ended.all = ended.all * left + 1;
    ended.atMs = Math.max(atMs, ended.atMs);
    return ended;
  }

  #left(fromMs: number, toMs: number): number {
    return Math.exp(-Math.max(0, toMs - fromMs) / this.#context.parameters.hoardMemoryMs);
  }

  #count(
    {
      bucket,
      channel,
      purpose,
      lines,
    }: Pick<ReservationPart, 'bucket' | 'channel' | 'purpose'> & Pick<PartChange, 'lines'>,
    claimedBy: (index: number) => number,
    sign: 1 | -1,
  ): void {
    if (bucket !== 'held') return;
    const name = `${channel}\u0001${purpose}`;
    for (const [index, { key }] of lines.entries()) {
      const claimed = claimedBy(index);
      if (claimed === 0) continue;
      let tallies = this.#held.get(key);
      if (tallies === undefined) {
        tallies = new Map();
        this.#held.set(key, tallies);
      }
      const tally = tallies.get(name) ?? { holds: 0, units: 0 };
      tally.holds += sign;
      tally.units += sign * claimed;
      if (tally.holds > 0) tallies.set(name, tally);
      else tallies.delete(name);
      if (tallies.size === 0) this.#held.delete(key);
    }
  }

  #prior(): Ended {
    return { expired: 0, all: 0, atMs: 0 };
  }

  keep(): unknown[] {
    return [this.#whole, [...this.#ended]];
  }

  load(book: StockBook, kept: readonly unknown[]): void {
    this.#held.clear();
    for (const part of book.parts.values()) this.#put(part);
    const [whole, ended] = kept as [Ended | undefined, [string, Ended][] | undefined];
    this.#whole = whole ?? this.#prior();
    this.#ended = new Map(ended ?? []);
  }
}

function greatest(tallies: ReadonlyMap<string, Tally>): [string, Tally] {
  let most: [string, Tally] | undefined;
  for (const [name, tally] of tallies) if (most === undefined || tally.units > most[1].units) most = [name, tally];
  return present(most);
}
