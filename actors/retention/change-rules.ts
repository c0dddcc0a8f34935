/**
 * Changes the rules that are recorded with the streams, for facts that are stored from then on. It runs only while no node is alive. So no
 * node can have judged a message after the cut, and the cut is exact.
 */

import { present } from '../../streams/assert.ts';
import type { Broker } from '../../streams/broker.ts';
import { floorsOf, readStreams } from '../../streams/journal/floors.ts';
import { covers, pointOf } from '../../streams/read/position.ts';
import { type ChangedRule, horizonText, type RulesEntry } from '../idempotency/rules.ts';
import { type RulesDeps, RulesList } from '../idempotency/rules-list.ts';
import type { Baselines } from '../snapshot/baseline-format.ts';

export interface ChangeDeps extends Omit<RulesDeps, 'firstHorizonMs' | 'firstPieces'> {
  readonly baselines: Baselines;
}

/** The rules were not changed; the message says why. */
export class RulesError extends Error {
  override readonly name = 'RulesError';
}

/** @returns the entry that holds from now on */
export async function changeRules(deps: ChangeDeps, change: ChangedRule): Promise<RulesEntry> {
  const live = (await deps.live()).map(({ name }) => name);
  if (live.length > 0)
    throw new RulesError(
      `these nodes live: ${live.join(', ')}; end all nodes first (one that was killed counts until its lease has run out)`,
    );
  const { horizonMs, pieces } = change;
  if (horizonMs !== undefined) await refuseWiderHorizon(deps.broker, deps.baselines, horizonMs);
  const list = new RulesList({ ...deps, firstHorizonMs: horizonMs, firstPieces: pieces });
  return present((await list.add(change)).at(-1));
}

/** Refuses a wider horizon if it needs data that no longer exists, because the streams were trimmed to baselines that have forgotten it. */
async function refuseWiderHorizon(
  broker: Pick<Broker, 'stream'>,
  baselines: Baselines,
  horizonMs: number | null,
): Promise<void> {
  const floors = pointOf(floorsOf(await readStreams(broker)));
  if (covers(pointOf({}), floors)) return;
  const usable = (await baselines(() => undefined)).filter(({ baseline }) => covers(baseline, floors));
  const widest = Math.max(...usable.map(({ baseline }) => baseline.horizonMs ?? Number.POSITIVE_INFINITY));
  if (usable.length === 0 || (horizonMs ?? Number.POSITIVE_INFINITY) <= widest) return;
  throw new RulesError(
    `the horizon cannot be ${horizonText(horizonMs)}: the streams have been trimmed to a baseline that has forgotten what is older than ${horizonText(widest)}; set that, or less`,
  );
}
