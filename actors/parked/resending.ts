/**
 * Submits parked facts again: a mark for each, then its message, then a mark that the message is stored.
 *
 * Invariants:
 *  SG1 A message is published only if its mark decided about the fact, so each fact is sent by one mark, whoever else acts at the same time.
 *  SG2 A mark is finished by whichever node finds it, with the same bytes and the same quotation. Its stream is searched for the message
 *      first, so it is not sent again after its id has been forgotten.
 */
import { LIMITS } from '../../config/limits.ts';
import { PARKED_STREAM, streamOf } from '../../config/topology.ts';
import { present } from '../../streams/assert.ts';
import type { Broker } from '../../streams/broker.ts';
import type { Clock } from '../../streams/clock.ts';
import { decodeBody, isMsgpack, JSON_TYPE, MSGPACK_TYPE } from '../../streams/codec.ts';
import { type Fact, parseFact } from '../../streams/fact/fact.ts';
import {
  type Decider,
  markAgain,
  markSent,
  parkDecision,
  type Undecided,
} from '../../streams/fact/parked/park-decisions.ts';
import { hashOf, MARK_HEADER } from '../../streams/fact/parked/park-marks.ts';
import { FIRST_HEADER, RESUBMIT_HEADER, wholeEntry } from '../../streams/fact/parked/parked.ts';
import { type SentBody, typeHeaders } from '../../streams/fact/sent-body.ts';
import { readUntil } from '../../streams/read/follower.ts';
import { againSubject, factSubject, partitionOf } from '../../streams/subjects.ts';
import type { Rules } from '../idempotency/rules.ts';
import { horizonMicros, tooLarge } from '../idempotency/stored-fact.ts';
import { Refusal, UNDECIDED, undecided } from '../ports/refusal.ts';
import { inLanes } from './lanes.ts';
import type { ParkedIndex } from './parked-index.ts';

export interface ResendingDeps {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly partitions: number;
  readonly rules: Pick<Rules, 'next'>;
  /** Returns a string that was never used before. */
  readonly nonce: () => string;
  /** True while a node of version 0.1 lives. It does not know the subjects of resubmissions, so a header marks them as in 0.1. */
  readonly resubmitsByHeader: () => boolean;
}

/** A fact that can be submitted again. */
export interface Draft {
  readonly number: number;
  /** The entry that the mark names. */
  readonly seq: number;
  readonly sent: SentBody;
  readonly fact: Fact;
  readonly corrected: boolean;
}
interface Marked extends Draft {
  readonly mark: number;
  readonly nonce: string;
}

/** Why a fact cannot be submitted again as it came. */
export class Unsendable extends Refusal {
  readonly code: string;
  constructor(code: string, ...refusal: ConstructorParameters<typeof Refusal>) {
    super(...refusal);
    this.code = code;
  }
}

export class Resending {
  readonly #deps: ResendingDeps;
  readonly #index: ParkedIndex;

  constructor(deps: ResendingDeps, index: ParkedIndex) {
    this.#deps = deps;
    this.#index = index;
  }

  /** The fact as it came. Throws Unsendable if it cannot be submitted so. */
  async draftOf(number: number): Promise<Draft> {
    const { table } = this.#index;
    if (table.reasonOf(number) === 'id-conflict')
      throw new Unsendable(
        'id-conflict',
        'invalid-request',
        'the id of this fact was used before with other content, so it can never count as it is; send it corrected, under an id of its own',
      );
    if (table.idWasSent(number))
      throw new Unsendable(
        'id-conflict',
        'invalid-request',
        'another fact under the same id has been submitted again; send this one corrected, under an id of its own',
      );
    const seq = table.latestOf(number);
    const entry = await wholeEntry(this.#deps.broker, seq);
    if (entry === undefined) throw new Unsendable('not-found', 'not-found', `no fact is parked at ${seq}`);
    const unsendable = (why: string) =>
      new Unsendable(
        'invalid',
        'invalid-request',
        `the parked fact cannot be submitted as it is: ${why}; send a corrected one`,
      );
    const { bytes, contentType: type, length } = entry;
    if (bytes.length < length) throw unsendable('its bytes were cut, and the message that held all of them is gone');
    let value: unknown;
    try {
      value = decodeBody(bytes, type);
    } catch (error) {
      throw unsendable((error as Error).message);
    }
    return this.checked(number, seq, { value, bytes, type }, false, unsendable);
  }

  /** @param unreadable the refusal of a fact that cannot be read */
  checked(
    number: number,
    seq: number,
    sent: SentBody,
    corrected: boolean,
    unreadable: (why: string, field: string) => Refusal,
  ): Draft {
    const { clock, rules } = this.#deps;
    const rule = rules.next(clock.nowMs());
    if (rule === undefined) throw undecided(UNDECIDED.starting);
    if (sent.bytes.length > LIMITS.factBytes) throw new Unsendable('too-large', 'too-large', tooLarge(sent.bytes));
    const parsed = parseFact(sent.value, rule);
    if (!parsed.ok) throw unreadable(parsed.message, parsed.field);
    const { fact } = parsed;
    // Where it stood among the facts around it can no longer be told.
    if (fact.type === 'count' && fact.at < clock.nowMs() * 1000 - horizonMicros(rule))
      throw new Unsendable(
        'too-old',
        'invalid-request',
        'a count that is older than the idempotency horizon cannot be placed among the facts around it any more; send a newer count, or an adjustment',
        {
          errors: [
            { field: 'occurredAt', message: 'is older than the idempotency horizon, which a count must not be' },
          ],
        },
      );
    return { number, seq, sent, fact, corrected };
  }

  /**
   * Submits facts again, and returns how many this call has sent. Others have decided about the rest. Rejects if one may not be
   * stored, after the others are sent.
   * @param drafts at most FACTS_PER_MARK
   */
  async send(drafts: readonly Draft[], was: Undecided, decider: Decider): Promise<number> {
    const { nonce } = this.#deps;
    const ends = await this.#endsOf(drafts);
    const marked = await inLanes(drafts, LIMITS.parkedSends, async (draft): Promise<Marked> => {
      const { seq, sent, corrected } = draft;
      const after = present(ends.get(present(streamOf(draft.fact.type))));
      const word = nonce();
      const again = { seq, bytes: sent.bytes, corrected: corrected ? sent : undefined, was, after, decider };
      return { ...draft, mark: await markAgain(this.#deps.broker, again, word), nonce: word };
    });
    await this.#index.refresh();
    // Another mark may have come before this one (SG1).
    // mutant: late-mark-sends
    const won = marked.done.filter(({ number, mark }) => this.#index.table.markOf(number) === mark);
    const sent = await inLanes(won, LIMITS.parkedSends, (each) => this.#publish(each));
    await this.#settle(won.filter((each) => !sent.failed.has(each)).map(({ mark }) => mark));
    const [failure] = [...marked.failed.values(), ...sent.failed.values()];
    if (failure !== undefined) throw failure;
    return won.length;
  }

  /** Whether the fact has been, or is being, submitted again in the same bytes: as it came, or as this correction. */
  async isSame(number: number, corrected: SentBody | undefined): Promise<boolean> {
    const { table } = this.#index;
    const mark = table.markOf(number);
    if (mark === 0 || table.stateOf(number) === 'dismissed') return false;
    if (corrected === undefined) return !table.isCorrected(number);
    const message = await this.#deps.broker.message(PARKED_STREAM, mark);
    const decision = message === undefined ? undefined : parkDecision(message);
    return decision?.kind === 'again' && decision.hash === hashOf(corrected.bytes);
  }

  /** Finishes the resubmission of a mark whose message is not known to be stored (SG2). */
  async finish(mark: number): Promise<void> {
    const { broker } = this.#deps;
    const number = this.#index.table.unfinished.get(mark);
    const message = await broker.message(PARKED_STREAM, mark);
    const decision = message === undefined ? undefined : parkDecision(message);
    if (number === undefined || message === undefined || decision?.kind !== 'again') return;
    const { seq, hash, nonce, after, corrected } = decision;
    const bytes = corrected ? message.data : (await wholeEntry(broker, seq))?.bytes;
    if (bytes === undefined || hashOf(bytes) !== hash) return;
    const type = isMsgpack(bytes, message.header('Content-Type')) ? MSGPACK_TYPE : JSON_TYPE;
    const sent: SentBody = { value: decodeBody(bytes, type), bytes, type };
    const draft = this.checked(number, seq, sent, corrected, (why) => new Refusal('invalid-request', why));
    const marked = { ...draft, mark, nonce };
    if (!(await this.#isStored(marked, after))) await this.#publish(marked);
    await this.#settle([mark]);
  }

  /** The last sequences of the facts' streams. */
  async #endsOf(drafts: readonly Draft[]): Promise<Map<string, number>> {
    const ends = new Map<string, number>();
    for (const stream of new Set(drafts.map(({ fact }) => present(streamOf(fact.type)))))
      ends.set(stream, (await this.#deps.broker.stream(stream))?.lastSeq ?? 0);
    return ends;
  }

  async #publish({ number, fact, sent, mark, nonce }: Marked): Promise<void> {
    const { broker, partitions, resubmitsByHeader } = this.#deps;
    const first = String(this.#index.table.firstOf(number));
    const headers = { ...typeHeaders(sent), [MARK_HEADER]: `${mark}.${nonce}`, [FIRST_HEADER]: first };
    const { type, sku, location } = fact;
    if (resubmitsByHeader())
      await broker.publish(factSubject(type, location, sku), sent.bytes, {
        headers: { ...headers, [RESUBMIT_HEADER]: 'yes' },
      });
    else await broker.publish(againSubject(type, partitionOf(sku, partitions), location, sku), sent.bytes, { headers });
  }

  async #isStored({ fact: { type, sku, location }, mark, nonce }: Marked, after: number): Promise<boolean> {
    const stream = present(streamOf(type));
    const subject = againSubject(type, partitionOf(sku, this.#deps.partitions), location, sku);
    const last = (await this.#deps.broker.lastOn(stream, subject))?.seq ?? 0;
    let found = false;
    await readUntil(
      this.#deps,
      stream,
      [subject],
      after + 1,
      last,
      (message) => {
        found ||= message.header(MARK_HEADER) === `${mark}.${nonce}`;
      },
      { headersOnly: true },
    );
    return found;
  }

  /** Records that messages are stored, and reads that, so that a list made next shows it. */
  async #settle(marks: readonly number[]): Promise<void> {
    if (marks.length === 0) return;
    await markSent(this.#deps.broker, marks, this.#deps.nonce());
    await this.#index.refresh();
  }
}
