/** Trimming beside nodes that work, die, lag or are gone. Nothing is removed that a node still has to read. */
import { afterEach, describe, expect, it } from 'vitest';
import { BUNDLE_LANES, JOURNAL_STREAM } from '../../../config/topology.ts';
import { Auditor, names } from '../../../harness/callers/auditor.ts';
import { askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { KeptNode } from '../../../harness/processes/kept-node.ts';
import { NodeProcess } from '../../../harness/processes/node-process.ts';
import { runBaseline, runTrim } from '../../../src/operate/retention-commands.ts';
import { SteadyClock } from '../../../src/process/steady-clock.ts';
import { fenceWriter } from '../../../streams/journal/fence.ts';
import { decodeRecord } from '../../../streams/journal/record.ts';

let kept: KeptNode;
afterEach(() => kept.close());
const skus = names('T', 10);
/** Messages of one upload in each of its streams: the SKUs fall into all lanes, and each lane gets one bundle. */
const LANES = BUNDLE_LANES;

it.each(['trim-announced', 'trim-half-done'])(
  'killed at %s leaves what every reader understands, and goes on',
  async (failpoint) => {
    kept = await KeptNode.up();
    await kept.facts('a', skus);
    expect(await kept.reserve('r', skus[0] as string, 2)).toBe(201);
    expect((await kept.holdfast('baseline')).code).toBe(0);
    await kept.facts('b', skus);
    const numbers = await kept.numbers(skus);
    const stood = await kept.messages();
    expect(await kept.program(['trim'], `${failpoint}@1`)).toBe('SIGKILL');
    const left = await kept.messages();
    expect([left.SALES < stood.SALES, left.JOURNAL]).toEqual([failpoint === 'trim-half-done', stood.JOURNAL]);
    expect(await kept.holdfast('verify')).toMatchObject({ code: 0, answer: { faults: [] } });
    await kept.node.kill();
    await kept.setSnapshots();
    await kept.node.up();
    expect(await kept.numbers(skus)).toEqual(numbers);
    expect((await kept.holdfast('trim')).code).toBe(0);
    expect((await kept.messages()).SALES).toBe(LANES);
    expect(await kept.holdfast('verify')).toMatchObject({ code: 0, answer: { faults: [] } });
  },
  60_000,
);

it('loses and doubles nothing while two nodes work, one is killed, and Redis is emptied', async () => {
  kept = await KeptNode.up();
  const two = await NodeProcess.at(kept.servers, { name: 'two' });
  await two.up();
  try {
    const auditor = new Auditor({ callers: 12, scarce: names('S', 6), busy: names('B', 6), locations: ['dc', 'shop'] });
    let turn = 0;
    const urls = () => {
      const alive = [kept.node, two].filter((node) => node.alive);
      turn += 1;
      return (alive[turn % alive.length] ?? kept.node).url;
    };
    await auditor.stock(urls, 200);
    const load = auditor.load(urls);
    const trimmed: number[] = [];
    for (let round = 0; round < 3; round++) {
      const done = load.done();
      await expect.poll(load.done, { timeout: 20_000 }).toBeGreaterThan(done + 50);
      const made = await kept.holdfast('baseline');
      expect(made.err).toBe('');
      if (round === 1) {
        await two.kill();
        two.start();
      }
      const { code, answer, err } = await kept.holdfast('trim');
      expect([code, err]).toEqual([0, '']);
      trimmed.push(answer.removed.SALES + answer.removed.JOURNAL);
    }
    expect(trimmed.every((count) => count > 0)).toBe(true);
    await two.kill();
    await kept.node.kill();
    await kept.setSnapshots();
    await Promise.all([kept.node.up(), two.up()]);
    const done = load.done();
    await expect.poll(load.done, { timeout: 20_000 }).toBeGreaterThan(done + 50);
    await load.stop();
    await auditor.audit(kept.node.url);
    expect(auditor.granted).toBeGreaterThan(50);
    expect(await kept.holdfast('verify')).toMatchObject({ code: 0, answer: { faults: [] } });
  } finally {
    await two.kill();
  }
}, 300_000);

describe('refuses and removes nothing', () => {
  it('without a baseline', async () => {
    kept = await KeptNode.up();
    await kept.facts('a', skus);
    expect(await kept.holdfast('trim')).toMatchObject({ code: 1, err: expect.stringMatching(/no baseline/) });
    expect((await kept.messages()).SALES).toBe(LANES);
  });

  it('while an owner cannot say that it has folded what would go, and goes on when one can', async () => {
    kept = await KeptNode.up();
    await kept.facts('a', skus);
    expect((await kept.holdfast('baseline')).code).toBe(0);
    // A paused node still owns its partitions, and may wake and continue to read.
    await kept.node.pause();
    await expect(runTrim(kept.settings, { older: false, patienceMs: 500 })).rejects.toThrow(
      /nothing is removed: .*does not answer/,
    );
    expect((await kept.messages()).SALES).toBe(LANES);
    kept.node.resume();
    await kept.node.serves();
    expect((await kept.holdfast('trim')).answer.removed.SALES).toBe(LANES);
    const numbers = await kept.numbers(skus);
    // A partition handed back by a clean stop has no reader that would have to answer.
    expect((await kept.holdfast('baseline')).code).toBe(0);
    expect(await kept.node.stop()).toBe(0);
    await expect(runTrim(kept.settings, { older: false, patienceMs: 500 })).resolves.toMatchObject({ notes: [] });
    await kept.node.up();
    expect(await kept.numbers(skus)).toEqual(numbers);
  }, 60_000);

  it('when the baseline is of other streams than those that are there', async () => {
    kept = await KeptNode.up({ env: { HOLDFAST_PARTITIONS: '8' } });
    await kept.facts('a', skus);
    expect((await kept.holdfast('baseline', '--partitions', '8')).code).toBe(0);
    expect((await kept.holdfast('trim', '--partitions', '16')).err).toMatch(/of 8 partitions, the settings say 16/);
    expect((await kept.messages()).SALES).toBe(LANES);
  });
});

it('keeps what a late fence is measured against: a writer that woke up cannot append', async () => {
  kept = await KeptNode.up();
  await kept.facts('a', skus);
  // A writer that once owned a partition and never wrote. Its only record is the fence that another writer appended.
  await kept.enrol('asleep');
  await fenceWriter({ broker: kept.broker, clock: new SteadyClock() }, 'asleep', 'another', [[3, 1]]);
  expect(await kept.reserve('r', skus[0] as string, 2)).toBe(201);
  expect((await kept.holdfast('baseline')).code).toBe(0);
  expect((await kept.holdfast('trim')).code).toBe(0);
  await expect(kept.broker.publish('journal.asleep', Buffer.from('x'), { expectLast: 0 })).rejects.toMatchObject({
    kind: 'conflict',
  });
  await fenceWriter({ broker: kept.broker, clock: new SteadyClock() }, 'asleep', 'third', [[4, 5]]);
  const last = await kept.broker.lastOn(JOURNAL_STREAM, 'journal.asleep');
  expect(decodeRecord(last?.data as Uint8Array).n).toBe(2);
  expect(await kept.holdfast('verify')).toMatchObject({ code: 0, answer: { faults: [] } });
});

it('leaves JOURNAL alone where an earlier version made it unpurgeable, and says so', async () => {
  kept = await KeptNode.up();
  await kept.facts('a', skus);
  await kept.broker.updateStream(JOURNAL_STREAM, { deny_purge: true });
  expect(await kept.reserve('r', skus[0] as string, 2)).toBe(201);
  expect((await kept.holdfast('baseline')).code).toBe(0);
  const { code, answer } = await kept.holdfast('trim');
  expect([code, answer.removed.SALES, answer.removed.JOURNAL]).toEqual([0, LANES, 0]);
  expect(answer.notes).toContainEqual(expect.stringMatching(/deny_purge/));
  const numbers = await kept.numbers(skus);
  await kept.node.kill();
  await kept.setSnapshots();
  await kept.node.up();
  expect(await kept.numbers(skus)).toEqual(numbers);
  expect(await kept.holdfast('verify')).toMatchObject({ code: 0, answer: { faults: [] } });
}, 60_000);

describe('what could not be counted', () => {
  const fact = (id: string, qty: number, occurredAt = new Date().toISOString()) => ({
    id,
    type: 'receipt',
    sku: skus[0],
    location: 'dc',
    occurredAt,
    qty,
  });
  const stored = async (bytes: string) => kept.broker.publish(`receipt.dc.${skus[0]}`, Buffer.from(bytes));
  const parked = () => kept.broker.subjects('PARKED', 'parked.').then(({ length }) => length);

  it('stays parked with its bytes when its message is trimmed, and stays out of the numbers', async () => {
    kept = await KeptNode.up();
    await kept.facts('a', skus);
    await stored(JSON.stringify(fact(`a-r-${skus[0]}`, 77)));
    await stored('{nonsense');
    await stored(JSON.stringify(fact('old', 5, '2001-01-01T00:00:00Z')));
    await expect.poll(parked).toBe(3);
    const numbers = await kept.numbers(skus);
    expect((await kept.holdfast('baseline')).code).toBe(0);
    expect((await kept.holdfast('trim')).answer.removed.RECEIPTS).toBe(LANES + 3);
    await kept.node.kill();
    await kept.setSnapshots();
    await kept.node.up();
    expect(await kept.numbers(skus)).toEqual(numbers);
    const { body } = await askUntilDecided(kept.url, 'GET', '/v1/parked');
    // A conflict gets its mark first, so its entry may come after those of later messages.
    const entries = body.parked as { reason: string; bytes: string }[];
    expect(new Set(entries.map(({ reason }) => reason))).toEqual(new Set(['id-conflict', 'unreadable', 'too-old']));
    const unreadable = entries.find(({ reason }) => reason === 'unreadable');
    expect(Buffer.from(unreadable?.bytes ?? '', 'base64').toString()).toBe('{nonsense');
    // The id is remembered with the content that counted, not with the parked content.
    await stored(JSON.stringify(fact(`a-r-${skus[0]}`, 78)));
    await expect.poll(parked).toBe(4);
    expect(await kept.holdfast('verify')).toMatchObject({ code: 0, answer: { faults: [] } });
  }, 60_000);

  it('keeps a baseline from being made until a node has judged it', async () => {
    kept = await KeptNode.up();
    await kept.facts('a', skus);
    await kept.node.stop();
    await stored(JSON.stringify(fact(`a-r-${skus[0]}`, 77)));
    await expect(runBaseline(kept.settings, { patienceMs: 300 })).rejects.toThrow(
      /RECEIPTS\.5 would be parked \(id-conflict\), but no node has parked it yet/,
    );
    await kept.node.up();
    expect(await kept.holdfast('baseline')).toMatchObject({ code: 0, err: '' });
  }, 60_000);
});

describe('the idempotency horizon', () => {
  const tenHoursAgo = new Date(Date.now() - 10 * 3_600_000).toISOString();
  const old = (id: string) => ({
    id,
    type: 'receipt',
    sku: skus[0],
    location: 'dc',
    occurredAt: tenHoursAgo,
    qty: 5,
  });
  const send = async (fact: object) => (await askUntilDecided(kept.url, 'POST', '/v1/facts', fact)).body;
  async function changed(horizon: string) {
    await kept.node.stop();
    expect(await kept.holdfast('horizon', horizon)).toMatchObject({ code: 0, err: '' });
    await kept.node.up();
  }
  /** A node whose horizon was off and is now one hour, and a baseline that has dropped ids by it. */
  async function narrowed() {
    kept = await KeptNode.up({ env: { HOLDFAST_HORIZON: 'off' } });
    await kept.facts('a', skus);
    expect(await send(old('o1'))).toMatchObject({ accepted: 1 });
    await changed('1h');
    expect((await send(old('o2'))).rejected).toMatchObject([{ code: 'too-old' }]);
    // A baseline forgets by the stamps of stored messages, so store one after the change.
    const now = { ...old('n1'), sku: skus[1], occurredAt: new Date().toISOString() };
    expect(await send(now)).toMatchObject({ accepted: 1 });
    // The nodes' list of rules decides, not the option of the command.
    const { code, answer } = await kept.holdfast('baseline', '--horizon', '7d');
    expect([code, answer.baseline.horizonMs]).toEqual([0, 3_600_000]);
  }

  it('judges the facts of a baseline as they were judged when they were stored', async () => {
    await narrowed();
    const numbers = await kept.numbers(skus);
    expect(numbers[0]).toEqual([skus[0], 14, 0, 0, 14]);
    expect((await kept.holdfast('trim')).code).toBe(0);
    expect(await kept.holdfast('verify', '--horizon', '7d')).toMatchObject({ code: 0, answer: { faults: [] } });
    await kept.node.kill();
    await kept.setSnapshots();
    await kept.node.up();
    expect(await kept.numbers(skus)).toEqual(numbers);
  }, 120_000);

  it('cannot become wider than what a baseline remembers, once the streams are trimmed to it', async () => {
    await narrowed();
    expect((await kept.holdfast('trim')).code).toBe(0);
    const numbers = await kept.numbers(skus);
    await kept.node.stop();
    expect(await kept.holdfast('horizon', '7d')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/the horizon cannot be 7d: the streams have been trimmed/),
    });
    await kept.node.up();
    expect(await kept.holdfast('horizon', '30m')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/these nodes live: one; end all nodes first/),
    });
    expect(await kept.numbers(skus)).toEqual(numbers);
  }, 120_000);

  it('keeps a baseline that has forgotten too much from being trimmed to, until there is a new one', async () => {
    await narrowed();
    await changed('7d');
    expect(await kept.holdfast('trim')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/has forgotten what a wider/),
    });
    expect((await kept.messages()).SALES).toBe(LANES);
    const { answer } = await kept.holdfast('baseline');
    expect(answer.baseline.horizonMs).toBe(null);
    expect((await kept.holdfast('trim')).code).toBe(0);
    expect(await send(old('o1'))).toMatchObject({ duplicates: 1 });
  }, 120_000);
});
