/**
 * The one answer of the page: are we promising what we have? Pure.
 *
 * Invariants:
 *  VE1 There is no answer before figures, owners and anomalies have all arrived. "Yes" needs an owner for every partition, and no unit that
 *     is promised beyond what is there.
 *  VE2 The worst condition that applies decides, and each answer gives its number.
 *  VE3 "No" is about promises. A stock key below zero is short of units too, but breaks no promise while nothing of it is promised. A
 *     promise is broken where a shortfall anomaly says that more is promised than is there.
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
  const { shortfall, negative, stockKeys, units: sum } = kpi;
  const promised = sum.held + sum.allocated;
  // A shortfall means broken promises; stock below zero alone does not (VE3).
  const broken = unresolved.filter(({ kind }) => kind === 'shortfall').length;
  if (broken > 0) {
    return { word: 'No', tone: 'bad', says: `More is promised than is there: of ${plural(broken, 'stock key')}.` };
  }
  if (ownerless > 0) {
    const of = `${ownerless} of ${plural(system.partitions, 'partition')}`;
    return { word: 'Partly', tone: 'bad', says: `${of} have no owner: what they hold cannot be promised now.` };
  }
  if (stockKeys === 0)
    return { word: 'No stock', tone: 'plain', says: 'No fact has come yet: nothing is known to promise.' };
  if (negative > 0 || shortfall > 0) {
    const below = `${plural(negative, 'stock key')} ${negative === 1 ? 'is' : 'are'} below zero, ${plural(shortfall, 'unit')} short`;
    return { word: 'Yes, but', tone: 'warn', says: `No promise is broken, yet ${below}: book and shelf disagree.` };
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
