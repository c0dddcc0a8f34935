/**
 * The durable life of an anomaly: open → acknowledged → resolved. It resolves by itself or by a person. All functions here are pure: they
 * derive the anomaly to store from the stored one and the detectors' present alarm.
 *
 * Invariants:
 *  LC1 An acknowledged anomaly stays acknowledged until it is resolved, whatever the detectors report.
 *  LC2 An anomaly that a person resolved opens again only for a later episode of its cause. An anomaly that resolved by itself opens again
 *      whenever its cause is present.
 *  LC3 A person's step that was already taken changes nothing. A step that no longer fits is a Refusal.
 */
import type { Anomaly } from '../../streams/contract/anomaly.ts';
import type { AnomalyChange } from '../../streams/contract/events.ts';
import { formatInstant } from '../../streams/instant.ts';
import { Refusal } from '../ports/refusal.ts';
import type { Alarm } from './detect/alarms.ts';

/** The stored form: the anomaly as it is shown, and the episode of its cause that it is about. */
export interface StoredAnomaly extends Anomaly {
  readonly episode: number;
  /** How it changed when it was stored. Holdfast 0.2 did not store that. */
  readonly change?: AnomalyChange;
}
export type PersonStep = 'acknowledge' | 'resolve';
export interface Person {
  readonly by: string;
  readonly why: string;
}

const GONE = 'its cause is gone';

/** The anomaly to store now; the same object if nothing changes. `alarm` is undefined if the detectors no longer have it open. */
export function reconciled(
  id: string,
  stored: StoredAnomaly | undefined,
  alarm: Alarm | undefined,
  nowMs: number,
): StoredAnomaly | undefined {
  const now = formatInstant(nowMs * 1000);
  if (alarm === undefined) {
    if (stored === undefined || stored.state === 'resolved') return stored;
    return { ...stored, state: 'resolved', updatedAt: now, resolved: { why: GONE, at: now } };
  }
  if (stored === undefined) return opened(id, alarm, now);
  if (stored.state === 'resolved')
    // A person's resolution holds for the whole episode (LC2).
    return stored.resolved?.by === undefined || alarm.episode > stored.episode ? opened(id, alarm, now) : stored;
  const { severity, says, figures } = alarm;
  const told = { ...figures, says };
  const same = Object.entries(told).every(([name, value]) => stored.data[name] === value);
  if (same && stored.severity === severity && stored.episode >= alarm.episode) return stored;
  const episode = Math.max(alarm.episode, stored.episode);
  // The state stays as a person left it (LC1).
  return { ...stored, severity, updatedAt: now, data: told, episode };
}

function opened(
  id: string,
  { kind, severity, sku, location, at, says, figures, episode }: Alarm,
  now: string,
): StoredAnomaly {
  return {
    id,
    kind,
    severity,
    ...(sku === undefined ? {} : { sku }),
    ...(location === undefined ? {} : { location }),
    at: formatInstant(at),
    updatedAt: now,
    state: 'open',
    data: { ...figures, says },
    episode,
  };
}

/** The anomaly after a person's step; the same object if the step was already taken (LC3). */
export function stepped(stored: StoredAnomaly, step: PersonStep, { by, why }: Person, nowMs: number): StoredAnomaly {
  const at = formatInstant(nowMs * 1000);
  if (step === 'resolve') {
    if (stored.state === 'resolved') return stored;
    return { ...stored, state: 'resolved', updatedAt: at, resolved: { by, why, at } };
  }
  if (stored.state === 'resolved')
    throw new Refusal('already-resolved', `anomaly ${stored.id} is resolved: ${stored.resolved?.why ?? GONE}`);
  if (stored.state === 'acknowledged') return stored;
  return { ...stored, state: 'acknowledged', updatedAt: at, acknowledged: { by, why, at } };
}

/** The anomaly as it is shown outside, without its episode and how it changed. */
export function shown(stored: StoredAnomaly): Anomaly {
  const { episode, change, ...anomaly }: Anomaly & { episode?: number; change?: AnomalyChange } = stored;
  void [episode, change];
  return anomaly;
}

/** How an anomaly changes when `next` is stored in place of the one before. */
export function changeOf(before: StoredAnomaly | undefined, next: StoredAnomaly): AnomalyChange {
  if (next.state === before?.state) return 'updated';
  return next.state === 'open' ? 'raised' : next.state;
}
