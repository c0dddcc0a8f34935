/**
 * The rules by which stored messages are judged: one list for all nodes, kept with the streams (actors/idempotency/rules-list.ts).
 *
 * Settings and programs change; what became of a stored fact must not. So an entry says from which sequence of each stream it holds, and
 * every reader (intake, rebuild, baseline, verify, explain) judges a message by the entry of its sequence.
 *
 * Invariants:
 *  RU1 The first entry holds from the beginning; sequences only grow; an entry that stands is never changed.
 *  RU2 An entry begins behind everything that is stored when it is added. A node that has judged something behind its beginning without
 *      knowing of it is told so (`late`): what it has judged is thrown away and built again.
 */

import { FACT_STREAM_NAMES, type FactStream } from '../../config/topology.ts';
import { present } from '../../streams/assert.ts';

export interface Rule {
  /** Idempotency horizon; null: off. */
  readonly horizonMs: number | null;
  /** How far a device's clock may be ahead. */
  readonly slackMs: number;
  /** config/rules.ts says what each version is. */
  readonly version: number;
}
export interface RulesEntry extends Rule {
  /**
   * The first sequence of each stream that it holds for; 1 where a stream is not named. While nodes of 0.1 live it is what they wrote: a
   * moment, in microseconds, by the clock that stamps the messages.
   */
  readonly from: Readonly<Record<string, number>> | number;
}

/** How far a state, or a copy of one, has folded the fact streams, and when that was. */
export interface FoldedPoint {
  readonly positions: Readonly<Partial<Record<FactStream, number>>>;
  readonly atMs: number;
}

export type RulesChange = 'same' | 'changed' | 'late';

export class Rules {
  #entries: readonly RulesEntry[];
  /** What was judged last of each stream. */
  readonly #judged = new Map<string, { seq: number; micros: number }>();

  /** @param entries none before the list is read: then nothing can be judged */
  constructor(entries: readonly RulesEntry[] = []) {
    this.#entries = entries;
  }

  /** Takes a list that was read. What it says of `late` must be acted on at once, before anything else is judged or copied. */
  adopt(entries: readonly RulesEntry[]): RulesChange {
    // RU1.
    if (entries.length < this.#entries.length)
      throw new Error(
        'the list of rules, which is metadata of stream JOURNAL, has lost entries: end all nodes and restore it',
      );
    const added = entries.slice(this.#entries.length);
    this.#entries = entries;
    if (added.length === 0) return 'same';
    const judged = [...this.#judged];
    const late = added.some((entry) => judged.some(([stream, at]) => holds(entry, stream, at.seq, at.micros)));
    // RU2.
    return late ? 'late' : 'changed';
  }

  /** The rule for a stored message that is judged now. */
  at(stream: FactStream, { seq, recordedAt }: { readonly seq: number; readonly recordedAt: number }): Rule {
    const judged = this.#judged.get(stream);
    if (judged === undefined) this.#judged.set(stream, { seq, micros: recordedAt });
    else if (seq > judged.seq) {
      judged.seq = seq;
      judged.micros = recordedAt;
    }
    return this.#entryAt(stream, seq, recordedAt);
  }

  /** The rule for what is about to be stored. */
  next(nowMs: number): Rule {
    return this.#entryAt(present(FACT_STREAM_NAMES[0]), Number.POSITIVE_INFINITY, nowMs * 1000);
  }

  /** Entries that are known: a copy says how many its facts were judged by. */
  get known(): number {
    return this.#entries.length;
  }

  get newest(): RulesEntry {
    return present(this.#entries.at(-1), 'RU1');
  }

  /** Whether one of the entries after the first so many holds for something that is folded. */
  changedBy({ positions, atMs }: FoldedPoint, known: number): boolean {
    const added = this.#entries.slice(known);
    return added.some((entry) =>
      FACT_STREAM_NAMES.some((name) => holds(entry, name, positions[name] ?? 0, atMs * 1000)),
    );
  }

  /** The widest horizon, in milliseconds, that holds for anything behind a standing; infinite for off. */
  widestMs({ positions, atMs }: FoldedPoint): number {
    const indexes = FACT_STREAM_NAMES.map((name) => this.#indexAt(name, (positions[name] ?? 0) + 1, atMs * 1000));
    const ahead = this.#entries.slice(Math.min(...indexes));
    return Math.max(...ahead.map(({ horizonMs }) => horizonMs ?? Number.POSITIVE_INFINITY));
  }

  #entryAt(stream: FactStream, seq: number, micros: number): RulesEntry {
    return present(this.#entries[this.#indexAt(stream, seq, micros)]);
  }

  #indexAt(stream: FactStream, seq: number, micros: number): number {
    let at = this.#entries.length - 1;
    while (at > 0 && !holds(present(this.#entries[at]), stream, seq, micros)) at -= 1;
    return at;
  }
}

function holds({ from }: RulesEntry, stream: string, seq: number, micros: number): boolean {
  return typeof from === 'number' ? from <= micros : (from[stream] ?? 1) <= seq;
}

/**
 * Why a copy of the state cannot be started from; undefined if it can: it has forgotten nothing that a horizon behind it needs, and its
 * facts were judged by all entries that hold for them.
 * @param copy `horizonMs`: the narrowest horizon by which it forgot; null if it never did, and absent in copies before that was written
 */
export function unfit(
  copy: FoldedPoint & { readonly horizonMs?: number | null; readonly horizonsKnown?: number },
  rules: Pick<Rules, 'changedBy' | 'widestMs'>,
): string | undefined {
  const wanted = rules.widestMs(copy);
  const remembered = copy.horizonMs ?? null;
  if ((remembered ?? Number.POSITIVE_INFINITY) < wanted)
    return `it remembers a horizon of ${horizonText(remembered)}, and one of ${horizonText(wanted)} has been in force since`;
  if (copy.horizonsKnown !== undefined && rules.changedBy(copy, copy.horizonsKnown))
    return 'its node did not know yet that the rules had changed';
  return undefined;
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
] as const;

/** As an operator would write it. */
export function horizonText(ms: number | null): string {
  if (ms === null || ms === Number.POSITIVE_INFINITY) return 'off';
  const [unit, size] = UNITS.find(([, each]) => ms % each === 0) ?? ['s', 1_000];
  return `${ms / size}${unit}`;
}
