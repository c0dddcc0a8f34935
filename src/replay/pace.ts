/**
 * Decides when a fact is played, and with which stamps. The clock is the caller's; this file only computes. It counts
 * microseconds, so fine stamps stay apart.
 *
 *  PC1 At speed N a fact is due when (its occurredAt − the first fact's) / N has passed since the first was played. A fact
 *     that happened before one already played is due at once. At `max` everything is due at once.
 *  PC2 `fromNow` moves all stamps of all facts by one constant offset, which brings the first fact to now.
 *  PC3 `compress` makes stamps follow the compressed clock instead, so a fact's stamp is the moment it is due. Quiet
 *     stretches longer than `longestGapMs` are cut to that. It is for demos, because it changes how far apart things
 *     happened.
 */
import { formatInstant, parseDateOrInstant, parseInstant } from '../../streams/instant.ts';
import type { SentFact } from './entry.ts';

export type Speed = number | 'max';

export interface PaceOptions {
  readonly speed: Speed;
  readonly fromNow?: boolean | undefined;
  /** Requires a speed that is a number. */
  readonly compress?: boolean | undefined;
  /** Only with `compress`, in the facts' own time. */
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
  #firstAt = 0;
  #latestAt = 0;
  /** Time played up to latestAt on the facts' own clock, without the parts that were cut (PC3). */
  #playedMicros = 0;

  /** @param nowMs the current time; called once, when the first fact is played */
  constructor(options: PaceOptions, nowMs: () => number) {
    if (options.compress === true && options.speed === 'max')
      throw new RangeError('compress needs a speed that is a number');
    this.#options = options;
    this.#nowMs = nowMs;
  }

  /** Takes the next fact, in file order. A fact without a readable occurredAt is played at once, unchanged (PC1). */
  next(fact: SentFact): Played {
    const at = typeof fact.occurredAt === 'string' ? parseInstant(fact.occurredAt) : undefined;
    if (at === undefined) return { fact, dueMs: undefined };
    const { speed, fromNow, compress } = this.#options;
    const anchor = this.#start(at);
    const playedMicros = this.#advance(at);
    const dueMicros = speed === 'max' ? undefined : anchor + Math.round(playedMicros / speed);
    const dueMs = dueMicros === undefined ? undefined : dueMicros / 1000;
    if (compress === true && dueMicros !== undefined && speed !== 'max') {
      return { fact: restamp(fact, (stamp) => dueMicros + Math.round((stamp - at) / speed)), dueMs };
    }
    if (fromNow === true) return { fact: restamp(fact, (stamp) => stamp + anchor - this.#firstAt), dueMs };
    return { fact, dueMs };
  }

  #start(at: number): number {
    if (this.#anchorMicros === undefined) {
      this.#anchorMicros = Math.floor(this.#nowMs()) * 1000;
      this.#firstAt = at;
      this.#latestAt = at;
    }
    return this.#anchorMicros;
  }

  #advance(at: number): number {
    const gap = at - this.#latestAt;
    if (gap <= 0) return this.#playedMicros + gap;
    const { compress, longestGapMs } = this.#options;
    const longest = compress === true && longestGapMs !== undefined ? longestGapMs * 1000 : gap;
    this.#latestAt = at;
    this.#playedMicros += Math.min(gap, longest);
    return this.#playedMicros;
  }
}

// All stamps of a fact move by the same rule, so with `fromNow` they keep their distances (PC2).
function restamp(fact: SentFact, move: (micros: number) => number): SentFact {
  const moved: Record<string, unknown> = { ...fact };
  for (const field of STAMPS) {
    const value = fact[field];
    const micros = typeof value === 'string' ? parseDateOrInstant(value) : undefined;
    if (micros !== undefined) moved[field] = formatInstant(move(micros));
  }
  return moved;
}
