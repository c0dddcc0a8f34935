/**
 * The one answer of the page: are we promising what we have? Pure.
 *
 * Invariants:
 *  VE1 There is no answer before figures, owners and anomalies have all arrived. "Yes" needs an owner for every partition, and every
 *     promised unit to be there.
 *  VE2 The worst condition that applies decides, and each answer gives its number.
 *  VE3 "No" is about promises: oversold units, which are promised and not there. A book below zero breaks no promise while nothing of it
 *     is promised.
 */
import type { Anomaly, KpiTopic, SystemTopic } from '../../topics.ts';
import { plural, units } from '../base/format.ts';
import type { Tone } from '../base/tone.ts';

export interface PromiseStatus {
  readonly word: string;
  readonly tone: Tone;
  readonly says: string;
}

/** The first condition that applies decides, so the worst is checked first (VE1, VE2). */
export function promiseStatus(
  kpi: KpiTopic | undefined,
  system: SystemTopic | undefined,
  unresolved: readonly Anomaly[] | undefined,
): PromiseStatus {
  if (kpi === undefined || system === undefined || unresolved === undefined)
    return { word: '…', tone: 'plain', says: 'Waiting for the first numbers.' };
  const ownerless = system.owners.filter((owner) => owner === null).length;
  const { oversold, negative, negativeUnits, stockKeys, units: sum } = kpi;
  const promised = sum.held + sum.allocated;
  // Oversold units are broken promises; a book below zero alone is none (VE3).
  if (oversold > 0) {
    const missing = `${units(oversold)} of ${plural(promised, 'promised unit')} ${oversold === 1 ? 'is' : 'are'} not there`;
    return { word: 'No', tone: 'bad', says: `${missing}${placesOf(unresolved)}. Count the shelf or move the order.` };
  }
  if (ownerless > 0) {
    const of = `${ownerless} of ${plural(system.partitions, 'partition')}`;
    return { word: 'Partly', tone: 'bad', says: `${of} have no owner: what they hold cannot be promised now.` };
  }
  if (stockKeys === 0)
    return { word: 'No stock', tone: 'plain', says: 'No fact has come yet: nothing is known to promise.' };
  if (negative > 0) {
    const below = `${plural(negative, 'stock key')} ${negative === 1 ? 'is' : 'are'} below zero, by ${plural(negativeUnits, 'unit')}`;
    const says = `All promised units are there, but ${below}. Book the missing receipt or count the shelf.`;
    return { word: 'Yes, but', tone: 'warn', says };
  }
  const critical = unresolved.filter(({ severity, state }) => severity === 'critical' && state === 'open').length;
  if (critical > 0) {
    const open = plural(critical, 'critical anomaly', 'critical anomalies');
    return { word: 'Yes, but', tone: 'warn', says: `Promises are covered; ${open} still open.` };
  }
  return {
    word: 'Yes',
    tone: 'good',
    says:
      promised === 0 ? 'Nothing is promised beyond what is there.' : `All ${units(promised)} promised units are there.`,
  };
}

/** Names the first oversold stock key. Its anomaly may arrive a moment after the figures. */
function placesOf(unresolved: readonly Anomaly[]): string {
  const [first, ...others] = unresolved.filter(({ kind }) => kind === 'shortfall');
  if (first === undefined) return '';
  const more = others.length === 0 ? '' : ` and ${plural(others.length, 'other stock key')}`;
  return `: ${first.sku} at ${first.location}${more}`;
}
