/**
 * Verifies every chain, every invariant, and every stored copy of the state against a replay of the streams.
 *
 * The replay begins empty, or at the oldest baseline that the trimmed streams continue from. It stops at each stored copy to compare it.
 * Verification names the first bad record or page of each kind, and continues with everything that can still be judged.
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
  // Read stored copies first. The streams are read later, so they must hold everything that the copies know.
  const stored = await readSnapshots(deps);
  const held = await readHeld(deps);
  const { baselines, faults } = await readBaselines(deps);
  const notes: string[] = [];
  const checked = { records: 0, writers: 0, messages: 0, snapshots: 0, baselines: 0, keys: 0, reservations: 0 };
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
  // If the messages before a baseline are trimmed, the replay begins with it and cannot check it.
  const start = trimmed === undefined ? undefined : base;
  if (start !== undefined)
    notes.push(`what came before baseline ${start.id} has been trimmed: the replay begins with it`);
  const copies = await collectCopies(deps, held, baselines, stored, start);
  const replayed = await replayThrough(deps, held, copies, start, admission);
  faults.push(...copies.faults, ...replayed.faults);
  notes.push(...copies.notes, ...replayed.notes);
  const { messages, keys, reservations } = replayed;
  Object.assign(checked, { snapshots: copies.snapshots, baselines: baselines.length, messages, keys, reservations });

  const outdated = copies.outdated + replayed.outdated;
  if (outdated > 0)
    notes.push(`${outdated} snapshots end before what the streams and baselines still hold: they are not compared`);
  if (copies.unsigned > 0)
    notes.push(`${copies.unsigned} snapshots before the last are not signed with this key: nobody uses them`);
  return report();
}

async function readHeld(deps: VerifyDeps): Promise<StreamRanges> {
  const streams = await readStreams(deps.broker);
  // Read the rules after the streams' ends. An entry that is added from now on holds only after those ends.
  await deps.keeping.refresh();
  return {
    first: streams.get(JOURNAL_STREAM)?.firstSeq ?? 1,
    end: pointOf(Object.fromEntries([...streams].map(([name, { lastSeq }]) => [name, lastSeq]))),
    floors: floorsOf(streams),
    created: Object.fromEntries([...streams].map(([name, { created }]) => [name, created])),
  };
}

/** Reads the whole baselines, and a fault for each damaged one. */
async function readBaselines(deps: VerifyDeps): Promise<{ baselines: Baseline[]; faults: Fault[] }> {
  const baselines: Baseline[] = [];
  const faults: Fault[] = [];
  for (const { baseline, damage } of (await deps.baselines?.generations()) ?? []) {
    if (baseline === undefined) faults.push({ check: 'baseline', what: damage });
    else baselines.push(baseline);
  }
  return { baselines, faults };
}
