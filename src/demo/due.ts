/** Facts that happen some time after their cause, for example a transfer that arrives. */
import { formatInstant, parseInstant } from '../../streams/instant.ts';
import type { SentFact } from '../replay/entry.ts';

/** Facts that wait for their moment. They are taken in the order of these moments. */
export class Due {
  readonly #waiting: { readonly at: number; readonly fact: SentFact }[] = [];

  add(fact: SentFact, afterMs: number): void {
    const occurredAt = later(String(fact.occurredAt), afterMs);
    const at = parseInstant(occurredAt) ?? 0;
    let place = this.#waiting.length;
    while (place > 0 && (this.#waiting[place - 1]?.at ?? 0) > at) place--;
    this.#waiting.splice(place, 0, { at, fact: { ...fact, occurredAt } });
  }

  /** Takes the facts whose moment has come by `at`, in microseconds since 1970. */
  *upTo(at: number): Generator<SentFact> {
    for (let next = this.#waiting[0]; next !== undefined && next.at <= at; next = this.#waiting[0]) {
      this.#waiting.shift();
      yield next.fact;
    }
  }
}

export function later(at: string, ms: number): string {
  return formatInstant((parseInstant(at) ?? 0) + ms * 1000);
}
