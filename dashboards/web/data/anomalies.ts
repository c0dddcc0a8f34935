/**
 * Every unresolved anomaly, kept up to date by the live feed, and those that were resolved while the page is open.
 *
 * Invariants:
 *  AN1 Of two values of one anomaly, the one that was updated later wins, whichever way it came.
 *  AN2 After a reconnect the server's list decides what is still there, so anomalies resolved in between disappear.
 */
import { computed, signal } from '@preact/signals';
import type { Anomaly } from '../../topics.ts';
import { announce } from '../base/announce.ts';
import { words } from '../base/format.ts';
import { onOpen } from './live-socket.ts';
import { ask } from './requests.ts';

/** Number of resolved anomalies that are kept. Older ones are requested from the server. */
const RESOLVED_KEPT = 200;
const ANNOUNCE_EVERY_MS = 10_000;

const all = signal<ReadonlyMap<string, Anomaly> | undefined>(undefined);
let announcedAt = Number.NEGATIVE_INFINITY;

/** Undefined until the server's list or the feed has come. Unresolved first, then most severe, then newest. */
export const anomalies = computed(() => (all.value === undefined ? undefined : sorted([...all.value.values()])));
export const unresolved = computed(() => anomalies.value?.filter(({ state }) => state !== 'resolved'));

// A value older than the known one is skipped, because a request and the feed can cross (AN1).
export function takeAnomalies(changed: readonly Anomaly[]): void {
  const next = new Map(all.value);
  for (const anomaly of changed) {
    const known = next.get(anomaly.id);
    if (known !== undefined && Date.parse(known.updatedAt) > Date.parse(anomaly.updatedAt)) continue;
    if (known === undefined && all.value !== undefined) tellOf(anomaly);
    next.set(anomaly.id, anomaly);
  }
  const resolved = sorted([...next.values()].filter(({ state }) => state === 'resolved'));
  for (const { id } of resolved.slice(RESOLVED_KEPT)) next.delete(id);
  all.value = next;
}

export async function actOn(
  id: string,
  step: 'acknowledge' | 'resolve',
  said: { readonly by: string; readonly why: string },
): Promise<void> {
  const answer = await ask<Partial<Anomaly>>(`/v1/anomalies/${encodeURIComponent(id)}/${step}`, said);
  if (answer.id === id && answer.kind !== undefined) takeAnomalies([answer as Anomaly]);
}

// Keeps an unresolved anomaly only if the server still lists it (AN2).
async function reread(): Promise<void> {
  const [open, acknowledged] = await Promise.all(
    ['open', 'acknowledged'].map((state) => ask<{ anomalies: Anomaly[] }>(`/v1/anomalies?state=${state}`)),
  );
  const there = [...(open?.anomalies ?? []), ...(acknowledged?.anomalies ?? [])];
  const ids = new Set(there.map(({ id }) => id));
  all.value = new Map([...(all.value ?? [])].filter(([id, { state }]) => state === 'resolved' || ids.has(id)));
  takeAnomalies(there);
}

onOpen(() => {
  // If the list fails, the feed's first messages are enough, because it sends every unresolved anomaly.
  reread().catch(() => {
    all.value ??= new Map();
  });
});

/** Announces only open critical anomalies, and no more often than a listener can hear them out. */
function tellOf({ severity, state, kind, data }: Anomaly): void {
  const now = performance.now();
  if (severity !== 'critical' || state !== 'open' || now - announcedAt < ANNOUNCE_EVERY_MS) return;
  announcedAt = now;
  announce(`Critical anomaly: ${words(kind)}. ${data.says}`);
}

const RANK = { critical: 0, warning: 1, info: 2 };

function sorted(list: Anomaly[]): Anomaly[] {
  return list.sort(
    (a, b) =>
      Number(a.state === 'resolved') - Number(b.state === 'resolved') ||
      RANK[a.severity] - RANK[b.severity] ||
      (a.at < b.at ? 1 : a.at > b.at ? -1 : 0),
  );
}
