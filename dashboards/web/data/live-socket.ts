/**
 * The socket to `/v1/live`: the subscribed topics, the received messages, and whether messages still arrive.
 *
 * Invariants:
 *  SO1 The page subscribes to every wanted topic again after a reconnect. The feed then sends present values first, so
 *     nothing is missed.
 *  SO2 Attempts back off up to MAX_WAIT_MS with jitter, so that a thousand pages do not return at the same moment.
 *  SO3 An open socket that has been silent for SILENT_MS counts as lost, because a pulled cable closes nothing.
 */

import { signal } from '@preact/signals';
import { backOffMs } from '../../../streams/clock.ts';
import type { TopicMessage } from '../../topics.ts';

export interface Link {
  readonly phase: 'connecting' | 'open' | 'lost';
  /** When the link was lost; null while it is not. */
  readonly lostAt: number | null;
  /** When the next attempt begins; null if none is due. */
  readonly retryAt: number | null;
  /** When the last message came or the socket last opened; null before that. */
  readonly heardAt: number | null;
}

const FIRST_WAIT_MS = 400;
const MAX_WAIT_MS = 15_000;
const SILENT_MS = 10_000;
const CONNECT_MS = 8_000;

export const link = signal<Link>({ phase: 'connecting', lostAt: null, retryAt: null, heardAt: null });

const wanted = new Set<string>();
const openers: (() => void)[] = [];
let receive: (message: TopicMessage) => void = () => undefined;
let socket: WebSocket | undefined;
let attempts = 0;
let retry: ReturnType<typeof setTimeout> | undefined;
let beganAt = 0;

/** Keeps the page connected for as long as it is open. */
export function startLive(topics: readonly string[], onMessage: (message: TopicMessage) => void): void {
  for (const topic of topics) wanted.add(topic);
  receive = onMessage;
  connect();
  setInterval(watch, 1_000);
  addEventListener('online', retryNow);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') retryNow();
  });
}

/** Calls `then` each time the socket opens. */
export function onOpen(then: () => void): void {
  openers.push(then);
}

export function want(topic: string): void {
  wanted.add(topic);
  tell({ subscribe: [topic] });
}

export function unwant(topic: string): void {
  wanted.delete(topic);
  tell({ unsubscribe: [topic] });
}

export function retryNow(): void {
  if (link.value.phase !== 'lost') return;
  clearTimeout(retry);
  connect();
}

// Every opened socket subscribes to all wanted topics (SO1).
function connect(): void {
  beganAt = Date.now();
  link.value = { ...link.value, phase: link.value.lostAt === null ? 'connecting' : 'lost', retryAt: null };
  const made = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/v1/live`);
  socket = made;
  made.onopen = () => {
    tell({ subscribe: [...wanted] });
    link.value = { ...link.value, phase: 'open', lostAt: null, retryAt: null, heardAt: Date.now() };
    for (const then of openers) then();
  };
  made.onmessage = ({ data }) => {
    if (made !== socket) return;
    attempts = 0;
    link.value = { ...link.value, heardAt: Date.now() };
    receive(JSON.parse(String(data)) as TopicMessage);
  };
  made.onclose = () => {
    if (made === socket) lost();
  };
}

// Schedules the next attempt, with back-off and jitter (SO2).
function lost(): void {
  socket = undefined;
  const wait = backOffMs(attempts, FIRST_WAIT_MS, MAX_WAIT_MS) * (0.5 + Math.random() / 2);
  attempts += 1;
  const now = Date.now();
  link.value = { ...link.value, phase: 'lost', lostAt: link.value.lostAt ?? now, retryAt: now + wait };
  clearTimeout(retry);
  retry = setTimeout(connect, wait);
}

// Runs every second, because neither a silent nor a stuck socket raises an event (SO3).
function watch(): void {
  const now = Date.now();
  const silent = link.value.phase === 'open' && now - (link.value.heardAt ?? now) > SILENT_MS;
  const stuck = socket?.readyState === WebSocket.CONNECTING && now - beganAt > CONNECT_MS;
  if (!silent && !stuck) return;
  const old = socket;
  lost();
  old?.close();
}

function tell(message: object): void {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}
