/**
 * The newest message of each topic, as signals. Topics of the whole system are always subscribed, and others while a view
 * shows them.
 *
 * Invariant DT1: messages are conflated to the newest per key and applied together every APPLY_MS, so a burst draws once.
 */
import { type Signal, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { AnomalyTopic, KpiTopic, SystemTopic, TopicMessage } from '../../topics.ts';
import { takeAnomalies } from './anomalies.ts';
import { takeKpi } from './history.ts';
import { startLive, unwant, want } from './live-socket.ts';

const APPLY_MS = 60;
/** A topic stays subscribed for this long, so a view that is soon entered again keeps it. */
const LINGER_MS = 2_000;

const topics = new Map<string, Signal<TopicMessage | undefined>>();
const readers = new Map<string, number>();
let waiting = new Map<string, TopicMessage>();
let applying = false;

export const kpi = of<KpiTopic>('kpi');
export const system = of<SystemTopic>('system');

export function startTopics(): void {
  startLive(['kpi', 'anomaly', 'system'], (message) => {
    const key = message.topic === 'anomaly' ? `anomaly ${(message.data as AnomalyTopic).id}` : message.topic;
    waiting.set(key, message);
    if (applying) return;
    applying = true;
    setTimeout(apply, APPLY_MS);
  });
}

/** The newest message of `kind:ID` while the calling component is shown; undefined until there is one. */
export function useTopic<Data>(kind: 'atp' | 'stock' | 'location', id: string): TopicMessage<Data> | undefined {
  const topic = `${kind}:${encodeURIComponent(id)}`;
  useEffect(() => {
    const count = readers.get(topic) ?? 0;
    readers.set(topic, count + 1);
    if (count === 0) want(topic);
    return () => void setTimeout(leave, LINGER_MS, topic);
  }, [topic]);
  return of<Data>(topic).value;
}

function leave(topic: string): void {
  const count = (readers.get(topic) ?? 1) - 1;
  readers.set(topic, count);
  if (count > 0) return;
  readers.delete(topic);
  topics.delete(topic);
  unwant(topic);
}

function of<Data>(topic: string): Signal<TopicMessage<Data> | undefined> {
  let known = topics.get(topic);
  if (known === undefined) {
    known = signal(undefined);
    topics.set(topic, known);
  }
  return known as Signal<TopicMessage<Data> | undefined>;
}

// Applies everything since the last turn in one go, so a burst draws once (DT1).
function apply(): void {
  applying = false;
  const taken = waiting;
  waiting = new Map();
  const anomalies: AnomalyTopic[] = [];
  for (const message of taken.values()) {
    if (message.topic === 'anomaly') anomalies.push(message.data as AnomalyTopic);
    else {
      if (message.topic === 'kpi') takeKpi(message as TopicMessage<KpiTopic>);
      of(message.topic).value = message;
    }
  }
  if (anomalies.length > 0) takeAnomalies(anomalies);
}
