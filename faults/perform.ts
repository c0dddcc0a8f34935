/** Performs one scenario. A failure of the scenario becomes a result as well. */
import { Rig } from './rig/rig.ts';
import type { Outcome, Scenario } from './scenario.ts';

export interface Result extends Outcome {
  readonly name: string;
  readonly injects: string;
  readonly holds: string;
  readonly verdict: 'held' | 'FAILED' | 'skipped';
  /** Reason for skipping, if it was skipped. */
  readonly reason?: string;
  readonly seconds: number;
}

/** @param trials number of trials; undefined for those of a whole run */
export async function perform(
  scenario: Scenario,
  options: {
    trials?: number | undefined;
    first?: number;
    minutes: number;
    attacks?: readonly string[];
    say: (line: string) => void;
  },
): Promise<Result> {
  const { name, injects, holds } = scenario;
  const reason = scenario.lacks?.();
  if (reason !== undefined)
    return { name, injects, holds, verdict: 'skipped', reason, trials: 0, broken: [], figures: {}, seconds: 0 };
  const rig = new Rig();
  const began = performance.now();
  let outcome: Outcome;
  try {
    const { trials = scenario.trials, first = 0, minutes, attacks = [], say } = options;
    outcome = await scenario.run({ rig, trials, first, minutes, attacks, say });
  } catch (error) {
    // The stack is only for the person who watches, because a report must not contain local paths.
    options.say((error as Error).stack ?? String(error));
    outcome = { trials: 0, broken: [(error as Error).message], figures: {} };
  } finally {
    await rig.end();
  }
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  return { name, injects, holds, verdict: outcome.broken.length === 0 ? 'held' : 'FAILED', ...outcome, seconds };
}
