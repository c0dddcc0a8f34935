/**
 * Verification: every chain, every stored copy of the state against a replay of the streams, every invariant.
 *
 * The replay begins at the oldest baseline that the streams go on from, or at nothing, and stops at each stored copy to compare. It
 * names the first bad record or page of each kind, and goes on with what can still be judged.
 */
import { JOURNAL_STREAM } from '../../../config/topology.ts';
import { floorsOf, readStreams } from '../../../streams/journal/floors.ts';
import { covers, pointOf } from '../../../streams/read/position.ts';
import type { Baseline } from '../../snapshot/baseline-format.ts';
import { checkChains } from './check-chains.ts';
import { collectCopies, readSnapshots } from './collect-copies.ts';
import { replayThrough } from './replay-through.ts';
import type { Fault, StreamRanges, VerificationReport, VerifyDeps } from './report.ts';

export async function verify(deps: VerifyDeps): Promise<VerificationReport> {
  // Stored copies first: what they know, the streams must hold when they are looked at after that.
  const stored = await readSnapshots(deps);
  const held = await readHeld(deps);
  const { baselines, faults } = await readBaselines(deps);
  const notes: string[] = [];
  const checked = { records: 0, writers: 0, facts: 0, snapshots: 0, baselines: 0, keys: 0, reservations: 0 };
  const report = () => ({ good: faults.length === 0, faults, checked, notes });

  const admission = await deps.keeping.writers.read();
  const chains = await checkChains(deps, held, baselines, admission);
  faults.push(...chains.faults);
  notes.push(...chains.notes);
  Object.assign(checked, { records: chains.records, writers: chains.writers });

  const base = [...baselines].reverse().find((each) => covers(each, pointOf(held.floors)));
  const trimmed = Object.entries(held.floors).find(([, seq]) => seq > 0);
  if (base === undefined && trimmed !== undefined) {
    const what = `it was trimmed up to ${trimmed[1]}, and no whole baseline holds what came before`;
    faults.push({ check: 'streams', stream: trimmed[0], seq: trimmed[1], what });
    return report();
  }
  // A baseline that nothing before it is left of is a copy to begin from, and cannot be compared with the streams.
  const start = trimmed === undefined ? undefined : base;
  if (start !== undefined)
    notes.push(`what came before baseline ${start.id} has been trimmed: the replay begins with it`);
  const copies = await collectCopies(deps, held, baselines, stored, start);
  const replayed = await replayThrough(deps, held, copies, start, admission);
  faults.push(...copies.faults, ...replayed.faults);
  notes.push(...copies.notes, ...replayed.notes);
  const { facts, keys, reservations } = replayed;
  Object.assign(checked, { snapshots: copies.snapshots, baselines: baselines.length, facts, keys, reservations });

  const outdated = copies.outdated + replayed.outdated;
  if (outdated > 0)
    notes.push(`${outdated} snapshots end before what the streams and baselines still hold: they are not compared`);
  if (copies.unsigned > 0)
    notes.push(`${copies.unsigned} snapshots before the last are not signed with this key: nobody uses them`);
  return report();
}

async function readHeld(deps: VerifyDeps): Promise<StreamRanges> {
  const streams = await readStreams(deps.broker);
  // Read behind the streams' ends: what is added to the list from now on comes into force behind them.
  await deps.keeping.refresh();
  return {
    first: streams.get(JOURNAL_STREAM)?.firstSeq ?? 1,
    end: pointOf(Object.fromEntries([...streams].map(([name, { lastSeq }]) => [name, lastSeq]))),
    floors: floorsOf(streams),
    created: Object.fromEntries([...streams].map(([name, { created }]) => [name, created])),
  };
}

/** Those that are whole, and what is wrong with the others. */
async function readBaselines(deps: VerifyDeps): Promise<{ baselines: Baseline[]; faults: Fault[] }> {
  const baselines: Baseline[] = [];
  const faults: Fault[] = [];
  for (const { baseline, damage } of (await deps.baselines?.generations()) ?? []) {
    if (baseline === undefined) faults.push({ check: 'baseline', what: damage });
    else baselines.push(baseline);
  }
  return { baselines, faults };
}
