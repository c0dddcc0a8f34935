/**
 * Reads pages of the stream EVENTS for people and programs that ask over HTTP. A page may wait for its first event.
 *
 * Invariant ER1: a page leaves out no event of its kinds between `after` and `next`.
 */
import { LIMITS } from '../../config/limits.ts';
import { EVENTS_STREAM } from '../../config/topology.ts';
import { BrokerError, type FollowedMessage, type Following, type StreamFacts } from '../broker.ts';
import type { ReadingDeps } from './follower.ts';

export interface EventsWanted {
  /** Only events behind this sequence. */
  readonly after?: number | undefined;
  /** Only events that were published at or after this moment, in microseconds since 1970. */
  readonly fromMicros?: number | undefined;
  readonly subjects: readonly string[];
  readonly limit: number;
  /** How long to wait for the first event. */
  readonly waitMs: number;
}
export interface EventsPage {
  readonly events: readonly { readonly seq: number; readonly data: Uint8Array }[];
  /** `after` of the next page. */
  readonly next: number;
  /** The last sequence of the stream. A caller whose `after` is beyond it has read another stream. */
  readonly last: number;
}

/** Rejects with a BrokerError. */
export async function readEvents(deps: ReadingDeps, wanted: EventsWanted): Promise<EventsPage> {
  const stream = await deps.broker.stream(EVENTS_STREAM);
  if (stream === undefined) throw new BrokerError('unknown', `the stream ${EVENTS_STREAM} is not there`);
  const { fromMicros, after = fromMicros === undefined ? 0 : await before(deps, stream, fromMicros) } = wanted;
  const last = stream.lastSeq;
  if (after > last) return { events: [], next: after, last };
  const { found, whole } = await collected(deps, wanted, after);
  const reached = found.at(-1)?.seq ?? after;
  // A page that may have missed something ends at what it has (ER1).
  return { events: found, next: whole ? Math.max(reached, last) : reached, last };
}

/** The sequence before the first message that was stored at or after a moment. */
async function before({ broker }: ReadingDeps, { firstSeq, lastSeq }: StreamFacts, micros: number): Promise<number> {
  let [low, high] = [firstSeq, lastSeq + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const message = await broker.message(EVENTS_STREAM, middle);
    // A message that is gone was older than those that are there.
    if (message === undefined || message.recordedAt < micros) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

interface Collected {
  readonly found: readonly { readonly seq: number; readonly data: Uint8Array }[];
  /** Whether the stream held no more of these kinds when reading began. */
  readonly whole: boolean;
}

async function collected({ broker, clock }: ReadingDeps, wanted: EventsWanted, after: number): Promise<Collected> {
  const { subjects, limit, waitMs } = wanted;
  const found: { seq: number; data: Uint8Array }[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    let following: Following | undefined;
    let over = false;
    const end = (whole: boolean) => {
      if (over) return;
      over = true;
      cancel();
      following?.close();
      resolve({ found, whole });
    };
    const cancel = clock.after(waitMs + LIMITS.eventsReadMs, () => end(false));
    const message = ({ seq, data, pending }: FollowedMessage) => {
      if (over) return;
      found.push({ seq, data });
      bytes += data.length;
      if (found.length === limit || bytes >= LIMITS.eventsPageBytes) end(false);
      else if (pending === 0) end(true);
    };
    broker
      .follow(
        EVENTS_STREAM,
        { filters: subjects, from: after + 1, batch: Math.min(limit, LIMITS.factsPerPull) },
        { message, alive: () => undefined, broken: () => end(false) },
      )
      .then(
        (begun) => {
          following = begun;
          if (over) begun.close();
          else if (begun.pending === 0) {
            if (waitMs === 0) end(true);
            else clock.after(waitMs, () => end(found.length === 0));
          }
        },
        (error) => {
          cancel();
          reject(error);
        },
      );
  });
}
