/**
 * Creates the stream EVENTS, or fits its bounds to the settings.
 *
 * Invariant EW1: events begin where the other streams ended when EVENTS was first made. These ends are recorded with EVENTS. A new
 * installation makes EVENTS first, so they are 0 and nothing is left out. In an existing one nobody gets a flood of old events.
 */
import {
  ANOMALIES_STREAM,
  EVENTS_DUPLICATE_WINDOW_MS,
  EVENTS_FROM_METADATA,
  EVENTS_STREAM,
  FACT_STREAM_NAMES,
  JOURNAL_STREAM,
} from '../../../config/topology.ts';
import { BrokerError } from '../../broker.ts';
import type { NatsBroker } from '../broker.ts';

const DEFAULT_MAX_AGE_MS = 7 * 86_400_000;

export async function provisionEvents(
  broker: NatsBroker,
  { replicas, eventsMaxAge = DEFAULT_MAX_AGE_MS }: { replicas: number; eventsMaxAge?: number | undefined },
): Promise<void> {
  const bounds = { max_age: eventsMaxAge * 1e6, duplicate_window: EVENTS_DUPLICATE_WINDOW_MS * 1e6 };
  const found = await broker.stream(EVENTS_STREAM);
  if (found !== undefined) {
    if (found.config.max_age !== bounds.max_age) await broker.updateStream(EVENTS_STREAM, bounds);
    return;
  }
  const ends: Record<string, number> = {};
  for (const name of [...FACT_STREAM_NAMES, JOURNAL_STREAM, ANOMALIES_STREAM])
    ends[name] = (await broker.stream(name))?.lastSeq ?? 0;
  try {
    await broker.addStream({
      ...bounds,
      name: EVENTS_STREAM,
      subjects: ['event.>'],
      storage: 'file',
      num_replicas: replicas,
      retention: 'limits',
      // A full stream must take new events, because nothing may wait for readers.
      discard: 'old',
      allow_direct: false,
      metadata: { [EVENTS_FROM_METADATA]: JSON.stringify(ends) },
    });
  } catch (error) {
    // Another node has made it in the meantime, and its ends hold.
    if (!(error instanceof BrokerError) || (await broker.stream(EVENTS_STREAM)) === undefined) throw error;
  }
}
