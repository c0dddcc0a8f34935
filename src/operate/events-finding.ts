/** What `holdfast doctor` says of events: the stream that holds them, and nodes that cannot publish. */
import { EVENTS_STREAM } from '../../config/topology.ts';
import type { Broker } from '../../streams/broker.ts';

/** An outbox that has published nothing for so long is in trouble. */
const STALLED_SECONDS = 15;

interface EventsFinding {
  readonly what: string;
  readonly state: 'good' | 'warning';
  readonly says: string;
  readonly remedy: string;
}

export async function examineEvents(broker: Pick<Broker, 'stream'>): Promise<EventsFinding> {
  const what = `stream ${EVENTS_STREAM}`;
  const stream = await broker.stream(EVENTS_STREAM);
  if (stream === undefined)
    return { what, state: 'warning', says: 'is not there', remedy: 'start a node once: it makes the stream' };
  return {
    what,
    state: 'good',
    says: `${stream.messages} events from ${stream.firstSeq} to ${stream.lastSeq}`,
    remedy: '',
  };
}

/** @param metrics text of a node's /metrics */
export function stalledOutbox(metrics: string): { says: string; remedy: string } | undefined {
  const seconds = figure(metrics, 'outbox_stalled_seconds');
  if (seconds < STALLED_SECONDS) return undefined;
  return {
    says: `is ready, but has published no event for ${Math.round(seconds)} s, and ${figure(metrics, 'outbox_lag_events')} wait`,
    remedy: `look at the stream ${EVENTS_STREAM} and the room of NATS; nothing is lost, and stock goes on`,
  };
}

/** A figure of the metrics without labels; 0 if the node has none such. */
function figure(metrics: string, name: string): number {
  return Number(new RegExp(`^holdfast_${name} (\\S+)`, 'm').exec(metrics)?.[1] ?? 0);
}
