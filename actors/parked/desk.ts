/**
 * Where people work through parked facts: list them, see them by reason and device, submit them again or dismiss them.
 *
 * Invariants:
 *  PF1 No entry can break a list, whatever it holds. Any publisher may have written it.
 *  PF2 Every answer knows what was stored before it was asked, so a person sees at once what another has decided on another node.
 *  PF3 A list and a decision about many facts are bounded in bytes and time, and say where to go on.
 */
import { LIMITS } from '../../config/limits.ts';
import { PARKED_STREAM } from '../../config/topology.ts';
import { delay, inTime, Turns } from '../../streams/clock.ts';
import type { ParkedAnswer, ParkedFact, ParkedGroups, ParkedWork } from '../../streams/contract/parked.ts';
import { NAMED_FIELDS } from '../../streams/fact/parked/identity.ts';
import {
  type Decider,
  FACTS_PER_MARK,
  markDismissed,
  type Undecided,
} from '../../streams/fact/parked/park-decisions.ts';
import { type ParkedEntry, parkedEntry, wholeEntry } from '../../streams/fact/parked/parked.ts';
import type { SentBody } from '../../streams/fact/sent-body.ts';
import type { ParkedFacts, ParkedFilter, ParkedSelection } from '../ports/parked.ts';
import { Refusal, UNDECIDED, undecided, unstored } from '../ports/refusal.ts';
import { inLanes } from './lanes.ts';
import { ParkedIndex } from './parked-index.ts';
import { Resending, type ResendingDeps, Unsendable } from './resending.ts';

/** Entries read at once. Kept low, because an entry that version 0.1 wrote may have 8 MB. */
const READ_AT_ONCE = 4;

export interface ParkedDeskDeps extends ResendingDeps {
  /** Whether this node serves a partition. */
  readonly serves: (partition: number) => boolean;
  readonly trouble: (why: string) => void;
}

export class ParkedDesk implements ParkedFacts {
  readonly index: ParkedIndex;
  readonly #deps: ParkedDeskDeps;
  readonly #resending: Resending;

  constructor(deps: ParkedDeskDeps) {
    this.#deps = deps;
    this.index = new ParkedIndex(deps, deps.partitions);
    this.#resending = new Resending(deps, this.index);
  }

  /** Reads on and finishes what others have left, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.look();
      } catch (error) {
        if (!signal.aborted) this.#deps.trouble((error as Error).message);
      }
      await delay(this.#deps.clock, LIMITS.parkedEveryMs, signal);
    }
  }

  /** Reads on, and finishes resubmissions that a node has begun and not finished. */
  async look(): Promise<void> {
    await this.index.refresh();
    // Any node may, so one is chosen.
    for (const [mark, fact] of [...this.index.table.unfinished]) {
      // Any node may, so one is chosen.
      if (!this.#isLeft(fact) || !this.#deps.serves(mark % this.#deps.partitions)) continue;
      // mutant: resubmission-left
      await this.#resending.finish(mark);
    }
  }

  list(filter: ParkedFilter, after: number, limit: number): Promise<ParkedAnswer> {
    return decided(this.#list(filter, after, limit), UNDECIDED.parked);
  }

  groups(filter: ParkedFilter, limit: number): Promise<ParkedGroups> {
    return decided(this.#groups(filter, limit), UNDECIDED.parked);
  }

  get(seq: number): Promise<ParkedFact> {
    return decided(this.#get(seq), UNDECIDED.parked);
  }

  resubmit(selection: ParkedSelection, decider: Decider): Promise<ParkedWork> {
    return decided(this.#resubmit(selection, decider), UNDECIDED.resubmitted);
  }

  dismiss(selection: ParkedSelection, decider: Decider): Promise<ParkedWork> {
    return decided(this.#dismiss(selection, decider), UNDECIDED.dismissed);
  }

  resubmitOne(seq: number, corrected: SentBody | undefined, was: Undecided, decider: Decider): Promise<void> {
    return decided(this.#resubmitOne(seq, corrected, was, decider), UNDECIDED.resubmitted);
  }

  async #list(filter: ParkedFilter, after: number, limit: number): Promise<ParkedAnswer> {
    await this.#readAll();
    const { clock, broker } = this.#deps;
    const until = clock.monoMs() + LIMITS.parkedListMs;
    const parked: ParkedFact[] = [];
    let [bytes, last] = [0, after];
    for (;;) {
      const seqs: number[] = [];
      const found = await this.#find(filter, last, false, Math.min(READ_AT_ONCE, limit + 1 - parked.length), (seq) =>
        seqs.push(seq),
      );
      const messages = await Promise.all(seqs.map((seq) => broker.message(PARKED_STREAM, seq)));
      for (const [i, message] of messages.entries()) {
        // It reads any content (PF1).
        const entry = message === undefined ? undefined : parkedEntry(message);
        if (entry !== undefined) {
          const fact = this.#shown(entry, LIMITS.parkedBytesShown);
          bytes += JSON.stringify(fact).length;
          if (parked.length === limit || (bytes > LIMITS.parkedListBytes && parked.length > 0))
            return { parked, next: last };
          parked.push(fact);
        }
        last = seqs[i] ?? last;
      }
      if (found.end) return { parked, next: null };
      if (clock.monoMs() > until) return { parked, next: last };
    }
  }

  async #groups(filter: ParkedFilter, limit: number): Promise<ParkedGroups> {
    await this.#readAll();
    const { table } = this.index;
    const [groups, turns] = [new Map<number, { facts: number; since: number }>(), this.#turns()];
    for (let from = 0; from < table.facts; from += LIMITS.parkedPerTurn) {
      table.group(filter, from, from + LIMITS.parkedPerTurn, groups);
      await turns.next();
    }
    const all = [...groups].sort(([, a], [, b]) => b.facts - a.facts || a.since - b.since);
    return {
      groups: all.slice(0, limit).map(([key, { facts, since }]) => {
        const { reason, device } = table.groupOf(key);
        return { reason, ...(device === undefined ? {} : { device }), facts, since: momentOf(since) };
      }),
      facts: all.reduce((sum, [, { facts }]) => sum + facts, 0),
    };
  }

  async #get(seq: number): Promise<ParkedFact> {
    await this.#readAll();
    const entry = await wholeEntry(this.#deps.broker, seq);
    if (entry === undefined) throw noFactAt(seq);
    return this.#shown(entry, Number.POSITIVE_INFINITY);
  }

  async #resubmit(selection: ParkedSelection, decider: Decider): Promise<ParkedWork> {
    const was = selection.state ?? 'waiting';
    return this.#work({ ...selection, state: was }, async (facts, left) => {
      const { table } = this.index;
      const free = facts.filter((fact) => !table.isSending(fact));
      for (const fact of facts) if (table.isSending(fact)) await this.#finishLeft(fact, left);
      const { done, failed } = await inLanes(free, READ_AT_ONCE, (fact) => this.#resending.draftOf(fact));
      for (const [fact, error] of failed) {
        if (!(error instanceof Unsendable)) throw error;
        left.add(error.code, error.message, table.latestOf(fact));
      }
      return this.#resending.send(done, was, decider);
    });
  }

  async #dismiss(selection: ParkedSelection, decider: Decider): Promise<ParkedWork> {
    const { broker, nonce } = this.#deps;
    const { table } = this.index;
    return this.#work({ ...selection, state: 'waiting' }, async (facts, left) => {
      const free = facts.filter((fact) => !table.isSending(fact));
      for (const fact of facts) if (table.isSending(fact)) left.add(...BEING_SENT, table.latestOf(fact));
      if (free.length === 0) return 0;
      const seqs = free.map((fact) => table.latestOf(fact));
      const mark = await markDismissed(broker, seqs, decider, nonce());
      await this.index.refresh();
      return free.filter((fact) => table.markOf(fact) === mark).length;
    });
  }

  async #resubmitOne(seq: number, corrected: SentBody | undefined, was: Undecided, decider: Decider): Promise<void> {
    await this.#readAll();
    const { table } = this.index;
    const fact = table.factAt(seq);
    if (fact === undefined) throw noFactAt(seq);
    if (!table.isSending(fact) && table.stateOf(fact) === was) {
      const draft =
        corrected === undefined
          ? await this.#resending.draftOf(fact)
          : this.#resending.checked(fact, seq, corrected, true, wrongFact);
      if ((await this.#resending.send([draft], was, decider)) === 1) return;
    }
    // Somebody was first. It is the same decision if it sends the same bytes.
    if (!(await this.#resending.isSame(fact, corrected))) throw this.#decidedAlready(seq, fact);
    if (table.isSending(fact) && this.#isLeft(fact)) await this.#resending.finish(table.markOf(fact));
  }

  /** Works through the selected facts, some at a time, until all are done or the time is over (PF3). */
  async #work(
    selection: ParkedSelection,
    work: (facts: readonly number[], left: Left) => Promise<number>,
  ): Promise<ParkedWork> {
    await this.#readAll();
    const { clock } = this.#deps;
    const until = clock.monoMs() + LIMITS.parkedWorkMs;
    const left = new Left();
    let [done, last] = [0, selection.after ?? 0];
    for (;;) {
      const facts = new Set<number>();
      const take = (seq: number, fact: number) => {
        facts.add(fact);
        last = seq;
      };
      const end =
        selection.seqs === undefined
          ? (await this.#find(selection, last, true, FACTS_PER_MARK, take)).end
          : this.#pick(selection, selection.seqs, last, take);
      if (facts.size > 0) done += await work([...facts], left);
      if (end) return { facts: done, ...left.shown };
      if (clock.monoMs() > until) return { facts: done, ...left.shown, next: last };
    }
  }

  /** Takes the next named facts that fit. Returns true if no more are named. Copies of one fact count as one. */
  #pick(
    selection: ParkedSelection,
    seqs: readonly number[],
    after: number,
    take: (seq: number, fact: number) => void,
  ): boolean {
    const { table } = this.index;
    const named = [...new Set(seqs)].filter((seq) => seq > after).sort((a, b) => a - b);
    for (const seq of named.slice(0, FACTS_PER_MARK)) {
      const fact = table.factAt(seq);
      if (fact !== undefined && table.fits(fact, selection)) take(seq, fact);
    }
    return named.length <= FACTS_PER_MARK;
  }

  /** Finds at most `most` entries, in turns of the event loop. `end` is true if there are no more. */
  async #find(
    filter: ParkedFilter,
    after: number,
    latestOnly: boolean,
    most: number,
    take: (seq: number, fact: number) => void,
  ): Promise<{ end: boolean }> {
    const turns = this.#turns();
    let [last, taken] = [after, 0];
    while (taken < most) {
      const { fact, seq } = this.index.table.find(filter, last, latestOnly, LIMITS.parkedPerTurn);
      if (seq === undefined) return { end: true };
      last = seq;
      if (fact !== undefined) {
        take(seq, fact);
        taken += 1;
      }
      await turns.next();
    }
    return { end: false };
  }

  /** Reads what was stored before this call (PF2). */
  async #readAll(): Promise<void> {
    const done = this.index.refresh().then(() => true);
    if ((await inTime(this.#deps.clock, LIMITS.parkedReadMs, done)) === undefined) throw undecided(UNDECIDED.parked);
  }

  /** Whether whoever began to submit the fact again must have given up. */
  #isLeft(fact: number): boolean {
    return this.#deps.clock.nowMs() - this.index.table.decidedAt(fact) / 1000 > LIMITS.parkedFinishMs;
  }

  async #finishLeft(fact: number, left: Left): Promise<void> {
    const { table } = this.index;
    if (this.#isLeft(fact)) await this.#resending.finish(table.markOf(fact));
    else left.add(...BEING_SENT, table.latestOf(fact));
  }

  #decidedAlready(seq: number, fact: number): Refusal {
    const { table } = this.index;
    const decision = table.decisionOf(fact);
    const by = decision?.decider.by === undefined ? '' : ` by ${decision.decider.by}`;
    const waits = table.isSending(fact) ? 'being submitted again' : 'waiting, and another fact under its id was sent';
    const state = decision === undefined ? waits : table.stateOf(fact);
    return new Refusal('already-decided', `the fact parked at ${seq} is ${state}${by}, so this changes nothing`);
  }

  #turns(): Turns {
    return new Turns(this.#deps.clock, LIMITS.answerTurnMs);
  }

  #shown(entry: ParkedEntry, most: number): ParkedFact {
    const { seq, recordedAt, reason, message, source, contentType, length, identity } = entry;
    const { table } = this.index;
    const fact = table.factAt(seq);
    const decision = fact === undefined ? undefined : table.decisionOf(fact);
    const shown = Buffer.from(entry.bytes.subarray(0, most));
    return {
      seq,
      parkedAt: momentOf(recordedAt),
      reason,
      message,
      state: fact === undefined ? 'waiting' : table.stateOf(fact),
      ...(decision === undefined ? {} : { decided: { ...decision.decider, at: momentOf(decision.at) } }),
      ...Object.fromEntries(
        NAMED_FIELDS.flatMap((name) => (identity[name] === undefined ? [] : [[name, identity[name]]])),
      ),
      source,
      contentType,
      bytes: shown.toString('base64'),
      length,
      cut: shown.length < length,
    };
  }
}

const BEING_SENT = ['being-sent', 'it is being submitted again right now; ask again in some seconds'] as const;

/** Why selected facts still wait, by reason. */
class Left {
  readonly #kinds = new Map<string, { code: string; message: string; facts: number; seq: number }>();

  add(code: string, message: string, seq: number): void {
    const kind = this.#kinds.get(code);
    if (kind === undefined) this.#kinds.set(code, { code, message, facts: 1, seq });
    else kind.facts += 1;
  }

  get shown(): Pick<ParkedWork, 'left'> {
    return this.#kinds.size === 0 ? {} : { left: [...this.#kinds.values()] };
  }
}

/** The servers may not answer at any step. Then nothing is certain, and the caller asks again. */
function decided<T>(work: Promise<T>, why: (typeof UNDECIDED)[keyof typeof UNDECIDED]): Promise<T> {
  return work.catch((error) => {
    throw unstored(error, why);
  });
}

function momentOf(micros: number): string {
  return new Date(micros / 1000).toISOString();
}

function noFactAt(seq: number): Refusal {
  return new Refusal('not-found', `no fact is parked at ${seq}`);
}

/** Refuses a corrected fact that cannot be read. @param field empty if the fact as a whole is wrong */
function wrongFact(why: string, field: string): Refusal {
  const subject = field === '' ? 'the fact ' : `${field} `;
  const message = why.startsWith(subject) ? why.slice(subject.length) : why;
  return new Refusal('invalid-request', why, { errors: [{ field: field === '' ? 'body' : field, message }] });
}
