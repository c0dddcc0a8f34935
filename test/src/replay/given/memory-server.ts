/** POST /v1/facts in memory. It stores by id, detects duplicates and conflicts, and fails when told to. */

import type { SentFact } from '../../../../src/replay/entry.ts';
import type { Send, SendError } from '../../../../src/replay/send.ts';
import { parseFact } from '../../../../streams/fact/fact.ts';

export class MemoryServer {
  readonly facts = new Map<string, SentFact>();
  readonly batches: number[] = [];
  /** Facts that happened before this are too old. */
  oldest = '';
  /** Errors that the next calls throw, one each. `after` stores the batch first, as when the answer was lost. */
  readonly failures: { readonly error: SendError; readonly after?: boolean }[] = [];

  readonly send: Send = async (facts) => {
    await new Promise((resolve) => setImmediate(resolve));
    const failure = this.failures.shift();
    if (failure !== undefined && failure.after !== true) throw failure.error;
    this.batches.push(facts.length);
    const answer = this.#store(facts);
    if (failure !== undefined) throw failure.error;
    return answer;
  };

  #store(facts: readonly SentFact[]) {
    const rejected: { index: number; code: string; message: string }[] = [];
    let accepted = 0;
    let duplicates = 0;
    facts.forEach((fact, index) => {
      const id = String(fact.id);
      const known = this.facts.get(id);
      const parsed = parseFact(fact);
      if (!parsed.ok) rejected.push({ index, code: 'invalid', message: parsed.message });
      else if (String(fact.occurredAt) < this.oldest) rejected.push({ index, code: 'too-old', message: 'is too old' });
      else if (known === undefined) {
        this.facts.set(id, fact);
        accepted++;
      } else if (JSON.stringify(known) === JSON.stringify(fact)) duplicates++;
      else rejected.push({ index, code: 'id-conflict', message: 'was used with other content' });
    });
    return { accepted, duplicates, rejected };
  }
}
