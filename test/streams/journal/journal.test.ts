/** The journal on one server and on a cluster of three: fences, order, unknown outcomes, and how a reader interprets a chain. */

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Admission } from '../../../actors/log/admission.ts';
import { Partition } from '../../../actors/partition/partition.ts';
import { LostLogError, replayJournal } from '../../../actors/recovery/recovery.ts';
import { JOURNAL_STREAM } from '../../../config/topology.ts';
import { NatsCluster } from '../../../harness/servers/nats-cluster.ts';
import { freshNats } from '../../../harness/servers/servers.ts';
import { SteadyClock } from '../../../src/process/steady-clock.ts';
import type { ServerHandle } from '../../../src/servers/local-server.ts';
import { isFence } from '../../../streams/journal/decision.ts';
import { fenceWriter } from '../../../streams/journal/fence.ts';
import { Journal } from '../../../streams/journal/journal.ts';
import { decodeRecord, encodeRecord, recordHash } from '../../../streams/journal/record.ts';
import type { Stepped } from '../../../streams/journal/stock-decisions.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import { provision } from '../../../streams/nats/provision.ts';
import { readUntil } from '../../../streams/read/follower.ts';
import { journalSubject } from '../../../streams/subjects.ts';

let broker: NatsBroker;

const clock = new SteadyClock();
const deps = () => ({ broker, clock });

const decision = (id: string, ...parts: [number, number][]): Stepped => ({ kind: 'released', id, atMs: 1, parts });

function journalOf(writer: string) {
  const events: string[] = [];
  const tips: { n: number; hash: string; seq: number }[] = [];
  const journal = new Journal(deps(), writer, {
    fenced: (parts) => events.push(`fenced ${JSON.stringify(parts)}`),
    stopped: (why) => events.push(`stopped ${why}`),
    stored: () => tips.push(journal.tip),
  });
  const append = (each: Stepped) =>
    new Promise<string>((resolve) =>
      journal.append(
        each,
        () => resolve('stored'),
        (_why, kind) => resolve(kind ?? 'dropped'),
      ),
    );
  return { journal, events, tips, append };
}

/** Everything that this writer has in the stream, in order, as ids of decisions and `fence`. Throws unless it is dense and chained. */
async function recordsOf(writer: string): Promise<string[]> {
  const until = (await broker.lastOn(JOURNAL_STREAM, journalSubject(writer)))?.seq ?? 0;
  const found: string[] = [];
  let [n, before] = [0, ''];
  await readUntil(deps(), JOURNAL_STREAM, [journalSubject(writer)], 1, until, ({ data }) => {
    const record = decodeRecord(data);
    expect([record.n, record.before]).toEqual([n + 1, before]);
    [n, before] = [record.n, recordHash(data)];
    found.push(...record.decisions.map((each) => (isFence(each) ? 'fence' : (each as Stepped).id)));
  });
  return found;
}

/** Callers that append one decision after another until they are stopped. Returns the outcome of each. */
function appending(append: (each: Stepped) => Promise<string>, part: [number, number], callers = 16) {
  const told = new Map<string, string>();
  let stopped = false;
  const all = Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let round = 0; !stopped; round++) {
        const id = `${caller}-${round}`;
        const how = await append(decision(id, part));
        told.set(id, how);
        // An owner that learns of a fence asks nothing more in that epoch.
        if (how === 'dropped') return;
      }
    }),
  );
  const stored = () => [...told].flatMap(([id, how]) => (how === 'stored' ? [id] : []));
  const stop = async () => {
    stopped = true;
    await all;
  };
  return { told, stored, stop };
}

const KINDS = [
  ['one server', 1],
  ['three copies', 3],
] as const;

describe.each(KINDS)('on %s', (_, copies) => {
  let leader: () => Promise<ServerHandle>;
  beforeAll(async () => {
    if (copies === 1) {
      const nats = await freshNats();
      leader = async () => nats;
      broker = await NatsBroker.connect(nats.url, 'journal');
    } else {
      const cluster = await NatsCluster.start();
      leader = () => cluster.leaderOf(JOURNAL_STREAM);
      broker = await NatsBroker.connect(cluster.url, 'journal');
    }
    await provision(broker, { partitions: 8, replicas: copies });
  }, 120_000);
  afterAll(() => broker.close());

  it('a fence drops decisions of epochs before its own, and leaves those of a partition that was claimed anew', async () => {
    const { append, events } = journalOf('fenced-1');
    expect(await append(decision('a', [3, 5], [4, 5]))).toBe('stored');
    await fenceWriter(deps(), 'fenced-1', 'other', [[3, 10]]);
    expect(
      await Promise.all([append(decision('b', [3, 5])), append(decision('c', [4, 5])), append(decision('d', [3, 12]))]),
    ).toEqual(['dropped', 'stored', 'stored']);
    expect(events).toEqual(['fenced [[3,10]]']);
  });

  it('a writer that never wrote finds its fence, however much others have written', async () => {
    const busy = journalOf('busy');
    for (let n = 0; n < 300; n++) await busy.append(decision(`n${n}`, [1, 1]));
    await fenceWriter(deps(), 'idle', 'other', [[2, 10]]);
    const { append } = journalOf('idle');
    const followed = vi.spyOn(broker, 'follow');
    expect(await Promise.all([append(decision('e', [2, 5])), append(decision('f', [5, 5]))])).toEqual([
      'dropped',
      'stored',
    ]);
    // Records of other writers are not read.
    expect(followed.mock.calls.map(([, { filters }]) => filters)).toEqual([[journalSubject('idle')]]);
    followed.mockRestore();
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

  it('is not drained by a later decision that a fence drops', async () => {
    await fenceWriter(deps(), 'drops-later', 'other', [[3, 10]]);
    const { journal, append } = journalOf('drops-later');
    let outcome = 'none';
    const earlier = append(decision('a', [4, 5])).then((said) => {
      outcome = said;
    });
    const drained = journal.drained().then(() => outcome);
    expect(await append(decision('b', [3, 5]))).toBe('dropped');
    expect(await drained).toBe('stored');
    await earlier;
  });

  it('a record that is too large goes again decision by decision: the one at fault is refused, the others are stored', async () => {
    const { append, events, journal } = journalOf('large');
    await broker.updateStream(JOURNAL_STREAM, { max_msg_size: 4_000 });
    try {
      const ids = ['a', 'b', 'x'.repeat(5_000), 'c'];
      const told = await Promise.all(ids.map((id) => append(decision(id, [1, 1]))));
      expect(told).toEqual(['stored', 'stored', 'too-large', 'stored']);
      expect(await append(decision('d', [1, 1]))).toBe('stored');
      expect(journal.standstill).toBe(undefined);
      expect(await append(decision('x'.repeat(9 * 1024 * 1024), [1, 1]))).toBe('too-large');
    } finally {
      await broker.updateStream(JOURNAL_STREAM, { max_msg_size: -1 });
    }
    expect(await recordsOf('large')).toEqual(['a', 'b', 'c', 'd']);
    expect(events).toEqual([]);
  });

  it('decisions that are together above half of max_payload go in several records', async () => {
    const { append, tips } = journalOf('batches');
    const ids = Array.from({ length: 12 }, (_, i) => `${i}`.padEnd(1024 * 1024, '.'));
    expect(new Set(await Promise.all(ids.map((id) => append(decision(id, [1, 1])))))).toEqual(new Set(['stored']));
    expect(tips.length).toBe(4);
    expect(await recordsOf('batches')).toEqual(ids);
  });

  it('without room it waits, says so, and goes on when there is room', async () => {
    const { append, journal } = journalOf('full');
    await broker.updateStream(JOURNAL_STREAM, { max_bytes: 1 });
    const told = append(decision('waits', [1, 1]));
    await expect.poll(() => journal.standstill?.why).toBe('the stream JOURNAL has no room');
    await broker.updateStream(JOURNAL_STREAM, { max_bytes: -1 });
    expect(await told).toBe('stored');
    expect(journal.standstill).toBe(undefined);
  });

  it('a reader begins behind a fence that it need not read, and still notices a record that is gone', async () => {
    const { append, tips } = journalOf('chain');
    await append(decision('a', [6, 1]));
    const tip = { writer: 'chain', ...(tips[0] as (typeof tips)[number]) };
    await fenceWriter(deps(), 'chain', 'other', [[7, 10]]);
    const from = (await broker.stream(JOURNAL_STREAM))?.lastSeq as number;
    await append(decision('b', [6, 1]));
    const read = async (journalSeq: number) => {
      const partition = new Partition(6);
      partition.journalSeq = journalSeq;
      const until = (await broker.stream(JOURNAL_STREAM))?.lastSeq as number;
      await replayJournal({ ...deps(), admission: Admission.open() }, [partition], [tip], until);
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

  it('a fence that races appends: what was said to be stored stands before it, and nothing of its partition behind', async () => {
    const { append, events } = journalOf('raced');
    const { told, stored, stop } = appending(append, [3, 5]);
    await expect.poll(() => stored().length, { timeout: 20_000 }).toBeGreaterThan(100);
    await fenceWriter(deps(), 'raced', 'other', [[3, 10]]);
    await expect.poll(() => told.size - stored().length, { timeout: 20_000 }).toBe(16);
    await stop();
    const records = await recordsOf('raced');
    expect(records.slice(records.indexOf('fence'))).toEqual(['fence']);
    expect(new Set(records)).toEqual(new Set([...stored(), 'fence']));
    expect(events).toEqual(['fenced [[3,10]]']);
  });

  it('servers that are killed, paused and started again: each decision is stored once, in order, and none is forgotten', async () => {
    const { append, events } = journalOf('unknown');
    const { stored, stop } = appending(append, [5, 1]);
    const more = async () => {
      const from = stored().length;
      await expect.poll(() => stored().length, { timeout: 60_000 }).toBeGreaterThan(from + 200);
    };
    await more();
    const first = await leader();
    await first.kill();
    // In a cluster the other two servers go on. A single server must come back first.
    if (copies > 1) await more();
    await first.restart();
    await more();
    const second = await leader();
    await second.pause();
    if (copies > 1) await more();
    // Long enough that publishes have timed out too, so their outcome is unknown.
    else await expect(broker.lastOn(JOURNAL_STREAM, journalSubject('unknown'))).rejects.toThrow();
    second.resume();
    await more();
    await stop();
    const records = await recordsOf('unknown');
    expect(records.length).toBe(new Set(records).size);
    expect(new Set(records)).toEqual(new Set(stored()));
    for (let caller = 0; caller < 16; caller++) {
      const own = records.filter((id) => id.startsWith(`${caller}-`)).map((id) => Number(id.split('-')[1]));
      expect(own).toEqual(own.map((_, round) => round));
    }
    expect(events).toEqual([]);
  }, 240_000);
});
