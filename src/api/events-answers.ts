/** Answers to requests for events. At most LIMITS.eventsWaiting pages are read or waited for at once. */
import { Refusal } from '../../actors/ports/refusal.ts';
import { LIMITS } from '../../config/limits.ts';
import { type CloudEvent, type EventsAnswer, eventsQuery, subjectsOf } from '../../streams/contract/events.ts';
import { readEvents } from '../../streams/read/events.ts';
import type { ReadingDeps } from '../../streams/read/follower.ts';
import { invalid, validQuery } from './checks.ts';

export class EventsAnswers {
  readonly #deps: ReadingDeps;
  #reading = 0;

  constructor(deps: ReadingDeps) {
    this.#deps = deps;
  }

  async page(query: unknown): Promise<EventsAnswer> {
    const { after, from, kind = ['*'], limit, wait } = validQuery(eventsQuery, query);
    if (this.#reading >= LIMITS.eventsWaiting)
      throw new Refusal('busy', `${this.#reading} callers wait for events at this node`);
    this.#reading += 1;
    try {
      const { events, next, last } = await readEvents(this.#deps, {
        after,
        fromMicros: from === undefined ? undefined : Date.parse(from) * 1000,
        subjects: subjectsOf(kind),
        limit,
        waitMs: wait * 1000,
      });
      if (after !== undefined && after > last)
        throw invalid([{ field: 'after', message: `must be at most ${last}, where the stream ends` }]);
      return { events: events.map(({ seq, data }) => ({ ...read(data), sequence: String(seq) })), next: String(next) };
    } finally {
      this.#reading -= 1;
    }
  }
}

function read(data: Uint8Array): CloudEvent {
  return JSON.parse(Buffer.from(data).toString()) as CloudEvent;
}
