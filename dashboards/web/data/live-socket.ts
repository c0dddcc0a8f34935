/**
 * The socket to `/v1/live`: topics that are wanted, messages that come, and whether they still do.
 *
 * Invariants:
 *  SO1 What is wanted is asked again after every reconnect; the feed then sends present values first, so nothing is missed.
 *  SO2 Attempts back off up to MAX_WAIT_MS, with chance in them, so that a thousand pages do not return at one moment.
 *  SO3 An open socket that has said nothing for SILENT_MS counts as lost: a cable that was pulled closes nothing.
 */

import { signal } from '@preact/signals';
import { backOffMs } from '../../../streams/clock.ts';
import type { TopicMessage } from '../../topics.ts';

export interface Link {
  readonly phase: 'connecting' | 'open' | 'lost';
  /** When it was lost; null while it is not. */
  readonly lostAt: number | null;
  /** When the next attempt begins; null while none is due. */
  readonly retryAt: number | null;
  /** When the last message came; null before the first. */
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

/** Connects for as long as the page is open. */
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

/** Called after each time that the socket opens. */
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

// SO1.
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

// SO2.
function lost(): void {
  socket = undefined;
  const wait = backOffMs(attempts, FIRST_WAIT_MS, MAX_WAIT_MS) * (0.5 + Math.random() / 2);
  attempts += 1;
  const now = Date.now();
  link.value = { ...link.value, phase: 'lost', lostAt: link.value.lostAt ?? now, retryAt: now + wait };
  clearTimeout(retry);
  retry = setTimeout(connect, wait);
}

// SO3.
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
