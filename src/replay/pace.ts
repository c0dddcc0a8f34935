/**
 * Decides when a fact is played, and with which stamps. The clock is the caller's; this file only computes. It counts
 * microseconds, so fine stamps stay apart.
 *
 *  PC1 At speed N a fact is due when (its occurredAt − the first fact's) / N has passed since the first was played. A fact
 *     that happened before one already played is due at once. At `max` everything is due at once.
 *  PC2 `fromNow` makes stamps follow the clock of the replay. With a speed, a fact happened at the moment it is due, and at `max` at
 *     the moment it is played, in file order. So no fact lies in the future. Facts of one moment still share one.
 *  PC3 Quiet stretches longer than `longestGapMs` are cut to that. It is for demos, because it changes how far apart things happened.
 */
import { formatInstant, parseDateOrInstant, parseInstant } from '../../streams/instant.ts';
import type { SentFact } from './entry.ts';

export type Speed = number | 'max';

export interface PaceOptions {
  readonly speed: Speed;
  readonly fromNow?: boolean | undefined;
  /** In the facts' own time. */
  readonly longestGapMs?: number | undefined;
}
export interface Played {
  readonly fact: SentFact;
  /** Wall time in milliseconds since 1970; undefined means at once. */
  readonly dueMs: number | undefined;
}

/** Fields that hold moments. */
const STAMPS = ['occurredAt', 'eta', 'promisedAt'] as const;
export const SPEED_RULE = 'a number above 0, such as 60 (an hour in a minute), or max';

/** Reads `--speed`; undefined if the text is not a speed. */
export function parseSpeed(text: string): Speed | undefined {
  if (text === 'max') return 'max';
  if (!/^\d{1,9}(\.\d{1,6})?$/.test(text)) return undefined;
  const speed = Number(text);
  return speed > 0 ? speed : undefined;
}

export class Pace {
  readonly #options: PaceOptions;
  readonly #nowMs: () => number;
  #anchorMicros: number | undefined;
  #latestAt = 0;
  /** Time played up to latestAt on the facts' own clock, without the parts that were cut (PC3). */
  #playedMicros = 0;
  /** Moment of the last fact played at `max`, and its stamp. */
  #last = { at: Number.NaN, stamp: 0 };

  /** @param nowMs the current time */
  constructor(options: PaceOptions, nowMs: () => number) {
    this.#options = options;
    this.#nowMs = nowMs;
  }

  /** Takes the next fact, in file order. A fact without a readable occurredAt is played at once, unchanged (PC1). */
  next(fact: SentFact): Played {
    const at = typeof fact.occurredAt === 'string' ? parseInstant(fact.occurredAt) : undefined;
    if (at === undefined) return { fact, dueMs: undefined };
    const { speed, fromNow = false } = this.#options;
    if (speed === 'max') {
      if (!fromNow) return { fact, dueMs: undefined };
      const now = this.#stampAtMax(at);
      return { fact: restamp(fact, (stamp) => now + stamp - at), dueMs: undefined };
    }
    const due = this.#start(at) + Math.round(this.#advance(at) / speed);
    const moved = fromNow ? restamp(fact, (stamp) => due + Math.round((stamp - at) / speed)) : fact;
    return { fact: moved, dueMs: due / 1000 };
  }

  /** Now, but after the facts before, unless they happened at the same moment (PC2). */
  #stampAtMax(at: number): number {
    if (this.#last.at !== at)
      this.#last = { at, stamp: Math.max(Math.floor(this.#nowMs()) * 1000, this.#last.stamp + 1) };
    return this.#last.stamp;
  }

  #start(at: number): number {
    if (this.#anchorMicros === undefined) {
      this.#anchorMicros = Math.floor(this.#nowMs()) * 1000;
      this.#latestAt = at;
    }
    return this.#anchorMicros;
  }

  #advance(at: number): number {
    const gap = at - this.#latestAt;
    if (gap <= 0) return this.#playedMicros + gap;
    const { longestGapMs } = this.#options;
    const longest = longestGapMs === undefined ? gap : longestGapMs * 1000;
    this.#latestAt = at;
    this.#playedMicros += Math.min(gap, longest);
    return this.#playedMicros;
  }
}

// What is expected later moves along with the fact.
function restamp(fact: SentFact, move: (micros: number) => number): SentFact {
  const moved: Record<string, unknown> = { ...fact };
  for (const field of STAMPS) {
    const value = fact[field];
    const micros = typeof value === 'string' ? parseDateOrInstant(value) : undefined;
    if (micros !== undefined) moved[field] = formatInstant(move(micros));
  }
  return moved;
}
