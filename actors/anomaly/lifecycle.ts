/**
 * The durable life of an anomaly: open → acknowledged → resolved, by itself or by a person. Pure: what is stored, and what the detectors
 * say now, give what is to be stored.
 *
 * Invariants:
 *  LC1 Acknowledged stays acknowledged until it is resolved, whatever the detectors tell meanwhile.
 *  LC2 What a person resolved opens again only for a later episode of its cause. What resolved by itself opens again whenever its cause is there.
 *  LC3 A person's step that was done already changes nothing; one that no longer fits is a Refusal.
 */
import type { Anomaly } from '../../streams/contract/anomaly.ts';
import { formatInstant } from '../../streams/instant.ts';
import { Refusal } from '../ports/refusal.ts';
import type { Alarm } from './detect/alarms.ts';

/** What a bucket holds: the anomaly as it is shown, and which episode of its cause it speaks of. */
export interface StoredAnomaly extends Anomaly {
  readonly episode: number;
}
export type PersonStep = 'acknowledge' | 'resolve';
export interface Person {
  readonly by: string;
  readonly why: string;
}

const GONE = 'its cause is gone';

/** What is to be stored now; the very same object if nothing changes. `alarm` is undefined when the detectors have it no more. */
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
    // LC2.
    return stored.resolved?.by === undefined || alarm.episode > stored.episode ? opened(id, alarm, now) : stored;
  if (stored.data.says === alarm.says && stored.severity === alarm.severity && stored.episode >= alarm.episode)
    return stored;
  const { severity, says, figures } = alarm;
  const episode = Math.max(alarm.episode, stored.episode);
  // The state stays as a person left it (LC1).
  return { ...stored, severity, updatedAt: now, data: { ...figures, says }, episode };
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

/** A person's step; the very same object if it was done already (LC3). */
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

/** As others are told of it. */
export function shown(stored: StoredAnomaly): Anomaly {
  const { episode, ...anomaly }: Anomaly & { episode?: number } = stored;
  void episode;
  return anomaly;
}
