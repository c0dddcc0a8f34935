/** The condition of a location as one word: the worst that applies. Pure. */
import type { LocationBrief } from '../../../topics.ts';
import { plural } from '../../base/format.ts';
import type { Tone } from '../../base/tone.ts';
import type { IconName } from '../../parts/icon.tsx';

export interface LocationCondition {
  readonly state: 'short' | 'negative' | 'anomalies' | 'stock-outs' | 'fine';
  readonly tone: Tone;
  readonly icon: IconName;
  readonly words: string;
}

export function conditionOf(
  brief: Pick<LocationBrief, 'shortfall' | 'negative' | 'openAnomalies' | 'stockOuts'>,
): LocationCondition {
  const { shortfall, negative, openAnomalies, stockOuts } = brief;
  if (shortfall > 0) {
    return { state: 'short', tone: 'warn', icon: 'warning', words: `${plural(shortfall, 'unit')} short` };
  }
  if (negative > 0) {
    return { state: 'negative', tone: 'warn', icon: 'warning', words: `${plural(negative, 'key')} below zero` };
  }
  if (openAnomalies > 0) {
    const open = plural(openAnomalies, 'open anomaly', 'open anomalies');
    return { state: 'anomalies', tone: 'warn', icon: 'warning', words: open };
  }
  if (stockOuts > 0) {
    return { state: 'stock-outs', tone: 'plain', icon: 'empty', words: `${plural(stockOuts, 'stock-out')}` };
  }
  return { state: 'fine', tone: 'good', icon: 'good', words: 'all in order' };
}
