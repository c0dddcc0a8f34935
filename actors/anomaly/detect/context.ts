/** The state that the detectors of one partition share, and the way an alarm names its stock key. */
import type { AnomalyParameters } from '../../../config/anomalies.ts';
import type { StockKey } from '../../stock/state.ts';
import type { Alarms } from './alarms.ts';
import type { KeyStates } from './key-states.ts';
import type { LocationClocks } from './location-clock.ts';

export interface DetectorContext {
  readonly parameters: AnomalyParameters;
  readonly alarms: Alarms;
  readonly clocks: LocationClocks;
  readonly states: KeyStates;
}

/** The cause of an alarm about a stock key as a whole. */
export function causeOf(key: StockKey): string {
  return `${key.sku.name}\u0001${key.location}`;
}

export function whereOf(key: StockKey): { sku: string; location: string } {
  return { sku: key.sku.name, location: key.location };
}

/** `1 unit`, `3 units`. */
export function counted(amount: number, noun: string): string {
  return `${amount} ${noun}${Math.abs(amount) === 1 ? '' : 's'}`;
}

/** Rounded to two significant digits. */
export function rounded(value: number): number {
  return Number(value.toPrecision(2));
}
