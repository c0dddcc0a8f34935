/**
 * Follows changes of the rules while a node runs. A partition is rebuilt from the log if facts were judged without the new rules, or if it
 * has already dropped ids that they need.
 */
import { ONE_PIECE } from '../../config/rules.ts';
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

/** What a node's settings say; what is undefined is not set. */
interface SetRules {
  readonly horizonMs: number | null | undefined;
  readonly pieces?: readonly string[] | undefined;
}

export class RuleChanges {
  readonly #deps: RuleChangesDeps;

  constructor(deps: RuleChangesDeps) {
    this.#deps = deps;
  }

  /**
   * Adopts the recorded rules at the start of a node, before it holds any partition.
   * @param set the node's settings
   */
  async begin(set: SetRules): Promise<void> {
    const { rules, rulesList, note } = this.#deps;
    rules.adopt(await rulesList.current());
    const { horizonMs, pieces = ONE_PIECE } = rules.newest;
    if (set.horizonMs !== undefined && set.horizonMs !== horizonMs)
      note(
        'warn',
        'the horizon that is recorded with the streams counts, not HOLDFAST_HORIZON; to change it, end all nodes and run: holdfast horizon DURATION',
        { recorded: horizonText(horizonMs), setting: horizonText(set.horizonMs) },
      );
    if (set.pieces !== undefined && String(set.pieces) !== String(pieces))
      note(
        'warn',
        'the words for one piece that are recorded with the streams count, not HOLDFAST_ONE_PIECE; to change them, end all nodes and run: holdfast one-piece WORDS',
        { recorded: String(pieces), setting: String(set.pieces) },
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
