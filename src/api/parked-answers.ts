/** Turns decoded requests about parked facts into the bodies of their answers. */
import type { ParkedFacts } from '../../actors/ports/parked.ts';
import {
  type ParkedAnswer,
  type ParkedFact,
  type ParkedGroups,
  type ParkedWork,
  parkedDismissal,
  parkedGroupsQuery,
  parkedParams,
  parkedQuery,
  parkedResubmission,
  resubmitQuery,
} from '../../streams/contract/parked.ts';
import type { SentBody } from '../../streams/fact/sent-body.ts';
import { present, valid, validQuery } from './checks.ts';

export class ParkedAnswers {
  readonly #parked: ParkedFacts;

  constructor(parked: ParkedFacts) {
    this.#parked = parked;
  }

  list(query: unknown): Promise<ParkedAnswer> {
    const { after, limit, ...filter } = validQuery(parkedQuery, query);
    return this.#parked.list(filter, after, limit);
  }

  groups(query: unknown): Promise<ParkedGroups> {
    const { limit, ...filter } = validQuery(parkedGroupsQuery, query);
    return this.#parked.groups(filter, limit);
  }

  get(params: unknown): Promise<ParkedFact> {
    return this.#parked.get(valid(parkedParams, params).seq);
  }

  resubmit(body: unknown): Promise<ParkedWork> {
    const { by, why, ...selection } = valid(parkedResubmission, present(body));
    return this.#parked.resubmit(selection, { by, why });
  }

  dismiss(body: unknown): Promise<ParkedWork> {
    const { by, why, ...selection } = valid(parkedDismissal, present(body));
    return this.#parked.dismiss(selection, { by, why });
  }

  /** @param body a fact that replaces the parked one, or undefined to resubmit it unchanged */
  async resubmitOne(
    params: unknown,
    query: unknown,
    body: SentBody | undefined,
  ): Promise<{ seq: number; resubmitted: true }> {
    const { seq } = valid(parkedParams, params);
    const { state = 'waiting', ...decider } = validQuery(resubmitQuery, query);
    const corrected = body?.value === undefined ? undefined : body;
    await this.#parked.resubmitOne(seq, corrected, state, decider);
    return { seq, resubmitted: true };
  }
}
