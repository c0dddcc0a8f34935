/**
 * Available to promise (ATP) of one SKU at one location, over time. Pure arithmetic on what phased.ts reads from a stock key.
 *
 *   net(u)         = sellable − safety stock + Σ supply due ≤ u − Σ promises due ≤ u      (a negative value carries forward, never reset)
 *   keep(c)        = Σ over groups g other than c of max(0, protect[g] − active(g))       (active = held + allocated + promised for g)
 *   ATP(c, t)      = max(0, min( min over u ≥ t of net(u) − keep(c),  cap[c] − active(c) ))
 *   backorderable  = max(0, min( net(end of time) − keep(c) + backorder[c],  cap[c] − active(c) ))
 *
 * A hold or an allocation is due now, a dated promise at its moment, a backorder at the end of time. Supply that is overdue is none.
 *
 * Sources: the contract, "Promises over time"; ASCM, cumulative ATP with look-ahead; SAP, supply protection (keep) and product
 * allocation (cap).
 *
 * Invariants, which property tests check against a unit-by-unit play:
 *  TA1 A grant within ATP or `backorderable` makes nobody else late.
 *  TA2 More, earlier or received supply never lowers ATP at any moment. A release never lowers it for the group that it served.
 *  TA3 ATP never falls with t.
 */
import type { KeyPolicy } from '../../policy/policy.ts';

/** A moment later than all others, which can be stored like them. Backorders are due then. */
export const END_OF_TIME = Number.MAX_SAFE_INTEGER;

/**
 * What a key gets and owes after now, by moment: [due, delta, due, delta …] in microseconds since 1970 and units. Supply has a positive
 * delta and comes before the promises of its moment.
 */
export type Timeline = readonly number[];

export const NOTHING_LATER: Timeline = [];

export interface Balance {
  /** Units without a date: sellable less safety stock and all that is due now. */
  readonly ready: number;
  readonly timeline: Timeline;
  /** Microseconds since 1970. Supply that was due before it is overdue. */
  readonly now: number;
}

/** For whom units are asked. Without channel and purpose, all protections are respected and no cap applies. */
export interface Asker {
  readonly channel: string | undefined;
  readonly purpose: string | undefined;
}

export const ANYBODY: Asker = { channel: undefined, purpose: undefined };

/** The least net(u) over all u from t on. At END_OF_TIME, all supply has come, and every promise is due. */
export function leastNet({ ready, timeline, now }: Balance, t: number): number {
  if (timeline.length === 0) return ready;
  const from = Math.max(t, now);
  let net = ready;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < timeline.length; i += 2) {
    const due = timeline[i] as number;
    const delta = timeline[i + 1] as number;
    if (delta > 0 && due < now) continue;
    // The value up to this moment counts if part of that time is asked for.
    if (due > from && net < least) least = net;
    net += delta;
  }
  return Math.min(least, net);
}

/** The moments from which ATP may be higher than before: now, and when supply is due. Ascending. */
export function risingMoments({ timeline, now }: Balance): number[] {
  const moments = [now];
  for (let i = 0; i < timeline.length; i += 2) {
    const due = timeline[i] as number;
    if ((timeline[i + 1] as number) > 0 && due > (moments.at(-1) as number)) moments.push(due);
  }
  return moments;
}

/** Adds an item to a timeline in order. */
export function withItem(timeline: Timeline, due: number, delta: number): Timeline {
  let i = timeline.length;
  while (i > 0) {
    const other = timeline[i - 2] as number;
    // Supply comes before the promises of its moment, so that a promise may use it.
    if (other < due || (other === due && (delta < 0 || (timeline[i - 1] as number) > 0))) break;
    i -= 2;
  }
  return timeline.toSpliced(i, 0, due, delta);
}

/** Units of a group that are held, allocated or promised, including those on their way to the journal. */
export type ActiveUnits = (group: string) => number;

/** Units that are kept for groups to which the asker does not belong: keep(c). */
export function keptFromOthers({ protect }: KeyPolicy, { channel, purpose }: Asker, active: ActiveUnits): number {
  let kept = 0;
  for (const [group, units] of protect)
    if (group !== channel && group !== purpose) kept += Math.max(0, units - active(group));
  return kept;
}

/** What the caps of the asker's groups leave; infinite without a cap. */
export function leftOfCap({ cap }: KeyPolicy, { channel, purpose }: Asker, active: ActiveUnits): number {
  let left = Number.POSITIVE_INFINITY;
  for (const [group, units] of cap)
    if (group === channel || group === purpose) left = Math.min(left, units - active(group));
  return left;
}

/** Units that the asker may be promised without a date beyond all supply; undefined if no policy allows it. */
export function backorderAllowance({ backorder }: KeyPolicy, { channel, purpose }: Asker): number | undefined {
  const byChannel = channel === undefined ? undefined : backorder.get(channel);
  return byChannel ?? (purpose === undefined ? undefined : backorder.get(purpose));
}

/** Whether a location serves a channel. A request without a channel is served everywhere. */
export function serves({ channels }: KeyPolicy, { channel }: Asker): boolean {
  return channels === undefined || channel === undefined || channels.has(channel);
}
