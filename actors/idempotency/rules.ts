/**
 * The rules by which stored messages are judged. All nodes share one list, kept with the streams (actors/idempotency/rules-list.ts).
 *
 * Settings and programs change, but the verdict on a stored fact must not. So each entry says from which sequence of each stream it
 * holds, and every reader (intake, rebuild, baseline, verify, explain) judges a message by the entry of its sequence.
 *
 * Invariants:
 *  RU1 The first entry holds from the beginning. Sequences only grow. An existing entry is never changed.
 *  RU2 An entry begins after everything that is stored when it is added. If a node has already judged a later message without the entry,
 *      `adopt` returns `late`, and the node drops its state and rebuilds it. So it does for the first entry of version 3, by which what
 *      older messages say of the time after it counts as of it.
 */

import { FACT_STREAM_NAMES, type FactStream } from '../../config/topology.ts';
import { present } from '../../streams/assert.ts';
import type { ReadingRule } from '../../streams/fact/fact.ts';

export interface Rule extends ReadingRule {
  /** Idempotency horizon in milliseconds, null if off. */
  readonly horizonMs: number | null;
  /** How far ahead a device's clock may be, in milliseconds. */
  readonly slackMs: number;
  /**
   * Only below version 3, once an entry of version 3 has been added: that moment, in microseconds. A later occurredAt counts as of it.
   */
  readonly latest?: number | undefined;
}
/** What an operator may change. An absent one stays as it is. */
export interface ChangedRule {
  readonly horizonMs?: number | null;
  readonly pieces?: readonly string[];
}
export interface RulesEntry extends Rule {
  /**
   * The first sequence of each stream for which it holds, 1 for a stream that is not named. In a list of Holdfast 0.1 it is a moment in
   * microseconds, by the clock that stamps the messages.
   */
  readonly from: Readonly<Record<string, number>> | number;
  /** When it was added, in milliseconds since 1970. Absent below version 3. */
  readonly sinceMs?: number;
}

/** How far a state, or a copy of one, has folded the fact streams, and when. */
export interface FoldedPoint {
  readonly positions: Readonly<Partial<Record<FactStream, number>>>;
  readonly atMs: number;
}

export type RulesChange = 'same' | 'changed' | 'late';

export class Rules {
  #entries: readonly RulesEntry[] = [];
  /** The last message that was judged of each stream. */
  readonly #judged = new Map<string, { seq: number; micros: number }>();

  /** @param entries entries of the list. Until the list is read there are none, and nothing can be judged. */
  constructor(entries: readonly RulesEntry[] = []) {
    this.#take(entries);
  }

  /** Adopts a list that was just read. Act on `late` at once, before anything else is judged or copied. */
  adopt(entries: readonly RulesEntry[]): RulesChange {
    // A list never loses entries (RU1).
    if (entries.length < this.#entries.length)
      throw new Error(
        'the list of rules, which is metadata of stream JOURNAL, has lost entries: end all nodes and restore it',
      );
    const known = this.known;
    const added = entries.slice(known);
    this.#take(entries);
    if (added.length === 0) return 'same';
    // What was folded of older messages may count as of another moment now.
    if (known > 0 && this.latestOf(known) !== undefined) return 'late';
    const judged = [...this.#judged];
    const late = added.some((entry) => judged.some(([stream, at]) => holds(entry, stream, at.seq, at.micros)));
    // A message that an added entry holds for has already been judged without it (RU2).
    return late ? 'late' : 'changed';
  }

  /** Returns the rule for a stored message that is judged now. */
  at(stream: FactStream, { seq, recordedAt }: { readonly seq: number; readonly recordedAt: number }): Rule {
    const judged = this.#judged.get(stream);
    if (judged === undefined) this.#judged.set(stream, { seq, micros: recordedAt });
    else if (seq > judged.seq) {
      judged.seq = seq;
      judged.micros = recordedAt;
    }
    return this.#entryAt(stream, seq, recordedAt);
  }

  /** Returns the rule for a message that is about to be stored, or undefined while the list has not been read. */
  next(nowMs: number): Rule | undefined {
    if (this.#entries.length === 0) return undefined;
    return this.#entryAt(present(FACT_STREAM_NAMES[0]), Number.POSITIVE_INFINITY, nowMs * 1000);
  }

  /** Number of known entries. A copy of the state records it. */
  get known(): number {
    return this.#entries.length;
  }

  /**
   * The moment as of which the later ones in a copy of the state count, in microseconds. Undefined if the copy has none.
   * @param known number of entries that the copy's node knew
   */
  latestOf(known = 0): number | undefined {
    const first = this.#entries.findIndex(({ version }) => version >= 3);
    const { sinceMs } = this.#entries[first] ?? {};
    return first < known || sinceMs === undefined ? undefined : sinceMs * 1000;
  }

  get newest(): RulesEntry {
    return present(this.#entries.at(-1), 'RU1');
  }

  /** Whether an entry after the first `known` ones holds for a message that is already folded. */
  changedBy({ positions, atMs }: FoldedPoint, known: number): boolean {
    const added = this.#entries.slice(known);
    return added.some((entry) =>
      FACT_STREAM_NAMES.some((name) => holds(entry, name, positions[name] ?? 0, atMs * 1000)),
    );
  }

  /** The widest horizon, in milliseconds, that holds for any message after a folded point. Infinite if one is off. */
  widestMs({ positions, atMs }: FoldedPoint): number {
    const indexes = FACT_STREAM_NAMES.map((name) => this.#indexAt(name, (positions[name] ?? 0) + 1, atMs * 1000));
    const ahead = this.#entries.slice(Math.min(...indexes));
    return Math.max(...ahead.map(({ horizonMs }) => horizonMs ?? Number.POSITIVE_INFINITY));
  }

  #take(entries: readonly RulesEntry[]): void {
    this.#entries = entries;
    const latest = this.latestOf();
    if (latest !== undefined)
      this.#entries = entries.map((entry) => (entry.version < 3 ? { ...entry, latest } : entry));
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
 * Returns why no node can start from a stored copy of the state, or undefined if one can. A usable copy has forgotten nothing that a
 * horizon in force since then needs, and every entry that holds for its facts was known when it was written.
 * @param copy what the copy records. `horizonMs` is the narrowest horizon by which it forgot, null if it never did, absent in old copies
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

/** Formats a horizon as an operator writes it, such as `7d`. */
export function horizonText(ms: number | null): string {
  if (ms === null || ms === Number.POSITIVE_INFINITY) return 'off';
  const [unit, size] = UNITS.find(([, each]) => ms % each === 0) ?? ['s', 1_000];
  return `${ms / size}${unit}`;
}
