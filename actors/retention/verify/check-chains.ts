/** Verifies every record in JOURNAL, and compares each writer with what the baselines recorded. */
import { JOURNAL_STREAM } from '../../../config/topology.ts';
import { readUntil } from '../../../streams/read/follower.ts';
import type { Admission } from '../../log/admission.ts';
import { ChainAudit, ChainBreak } from '../../log/chain.ts';
import type { Baseline } from '../../snapshot/baseline-format.ts';
import type { Fault, Findings, StreamRanges, VerifyDeps } from './report.ts';

/** Stops at the first record that breaks its chain. */
export async function checkChains(
  deps: VerifyDeps,
  { first, end, floors }: StreamRanges,
  baselines: readonly Baseline[],
  admission: Admission,
): Promise<Findings & { records: number; writers: number }> {
  const faults: Fault[] = [];
  let records = 0;
  const chain = new ChainAudit(undefined, floors[JOURNAL_STREAM] ?? 0, admission);
  const known = new Map(baselines.flatMap(({ id, writers }) => writers.map((tip) => [tip.seq, { id, tip }] as const)));
  try {
    await readUntil(deps, JOURNAL_STREAM, [], first, end.journalSeq, (message) => {
      const record = chain.take(message);
      if (record === undefined) return;
      const { writer, n } = record;
      records += 1;
      const expected = known.get(message.seq);
      if (expected === undefined) return;
      known.delete(message.seq);
      const { id, tip } = expected;
      if (tip.writer !== writer || tip.n !== n || tip.hash !== chain.tip(writer)?.hash)
        throw new ChainBreak(message.seq, writer, n, `is not the one that baseline ${id} knows`);
    });
    // Trimming keeps each writer's last record at the newest baseline. It may have removed those of the older baseline.
    const gone = [...known.values()].find(({ id }) => id === baselines[0]?.id);
    if (gone !== undefined)
      throw new ChainBreak(gone.tip.seq, gone.tip.writer, gone.tip.n, `is missing, but baseline ${gone.id} knows it`);
  } catch (error) {
    if (!(error instanceof ChainBreak)) throw error;
    const { seq, writer, n, message } = error;
    faults.push({ check: 'journal', stream: JOURNAL_STREAM, seq, writer, n, what: message });
  }
  return { faults, notes: notCounted(admission), records, writers: chain.state.writers.length };
}

/** Notes on records that are known not to count, which are not faults. */
function notCounted({ aside, skips }: Admission): string[] {
  const notes = skips.list.map(
    ({ stream, seq, by, why, at }) => `${stream}.${seq} is passed over: ${by} has skipped it at ${at}: ${why}`,
  );
  if (aside.first !== undefined)
    notes.push(
      `${aside.records} records of JOURNAL are of writers that never owned a partition and do not count; the first is ${JOURNAL_STREAM}.${aside.first.seq} on ${aside.first.subject}`,
    );
  return notes;
}
