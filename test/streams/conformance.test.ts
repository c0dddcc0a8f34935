/** Behaviour of every broker and every bucket: on NATS, in memory and in the simulation. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshNats } from '../../harness/servers/servers.ts';
import { until } from '../../harness/until.ts';
import { EPOCH_MS, Host } from '../../sim/host.ts';
import { Scheduler } from '../../sim/scheduler.ts';
import { Connection, SimBroker, SimKeys } from '../../sim/servers/broker.ts';
import { Link } from '../../sim/servers/link.ts';
import { ServerProcess } from '../../sim/servers/server-process.ts';
import { SteadyClock } from '../../src/process/steady-clock.ts';
import type { Broker, FollowedMessage, Keys } from '../../streams/broker.ts';
import { MemoryBroker, MemoryKeys } from '../../streams/memory/broker.ts';
import { MemoryLog } from '../../streams/memory/log.ts';
import { NatsBroker } from '../../streams/nats/broker.ts';
import { provision } from '../../streams/nats/provision.ts';
import { Random } from '../../streams/random.ts';
import { partitionOf } from '../../streams/subjects.ts';

const PARTITIONS = 8;
const KEY_TTL_MS = 1_500;

interface Opened {
  readonly broker: Broker;
  keys(bucket: string, ttlMs?: number): Promise<Keys>;
  close(): Promise<void>;
}

async function onNats(): Promise<Opened> {
  const broker = await NatsBroker.connect((await freshNats()).url, 'conformance');
  await provision(broker, { partitions: PARTITIONS, replicas: 1 });
  return {
    broker,
    keys: (bucket, ttlMs) => broker.keys(bucket, { replicas: 1, ...(ttlMs === undefined ? {} : { ttlMs }) }),
    close: () => broker.close(),
  };
}

async function inMemory(): Promise<Opened> {
  const clock = new SteadyClock();
  const log = new MemoryLog(PARTITIONS, () => clock.nowMs());
  return {
    broker: new MemoryBroker(log, clock),
    keys: async (bucket, ttlMs) => new MemoryKeys(log, bucket, ttlMs),
    close: async () => undefined,
  };
}

/** Virtual time passes as fast as the machine allows. */
async function simulated(): Promise<Opened> {
  const random = new Random(1);
  const scheduler = new Scheduler(random.fork('order'));
  const log = new MemoryLog(PARTITIONS, () => EPOCH_MS + scheduler.nowMs);
  const server = new ServerProcess(log, 'single', scheduler, random.fork('server'));
  const host = new Host('conformance', scheduler, 0, 0);
  const connection = new Connection(host, new Link(host, scheduler, random.fork('link')), server);
  let closed = false;
  const passing = (async () => {
    while (!closed) await scheduler.run(scheduler.nowMs + 10, () => undefined);
  })();
  return {
    broker: new SimBroker(connection),
    keys: async (bucket, ttlMs = Number.POSITIVE_INFINITY) => {
      log.bucket(bucket, ttlMs);
      return new SimKeys(connection, bucket);
    },
    close: async () => {
      closed = true;
      await passing;
    },
  };
}

describe.each([
  ['NATS', onNats],
  ['memory', inMemory],
  ['the simulation', simulated],
])('a broker on %s', (_name, open) => {
  let opened: Opened;
  let broker: Broker;
  const bytes = (text: string) => Buffer.from(text);
  const textOf = (data: Uint8Array | undefined) => Buffer.from(data ?? []).toString();

  beforeAll(async () => {
    opened = await open();
    broker = opened.broker;
  });
  afterAll(() => opened.close());

  it('stores a fact under its partition, with its headers and a stamp, in dense sequences', async () => {
    const first = await broker.publish('sale.shop.mug', bytes('one'), { headers: { 'Content-Type': 'text/plain' } });
    const second = await broker.publish('sale.shop.mug', bytes('two'));
    expect([first, second]).toEqual([1, 2]);
    const message = await broker.message('SALES', first);
    expect(message?.subject).toBe(`sale.${partitionOf('mug', PARTITIONS)}.shop.mug`);
    expect([textOf(message?.data), message?.header('Content-Type'), message?.header('Other')]).toEqual([
      'one',
      'text/plain',
      undefined,
    ]);
    const next = await broker.message('SALES', second);
    expect(next?.recordedAt).toBeGreaterThanOrEqual(message?.recordedAt as number);
    expect(await broker.message('SALES', 99)).toBe(undefined);
  });

  it('tells how a stream stands, and that there is none', async () => {
    const before = await broker.stream('RETURNS');
    await broker.publish('return.shop.mug', bytes('back'));
    const after = await broker.stream('RETURNS');
    expect(after).toMatchObject({ created: before?.created, lastSeq: 1, messages: 1 });
    expect(await broker.stream('NONE')).toBe(undefined);
  });

  it('stores what is expected to come next on its very subject, and nothing else', async () => {
    const publish = (expectLast: number) => broker.publish('journal.w', bytes('record'), { expectLast });
    const first = await publish(0);
    await expect(publish(0)).rejects.toMatchObject({ kind: 'conflict' });
    await broker.publish('journal.other', bytes('record'), { expectLast: 0 });
    const second = await publish(first);
    await expect(publish(first)).rejects.toMatchObject({ kind: 'conflict' });
    expect((await broker.lastOn('JOURNAL', 'journal.w'))?.seq).toBe(second);
    expect((await broker.lastOn('JOURNAL', 'journal.*'))?.seq).toBe(second);
    expect(await broker.lastOn('JOURNAL', 'journal.nobody')).toBe(undefined);
  });

  it('never takes what is larger than a message may be', async () => {
    const most = broker.server.maxPayload;
    await expect(broker.publish('journal.large', Buffer.alloc(most + 1))).rejects.toMatchObject({ kind: 'too-large' });
  });

  it('delivers what is stored from a position on, then what comes, of the subjects that are wanted', async () => {
    const subjects = ['count.a.mug', 'count.b.mug', 'count.a.pan'];
    for (const subject of subjects) await broker.publish(subject, bytes(subject));
    const got: FollowedMessage[] = [];
    let alive = 0;
    const filter = `count.${partitionOf('mug', PARTITIONS)}.*.mug`;
    const following = await broker.follow(
      'COUNTS',
      { filters: [filter], from: 2, batch: 10 },
      { message: (message) => got.push(message), alive: () => (alive += 1), broken: () => undefined },
    );
    expect(following.pending).toBe(1);
    await broker.publish('count.c.mug', bytes('later'));
    await broker.publish('count.c.pan', bytes('not wanted'));
    await until(
      () => got.length === 2 && alive > 0,
      20_000,
      () => `${got.length} messages, alive ${alive}`,
    );
    expect(got.map(({ seq, data }) => [seq, textOf(data)])).toEqual([
      [2, 'count.b.mug'],
      [4, 'later'],
    ]);
    expect(got.map(({ deliverySeq }) => deliverySeq)).toEqual([1, 2]);
    following.close();
    const seq = await broker.publish('count.d.mug', bytes('nobody listens'));
    await until(
      async () => (await broker.stream('COUNTS'))?.lastSeq === seq,
      20_000,
      () => 'it is stored',
    );
    expect(got.length).toBe(2);
  });

  it('keeps what is written beside a stream', async () => {
    await broker.annotate('JOURNAL', { rules: 'some' });
    expect((await broker.stream('JOURNAL'))?.metadata).toMatchObject({ rules: 'some' });
  });
});

describe.each([
  ['NATS', onNats],
  ['memory', inMemory],
  ['the simulation', simulated],
])('a bucket on %s', (_name, open) => {
  let opened: Opened;
  beforeAll(async () => {
    opened = await open();
  });
  afterAll(() => opened.close());

  it('writes over, and deletes, the revision that is expected and no other', async () => {
    const keys = await opened.keys('cas');
    const first = await keys.put('n1', 'one', 0);
    const second = await keys.put('n1', 'two', first);
    await expect(keys.put('n1', 'late', first)).rejects.toMatchObject({ kind: 'conflict' });
    await expect(keys.put('n1', 'new', 0)).rejects.toMatchObject({ kind: 'conflict' });
    await expect(keys.delete('n1', first)).rejects.toMatchObject({ kind: 'conflict' });
    expect(await keys.get('n1')).toMatchObject({ key: 'n1', value: 'two', revision: second });
    await keys.delete('n1', second);
    expect(await keys.get('n1')).toBe(undefined);
    await expect(keys.put('n1', 'late', second)).rejects.toMatchObject({ kind: 'conflict' });
    const third = await keys.put('n1', 'three', 0);
    const other = await keys.put('n2', 'any');
    expect([third > second, other > third]).toEqual([true, true]);
    const all = await keys.all();
    expect(new Map(all.map(({ key, value }) => [key, value]))).toEqual(
      new Map([
        ['n1', 'three'],
        ['n2', 'any'],
      ]),
    );
  });

  it('forgets a key that is not written again within its time', async () => {
    const keys = await opened.keys('leases', KEY_TTL_MS);
    const revision = await keys.put('node', 'alive', 0);
    await until(
      async () => (await keys.get('node')) === undefined,
      20_000,
      () => 'it has expired',
    );
    expect(await keys.put('node', 'alive again', 0)).toBeGreaterThan(revision);
  });
});
