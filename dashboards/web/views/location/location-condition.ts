/** The condition of a location as one word: the worst that applies. Pure. */
import type { LocationBrief } from '../../../topics.ts';
import { plural } from '../../base/format.ts';
import type { Tone } from '../../base/tone.ts';
import type { IconName } from '../../parts/icon.tsx';

export interface LocationCondition {
  readonly state: 'oversold' | 'negative' | 'anomalies' | 'stock-outs' | 'fine';
  readonly tone: Tone;
  readonly icon: IconName;
  readonly words: string;
}

export function conditionOf(
  brief: Pick<LocationBrief, 'oversold' | 'negative' | 'openAnomalies' | 'stockOuts'>,
): LocationCondition {
  const { oversold, negative, openAnomalies, stockOuts } = brief;
  if (oversold > 0) {
    return { state: 'oversold', tone: 'bad', icon: 'critical', words: `${plural(oversold, 'unit')} oversold` };
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
