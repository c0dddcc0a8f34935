/** The journal against a real server: fences, order, and what a reader makes of a chain. */
import { beforeAll, expect, it } from 'vitest';
import { Partition } from '../../actors/partition.ts';
import { LostLogError, type RecoveryWorld, replayJournal } from '../../actors/recovery.ts';
import { SeenIds } from '../../actors/seen.ts';
import { JOURNAL_STREAM } from '../../config/topology.ts';
import { SteadyClock } from '../../src/clock.ts';
import { NatsBroker } from '../../streams/connection.ts';
import { decodeRecord, encodeRecord, recordHash, type Stepped } from '../../streams/decisions.ts';
import { fenceWriter, Journal } from '../../streams/journal.ts';
import { provision } from '../../streams/provision.ts';
import { journalSubject } from '../../streams/subjects.ts';
import { freshNats } from '../fixtures/servers.ts';

let broker: NatsBroker;
beforeAll(async () => {
  broker = await NatsBroker.connect((await freshNats()).url, 'journal');
  await provision(broker, { partitions: 8, replicas: 1 });
});

const clock = new SteadyClock();
const world = () => ({ broker, clock });
const decision = (id: string, ...parts: [number, number][]): Stepped => ({ kind: 'released', id, atMs: 1, parts });

function journalOf(writer: string) {
  const events: string[] = [];
  const tips: { n: number; hash: string; seq: number }[] = [];
  const journal = new Journal(world(), writer, {
    fenced: (parts) => events.push(`fenced ${JSON.stringify(parts)}`),
    stopped: (why) => events.push(`stopped ${why}`),
    stored: (_seq, _decisions, _seconds, tip) => tips.push(tip),
  });
  const append = (each: Stepped) =>
    new Promise<string>((resolve) =>
      journal.append(
        each,
        () => resolve('stored'),
        () => resolve('dropped'),
      ),
    );
  return { journal, events, tips, append };
}

it('a fence drops decisions of epochs before its own, and leaves those of a partition that was claimed anew', async () => {
  const { append, events } = journalOf('fenced-1');
  expect(await append(decision('a', [3, 5], [4, 5]))).toBe('stored');
  await fenceWriter(world(), 'fenced-1', 'other', [[3, 10]]);
  expect(
    await Promise.all([append(decision('b', [3, 5])), append(decision('c', [4, 5])), append(decision('d', [3, 12]))]),
  ).toEqual(['dropped', 'stored', 'stored']);
  expect(events).toEqual(['fenced [[3,10]]']);
});

it('a writer that never wrote finds its fence, however much others have written', async () => {
  const busy = journalOf('busy');
  for (let n = 0; n < 300; n++) await busy.append(decision(`n${n}`, [1, 1]));
  await fenceWriter(world(), 'idle', 'other', [[2, 10]]);
  const { append } = journalOf('idle');
  const began = performance.now();
  expect(await Promise.all([append(decision('e', [2, 5])), append(decision('f', [5, 5]))])).toEqual([
    'dropped',
    'stored',
  ]);
  expect(performance.now() - began).toBeLessThan(3_000);
});

it('drains what was appended so far, though more is appended all the time', async () => {
  const { journal, append } = journalOf('never-idle');
  let stop = false;
  const callers = Promise.all(
    Array.from({ length: 8 }, async () => {
      while (!stop) await append(decision('x', [1, 1]));
    }),
  );
  for (let round = 0; round < 3; round++) await journal.drained();
  stop = true;
  await callers;
});

it('a reader begins behind a fence that it need not read, and still notices a record that is gone', async () => {
  const { append, tips } = journalOf('chain');
  await append(decision('a', [6, 1]));
  const tip = { writer: 'chain', ...(tips[0] as (typeof tips)[number]) };
  await fenceWriter(world(), 'chain', 'other', [[7, 10]]);
  const from = (await broker.stream(JOURNAL_STREAM))?.lastSeq as number;
  await append(decision('b', [6, 1]));
  const read = async (journalSeq: number) => {
    const partition = new Partition(6);
    partition.journalSeq = journalSeq;
    const until = (await broker.stream(JOURNAL_STREAM))?.lastSeq as number;
    await replayJournal({ ...world(), seen: new SeenIds() } as unknown as RecoveryWorld, [partition], [tip], until);
    return partition.journalSeq === until;
  };
  expect(await read(from)).toBe(true);
  expect(await read(tip.seq)).toBe(true);
  const last = await broker.lastOn(JOURNAL_STREAM, journalSubject('chain'));
  const { n } = decodeRecord(last?.data ?? new Uint8Array());
  const torn = encodeRecord({ writer: 'chain', n: n + 2, before: recordHash(Buffer.from('gone')), decisions: [] });
  await broker.publish(journalSubject('chain'), torn);
  await expect(read(from)).rejects.toThrow(LostLogError);
});
