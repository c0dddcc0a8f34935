/**
 * The states of parked facts, by the entries and decisions of PARKED in the order of the stream.
 *
 * Invariants:
 *  PI2 Copies with the same id and content are one fact with one state. A fact without a readable id has no copies.
 *  PI3 A fact that is submitted again waits until its message is known to be stored. It waits again if it is parked again from that message.
 *  PI4 Each id is submitted again as it came by one fact only. Another fact under the same id waits on.
 *  PI5 The index holds numbers, and each text once: about 100 bytes a fact. HOLDFAST_PARKED_MAX_BYTES bounds the facts.
 */

import { at, present } from '../../streams/assert.ts';
import type { StoredMessage } from '../../streams/broker.ts';
import type { ParkedState } from '../../streams/contract/parked.ts';
import type { FactIdentity } from '../../streams/fact/parked/identity.ts';
import {
  type Decider,
  type ParkDecision,
  parkDecision,
  type Undecided,
} from '../../streams/fact/parked/park-decisions.ts';
import { quotedMark } from '../../streams/fact/parked/park-marks.ts';
import { firstStored, reasonIn } from '../../streams/fact/parked/parked.ts';
import { hash64 } from '../../streams/hash.ts';
import type { ParkedFilter } from '../ports/parked.ts';
import type { WaitingCauses } from './causes.ts';
import { bytes, numbers, RowTable, Texts, words } from './columns.ts';

const WAITING = 0;
const SENDING = 1;
const RESUBMITTED = 2;
const DISMISSED = 3;
const STATES: readonly ParkedState[] = ['waiting', 'waiting', 'resubmitted', 'dismissed'];

export class ParkedTable {
  readonly #causes: WaitingCauses;
  readonly #texts = new Texts();
  readonly #deciders: Decider[] = [{}];
  readonly #deciderNumbers = new Map<string, number>();
  // Numbers in columns (PI5). By entry, in the order of the stream.
  readonly #seq = numbers();
  readonly #fact = words();
  readonly #entryReason = words();
  #entries = 0;
  // By fact.
  readonly #id = [words(), words()] as const;
  readonly #content = [words(), words()] as const;
  readonly #names = { device: words(), sku: words(), location: words() };
  readonly #reason = words();
  readonly #state = bytes();
  readonly #corrected = bytes();
  /** Sequence of the latest copy. */
  readonly #latest = numbers();
  /** When it began to wait, and when its state was decided, in microseconds. */
  readonly #since = numbers();
  readonly #decidedAt = numbers();
  /** When it was first stored or parked, in microseconds. */
  readonly #first = numbers();
  readonly #mark = numbers();
  readonly #decider = words();
  #facts = 0;
  readonly #known = new RowTable([...this.#id, ...this.#content]);
  /** By id alone, the fact that was submitted again as it came. */
  readonly #sent = new RowTable(this.#id);
  /** Facts whose message is not known to be stored, by the sequence of their mark. */
  readonly #unfinished = new Map<number, number>();
  readonly #count = [0, 0, 0, 0];

  constructor(causes: WaitingCauses) {
    this.#causes = causes;
  }

  /** Number of facts that wait. */
  get waiting(): number {
    return at(this.#count, WAITING) + at(this.#count, SENDING);
  }

  /** Number of facts, in any state. */
  get facts(): number {
    return this.#facts;
  }

  get unfinished(): ReadonlyMap<number, number> {
    return this.#unfinished;
  }

  /** The fact of an entry. */
  factAt(seq: number): number | undefined {
    const entry = this.#entryAfter(seq - 1);
    return entry < this.#entries && this.#seq.get(entry) === seq ? this.#fact.get(entry) : undefined;
  }

  stateOf(fact: number): ParkedState {
    return at(STATES, this.#state.get(fact));
  }

  /** Sequence of the mark that has decided about a fact; 0 if it waits undecided. */
  markOf(fact: number): number {
    return this.#mark.get(fact);
  }

  /** Whether the fact is being submitted again, so nobody can decide otherwise. */
  isSending(fact: number): boolean {
    return this.#state.get(fact) === SENDING;
  }

  /** Whether another fact takes, or took, the place of this one. */
  isCorrected(fact: number): boolean {
    return this.#corrected.get(fact) === 1;
  }

  firstOf(fact: number): number {
    return this.#first.get(fact);
  }

  latestOf(fact: number): number {
    return this.#latest.get(fact);
  }

  /** The reason for which the latest copy was parked. */
  reasonOf(fact: number): string {
    return present(this.#texts.text(this.#reason.get(fact)));
  }

  /** Who decided, and when, in microseconds; undefined while the fact waits. */
  decisionOf(fact: number): { decider: Decider; at: number } | undefined {
    if (this.#state.get(fact) < RESUBMITTED) return undefined;
    return { decider: at(this.#deciders, this.#decider.get(fact)), at: this.#decidedAt.get(fact) };
  }

  /** When its state was decided, in microseconds. */
  decidedAt(fact: number): number {
    return this.#decidedAt.get(fact);
  }

  /** Whether another fact under the same id was submitted again, so this one cannot be (PI4). */
  idWasSent(fact: number): boolean {
    const other = this.#hasId(fact) ? this.#sent.find(this.#id.map((column) => column.get(fact))) : undefined;
    if (other === undefined || other === fact) return false;
    const state = this.#state.get(other);
    return state === SENDING || state === RESUBMITTED;
  }

  /**
   * Looks for the next entry that fits, among at most `most`.
   * @param latestOnly only the latest copy of each fact, and only if its reason fits
   * @returns the entry found, and the sequence up to which was looked; `seq` is undefined if there is nothing after it
   */
  find(
    filter: ParkedFilter,
    after: number,
    latestOnly: boolean,
    most: number,
  ): { fact: number | undefined; seq: number | undefined } {
    const fits = this.#fitting(filter);
    const first = this.#entryAfter(after);
    const end = Math.min(this.#entries, first + most);
    for (let entry = first; entry < end; entry++) {
      const fact = this.#fact.get(entry);
      const seq = this.#seq.get(entry);
      if (latestOnly && this.#latest.get(fact) !== seq) continue;
      if (fits?.(fact, this.#entryReason.get(entry)) === true) return { fact, seq };
    }
    return { fact: undefined, seq: end < this.#entries && fits !== undefined ? this.#seq.get(end - 1) : undefined };
  }

  /** Whether a fact fits, by the reason of its latest copy. */
  fits(fact: number, filter: ParkedFilter): boolean {
    return this.#fitting(filter)?.(fact, this.#reason.get(fact)) === true;
  }

  /** Adds facts `from` to `until` to the groups that they belong to. */
  group(
    filter: ParkedFilter,
    from: number,
    until: number,
    groups: Map<number, { facts: number; since: number }>,
  ): void {
    const fits = this.#fitting(filter);
    for (let fact = from; fact < Math.min(until, this.#facts); fact++) {
      const reason = this.#reason.get(fact);
      if (fits?.(fact, reason) !== true) continue;
      const key = reason * 2 ** 26 + this.#names.device.get(fact);
      const since = this.#since.get(fact);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { facts: 1, since });
      else {
        group.facts += 1;
        group.since = Math.min(group.since, since);
      }
    }
  }

  groupOf(key: number): { reason: string; device: string | undefined } {
    return {
      reason: present(this.#texts.text(Math.floor(key / 2 ** 26))),
      device: this.#texts.text(key % 2 ** 26),
    };
  }

  /** A test of a fact and a reason; undefined if nothing can fit, because no fact has one of the texts. */
  #fitting(filter: ParkedFilter): ((fact: number, reason: number) => boolean) | undefined {
    const { device, sku, location } = this.#names;
    const columns = [
      [device, filter.device],
      [sku, filter.sku],
      [location, filter.location],
    ] as const;
    const wanted = columns.flatMap(([column, text]) =>
      text === undefined ? [] : [{ column, number: text === '' ? 0 : this.#texts.find(text) }],
    );
    const reason = filter.reason === undefined ? undefined : (this.#texts.find(filter.reason) ?? -1);
    if (reason === -1 || wanted.some(({ number }) => number === undefined)) return undefined;
    return (fact, ofEntry) =>
      (filter.state === undefined || this.stateOf(fact) === filter.state) &&
      (reason === undefined || ofEntry === reason) &&
      wanted.every(({ column, number }) => column.get(fact) === number);
  }

  /** The first entry after a sequence. */
  #entryAfter(seq: number): number {
    let [low, high] = [0, this.#entries];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#seq.get(middle) > seq) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Takes the next message of PARKED. @param identity of an entry */
  take(message: StoredMessage, identity: FactIdentity | undefined): void {
    if (identity !== undefined) this.#enter(message, identity);
    else {
      const decision = parkDecision(message);
      if (decision !== undefined) this.#decide(message, decision);
    }
  }

  #enter(message: StoredMessage, identity: FactIdentity): void {
    const { seq, recordedAt } = message;
    const reason = this.#texts.add(reasonIn(message));
    const known = this.#copyOf(identity);
    const fact = known ?? this.#add(identity, message);
    this.#seq.set(this.#entries, seq);
    this.#fact.set(this.#entries, fact);
    this.#entryReason.set(this.#entries, reason);
    this.#entries += 1;
    const mark = quotedMark(message)?.seq;
    // It was parked again from the message that a person had it sent by (PI3).
    const again = known !== undefined && mark !== undefined && mark === this.#mark.get(fact);
    if (again) this.#unfinished.delete(mark);
    this.#change(known, fact, () => {
      this.#latest.set(fact, seq);
      this.#reason.set(fact, reason);
      if (!again) return;
      this.#state.set(fact, WAITING);
      this.#mark.set(fact, 0);
      this.#since.set(fact, recordedAt);
    });
  }

  #add(identity: FactIdentity, message: StoredMessage): number {
    const fact = this.#facts;
    this.#facts += 1;
    const { id, content, device, sku, location } = identity;
    const hash = id === undefined ? undefined : hash64(id, 1);
    const pairs = [
      [this.#id, hash],
      [this.#content, content],
    ] as const;
    for (const [[hi, lo], words] of pairs) {
      hi.set(fact, words?.hi ?? 0);
      lo.set(fact, words?.lo ?? 0);
    }
    this.#names.device.set(fact, this.#texts.add(device));
    this.#names.sku.set(fact, this.#texts.add(sku));
    this.#names.location.set(fact, this.#texts.add(location));
    this.#state.set(fact, WAITING);
    this.#corrected.set(fact, 0);
    this.#mark.set(fact, 0);
    this.#decider.set(fact, 0);
    this.#decidedAt.set(fact, 0);
    this.#since.set(fact, message.recordedAt);
    this.#first.set(fact, firstStored(message));
    if (content !== undefined) this.#known.put(fact);
    return fact;
  }

  #copyOf({ id, content }: FactIdentity): number | undefined {
    // Without a readable id nothing says that two are copies of one (PI2).
    if (id === undefined || content === undefined) return undefined;
    const { hi, lo } = hash64(id, 1);
    return this.#known.find([hi, lo, content.hi, content.lo]);
  }

  #hasId(fact: number): boolean {
    return this.#id.some((column) => column.get(fact) !== 0);
  }

  #decide(message: StoredMessage, decision: ParkDecision): void {
    switch (decision.kind) {
      case 'again':
        this.#again(message, decision);
        return;
      case 'sent':
        for (const mark of decision.marks) {
          const fact = this.#unfinished.get(mark);
          if (fact !== undefined) this.#become(fact, RESUBMITTED);
          this.#unfinished.delete(mark);
        }
        return;
      case 'dismissed':
        for (const seq of decision.seqs) {
          const fact = this.factAt(seq);
          // Only the first of several decisions holds (PD1).
          if (fact === undefined || this.#state.get(fact) !== WAITING) continue;
          this.#become(fact, DISMISSED, message, decision.decider);
        }
    }
  }

  #again(message: StoredMessage, { seq, was, corrected, finished, decider }: ParkDecision & { kind: 'again' }): void {
    const fact = this.factAt(seq);
    // mutant: later-decision-holds
    if (fact === undefined || this.#state.get(fact) !== stateOfUndecided(was)) return;
    if (!corrected && this.idWasSent(fact)) return;
    this.#corrected.set(fact, corrected ? 1 : 0);
    if (!corrected && this.#hasId(fact)) this.#sent.put(fact);
    this.#become(fact, finished ? RESUBMITTED : SENDING, message, decider);
    if (!finished) this.#unfinished.set(message.seq, fact);
  }

  #become(fact: number, state: number, message?: StoredMessage, decider?: Decider): void {
    this.#change(fact, fact, () => {
      this.#state.set(fact, state);
      if (message !== undefined) {
        this.#mark.set(fact, message.seq);
        this.#decidedAt.set(fact, message.recordedAt);
      }
      if (decider !== undefined) this.#decider.set(fact, this.#deciderNumber(decider));
    });
  }

  /** Changes a fact, and counts it as it is now before it is uncounted as it was, so that its cause does not end in between. */
  #change(known: number | undefined, fact: number, change: () => void): void {
    const before = known === undefined ? undefined : this.#tally(fact);
    change();
    this.#tally(fact)(1);
    before?.(-1);
  }

  /** A way to count the fact as it is now. */
  #tally(fact: number): (by: 1 | -1) => void {
    const [state, since, reason] = [this.#state.get(fact), this.#since.get(fact), this.reasonOf(fact)];
    const { location, device } = this.#names;
    const [atLocation, ofDevice] = [this.#texts.text(location.get(fact)), this.#texts.text(device.get(fact))];
    return (by) => {
      this.#count[state] = at(this.#count, state) + by;
      if (state < RESUBMITTED) this.#causes.count(atLocation, ofDevice, reason, since, by);
    };
  }

  /** Many facts have one decision, so it is kept once. */
  #deciderNumber(decider: Decider): number {
    const key = JSON.stringify([decider.by, decider.why]);
    let number = this.#deciderNumbers.get(key);
    if (number === undefined) {
      number = this.#deciders.push(decider) - 1;
      this.#deciderNumbers.set(key, number);
    }
    return number;
  }
}

function stateOfUndecided(was: Undecided): number {
  return was === 'dismissed' ? DISMISSED : WAITING;
}
