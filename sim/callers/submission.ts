/**
 * A request of facts to a node, as over HTTP or `fact.submit`. It is repeated, each time at any node, until there is a verdict on every
 * fact. The answers are checked against the witness.
 */
import { encodeBody, JSON_TYPE, MSGPACK_TYPE } from '../../streams/codec.ts';
import type { SentBody } from '../../streams/fact/sent-body.ts';
import type { Random } from '../../streams/random.ts';
import type { SentFact } from '../witness/ledger.ts';
import { isOld } from '../witness/witness.ts';
import type { World } from '../world.ts';
import type { Caller } from './caller.ts';

export class Submission {
  readonly #facts: readonly SentFact[];
  readonly #bodies: readonly SentBody[];
  /** Ids of which no answer says yet that they count. Each may be accepted once. */
  readonly #fresh: ReadonlySet<string>;
  readonly #world: World;

  /** @param acknowledged facts that an answer said to be stored */
  constructor(facts: readonly SentFact[], acknowledged: ReadonlyMap<string, SentFact>, world: World, random: Random) {
    this.#facts = facts;
    this.#fresh = new Set(facts.map(({ id }) => id).filter((id) => !acknowledged.has(id)));
    this.#world = world;
    this.#bodies = facts.map((value) => {
      const type = random.chance(0.3) ? MSGPACK_TYPE : JSON_TYPE;
      return { value, bytes: encodeBody(value, type), type };
    });
  }

  /** Facts that count. */
  get counted(): SentFact[] {
    return this.#facts.filter((fact) => this.#world.witness.ledger.has(fact));
  }

  /** Sends one copy of the request with each caller, all at once. */
  async send(callers: readonly Caller[]): Promise<void> {
    const { witness, scheduler } = this.#world;
    const answers = await Promise.all(callers.map((caller) => this.#ask(caller)));
    for (const fact of this.#facts) if (isOld(fact, scheduler.nowMs)) witness.uncounted.push(`http.${fact.id}`);
    const accepted = answers.reduce((sum, answer) => sum + answer.accepted, 0);
    const fresh = [...this.#fresh].filter((id) => witness.ledger.facts.has(id)).length;
    // A fact that was stored by a try without an answer is a duplicate in the next one.
    const isSure = answers.every(({ tries }) => tries === 1);
    if (accepted > fresh || (isSure && accepted < fresh))
      this.#world.fail(`${accepted} facts are accepted, of which ${fresh} are new (I14)`);
  }

  async #ask(caller: Caller): Promise<{ accepted: number; tries: number }> {
    const outcome = await caller.decide((core) => core.facts.submit(this.#bodies));
    if ('refusal' in outcome) throw new Error(`facts are refused as ${outcome.refusal.kind}`);
    const { accepted, duplicates, rejected } = outcome.value;
    const taken = this.#facts.length - rejected.length;
    if (accepted + duplicates !== taken)
      this.#world.fail(`of ${taken} facts ${accepted} are accepted and ${duplicates} are duplicates (I14)`);
    const codes = new Map(rejected.map(({ index, code }) => [index, code]));
    for (const [index, fact] of this.#facts.entries()) {
      const [code, expected] = [codes.get(index) ?? 'taken', this.#expected(fact)];
      if (code !== expected) this.#world.fail(`fact ${fact.id} is ${code}, should be ${expected} (I14)`);
    }
    return { accepted, tries: outcome.tries };
  }

  #expected(fact: SentFact): string {
    const { witness, scheduler } = this.#world;
    if (isOld(fact, scheduler.nowMs)) return 'too-old';
    if (!witness.ledger.facts.has(fact.id)) return 'undecided';
    return witness.ledger.has(fact) ? 'taken' : 'id-conflict';
  }
}
