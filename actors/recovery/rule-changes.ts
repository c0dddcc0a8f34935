/**
 * Follows changes of the rules while a node runs. A partition is rebuilt from the log if facts were judged without the new rules, or if it
 * has already dropped ids that they need.
 */
import type { Clock } from '../../streams/clock.ts';
import { horizonText, type Rules } from '../idempotency/rules.ts';
import type { RulesList } from '../idempotency/rules-list.ts';
import type { Ownership } from '../ownership/ownership.ts';
import type { PartitionSet } from '../partition/partition-set.ts';

export interface RuleChangesDeps {
  readonly clock: Clock;
  readonly rules: Rules;
  readonly rulesList: RulesList;
  readonly partitions: PartitionSet;
  readonly ownership: Ownership;
  readonly note: (level: 'info' | 'warn', message: string, detail: Record<string, unknown>) => void;
}

export class RuleChanges {
  readonly #deps: RuleChangesDeps;

  constructor(deps: RuleChangesDeps) {
    this.#deps = deps;
  }

  /**
   * Adopts the recorded rules at the start of a node, before it holds any partition.
   * @param set horizon from the node's settings
   */
  async begin(set: number | null | undefined): Promise<void> {
    const { rules, rulesList, note } = this.#deps;
    rules.adopt(await rulesList.current());
    const { horizonMs } = rules.newest;
    if (set === undefined || set === horizonMs) return;
    note(
      'warn',
      'the horizon that is recorded with the streams counts, not HOLDFAST_HORIZON; to change it, end all nodes and run: holdfast horizon DURATION',
      { recorded: horizonText(horizonMs), setting: horizonText(set) },
    );
  }

  /**
   * Adopts rules that were added. Nothing is awaited between adopting the list and dropping the partitions. Otherwise a snapshot taken in
   * between would claim to know rules by which its facts were not judged.
   */
  async follow(): Promise<void> {
    const { clock, rules, rulesList, partitions, ownership, note } = this.#deps;
    const list = await rulesList.current();
    const change = rules.adopt(list);
    if (change === 'same') return;
    const { version, horizonMs } = rules.newest;
    note('info', 'the rules have changed', { version, horizon: horizonText(horizonMs), late: change === 'late' });
    const atMs = clock.nowMs();
    const unfit = [...partitions.values()].filter(
      ({ positions, remembersMs }) => change === 'late' || remembersMs < rules.widestMs({ positions, atMs }),
    );
    const numbers = unfit.map((partition) => partition.number);
    partitions.drop(numbers);
    await ownership.handBack(numbers, false);
  }
}
