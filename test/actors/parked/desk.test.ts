/** People work through parked facts: each fact once, whoever acts at the same time, and wherever a node dies. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ParkedDesk } from '../../../actors/parked/desk.ts';
import type { ParkedFilter } from '../../../actors/ports/parked.ts';
import { BrokerError } from '../../../streams/broker.ts';
import { sentAsJson } from '../../../streams/fact/sent-body.ts';
import { DeskWorld } from './desk-world.ts';

const MIA = { by: 'mia', why: 'the till was offline' };
const BEN = { by: 'ben', why: 'a test of the vendor' };

let world: DeskWorld;
let desk: ParkedDesk;
beforeEach(() => {
  world = new DeskWorld();
  desk = world.desk();
});

const statesOf = async (at: ParkedDesk, filter: ParkedFilter = {}) =>
  (await at.list(filter, 0, 1_000)).parked.map(({ seq, state }) => [seq, state]);

describe('the list', () => {
  it('shows what a fact says of itself, and what the subject says of one that cannot be read', async () => {
    await world.park(world.receipt('r1'));
    await world.park('{"id":', 'unreadable');
    await world.park({ ...world.receipt('r3'), sku: 7, device: 'x'.repeat(1_000) }, 'invalid');
    const { parked, next } = await desk.list({}, 0, 10);
    expect(next).toBe(null);
    expect(parked).toMatchObject([
      { id: 'r1', type: 'receipt', sku: 'A', location: 'dc', device: 'd1', occurredAt: '2020-01-01T00:00:00Z' },
      { type: 'receipt', sku: 'A', location: 'dc', state: 'waiting' },
      { id: 'r3', sku: 'A', reason: 'invalid' },
    ]);
    expect([parked[1]?.id, parked[2]?.device]).toEqual([undefined, undefined]);
  });

  it.each<[ParkedFilter, string[]]>([
    [{}, ['a', 'b', 'c']],
    [{ reason: 'too-old' }, ['a', 'b']],
    [{ device: 'd2' }, ['b']],
    [{ device: '' }, ['c']],
    [{ sku: 'B', location: 'dc' }, ['a']],
    [{ location: 'elsewhere' }, []],
    [{ state: 'waiting' }, ['a', 'b', 'c']],
    [{ state: 'dismissed' }, []],
  ])('finds by %j', async (filter, ids) => {
    await world.park(world.receipt('a', { sku: 'B' }));
    await world.park(world.receipt('b', { device: 'd2' }));
    await world.park(world.receipt('c', { device: undefined, location: 'shop' }), 'invalid');
    expect((await desk.list(filter, 0, 10)).parked.map(({ id }) => id)).toEqual(ids);
  });

  it('comes in pages, the last of which says so', async () => {
    for (let i = 0; i < 12; i++) await world.park(world.receipt(`r${i}`, { device: i % 2 === 0 ? 'even' : 'odd' }));
    const seen: (string | undefined)[] = [];
    for (let after: number | null = 0; after !== null; ) {
      const page = await desk.list({ device: 'even' }, after, 2);
      expect(page.parked.length).toBe(2);
      seen.push(...page.parked.map(({ id }) => id));
      after = page.next;
    }
    expect(seen).toEqual(['r0', 'r2', 'r4', 'r6', 'r8', 'r10']);
  });

  it('reads entries of versions that wrote no identity, between those that have one', async () => {
    const headers = { 'Holdfast-Reason': 'too-old', 'Holdfast-Message': '%', 'Holdfast-Subject': 'receipt.3.dc.A' };
    for (let i = 0; i < 6; i++)
      await world.broker.publish(`parked.RECEIPTS.9${i}`, sentAsJson(world.receipt(`old-${i % 3}`)).bytes, { headers });
    await world.park(world.receipt('new'));
    await world.broker.publish('parked.odd', Buffer.from('?'), { headers: { 'Holdfast-Fact': '%%%=&id' } });
    await world.park(world.receipt('old-1'));
    expect(await desk.resubmit({ sku: 'A' }, MIA)).toEqual({ facts: 4 });
    expect(world.sentIds).toEqual(['new', 'old-0', 'old-1', 'old-2']);
    expect((await desk.groups({ state: 'waiting' }, 10)).groups).toMatchObject([{ reason: 'unknown', facts: 1 }]);
  });
});

describe('a decision', () => {
  it('sends each fact once, for all its copies, and says who decided and why', async () => {
    const [first, copy] = [await world.park(world.receipt('r1')), await world.park(world.receipt('r1'))];
    const other = await world.park(world.receipt('r2'));
    expect(await desk.resubmit({ seqs: [copy, first] }, MIA)).toEqual({ facts: 1 });
    expect(await desk.resubmit({ reason: 'too-old' }, BEN)).toEqual({ facts: 1 });
    expect(await desk.resubmit({ reason: 'too-old' }, BEN)).toEqual({ facts: 0 });
    expect(world.sentIds).toEqual(['r1', 'r2']);
    const { parked } = await world.desk().list({ state: 'resubmitted' }, 0, 10);
    expect(parked.map(({ seq, decided }) => [seq, decided?.by, decided?.why])).toEqual([
      [first, 'mia', MIA.why],
      [copy, 'mia', MIA.why],
      [other, 'ben', BEN.why],
    ]);
    // A copy that comes later shares the state.
    const later = await world.park(world.receipt('r1'));
    expect((await statesOf(desk)).at(-1)).toEqual([later, 'resubmitted']);
  });

  it('dismisses, keeps what was dismissed, and takes it back only when that is asked', async () => {
    const seq = await world.park(world.receipt('r1'));
    expect(await desk.dismiss({ device: 'd1' }, BEN)).toEqual({ facts: 1 });
    expect(await desk.dismiss({ device: 'd1' }, BEN)).toEqual({ facts: 0 });
    expect(await statesOf(desk, { state: 'dismissed' })).toEqual([[seq, 'dismissed']]);
    expect(await desk.resubmit({ seqs: [seq] }, MIA)).toEqual({ facts: 0 });
    await expect(desk.resubmitOne(seq, undefined, 'waiting', MIA)).rejects.toMatchObject({
      kind: 'already-decided',
      message: expect.stringContaining('dismissed by ben'),
    });
    expect(await desk.resubmit({ seqs: [seq], state: 'dismissed' }, MIA)).toEqual({ facts: 1 });
    expect(await desk.dismiss({ seqs: [seq] }, BEN)).toEqual({ facts: 0 });
    expect(world.sentIds).toEqual(['r1']);
  });

  it('sends one of several facts under one id, and says why the others wait on', async () => {
    const first = await world.park(world.receipt('r1'));
    const other = await world.park(world.receipt('r1', { qty: 2 }));
    expect(await desk.resubmit({ device: 'd1' }, MIA)).toEqual({ facts: 1 });
    expect(await desk.resubmit({ device: 'd1' }, MIA)).toMatchObject({
      facts: 0,
      left: [{ code: 'id-conflict', facts: 1, seq: other }],
    });
    expect(await statesOf(desk)).toEqual([
      [first, 'resubmitted'],
      [other, 'waiting'],
    ]);
    expect(world.sentIds).toEqual(['r1']);
  });

  it('leaves what cannot be sent as it came, with the reason', async () => {
    const occurredAt = '2020-01-01T00:00:00Z';
    await world.park('{"id":', 'unreadable');
    await world.park(world.receipt('invalid', { qty: -1 }), 'invalid');
    await world.park(world.receipt('conflict'), 'id-conflict');
    await world.park({ id: 'count', type: 'count', sku: 'A', location: 'dc', occurredAt, counted: 1 });
    const { facts, left } = await desk.resubmit({ location: 'dc' }, MIA);
    expect([facts, left?.map(({ code, facts: many }) => `${many} ${code}`).sort()]).toEqual([
      0,
      ['1 id-conflict', '1 too-old', '2 invalid'],
    ]);
    expect(world.sent).toEqual([]);
    expect(await desk.dismiss({ location: 'dc' }, BEN)).toEqual({ facts: 4 });
  });

  it('takes a correction once: the same again is harmless, another one is refused', async () => {
    const seq = await world.park(world.receipt('r1', { qty: -1 }), 'invalid');
    const corrected = sentAsJson(world.receipt('r1', { qty: 1 }));
    for (let i = 0; i < 2; i++) await desk.resubmitOne(seq, corrected, 'waiting', MIA);
    const refused = { kind: 'already-decided', message: expect.stringContaining('resubmitted by mia') };
    const another = sentAsJson(world.receipt('r1-2'));
    await expect(desk.resubmitOne(seq, another, 'waiting', BEN)).rejects.toMatchObject(refused);
    await expect(desk.resubmitOne(seq, undefined, 'waiting', BEN)).rejects.toMatchObject(refused);
    await expect(desk.resubmitOne(999, undefined, 'waiting', BEN)).rejects.toMatchObject({ kind: 'not-found' });
    expect(world.sentIds).toEqual(['r1']);
  });

  it('waits again when it is parked again from the message that it was sent by', async () => {
    await world.park(world.receipt('r1'));
    await desk.resubmit({ device: 'd1' }, MIA);
    await world.park(world.receipt('r1'), 'id-conflict', world.sent[0]?.mark);
    expect((await statesOf(desk)).map(([, state]) => state)).toEqual(['waiting', 'waiting']);
    expect(await desk.resubmit({ device: 'd1' }, MIA)).toMatchObject({ facts: 0, left: [{ code: 'id-conflict' }] });
    const seq = (await desk.list({}, 0, 10)).parked[0]?.seq as number;
    await desk.resubmitOne(seq, sentAsJson(world.receipt('r1-own')), 'waiting', MIA);
    expect(world.sentIds).toEqual(['r1', 'r1-own']);
  });

  it('works through more facts than fit one mark', async () => {
    for (let i = 0; i < 600; i++) await world.park(world.receipt(`r${i}`, { device: i < 300 ? 'd1' : 'd2' }));
    expect(await desk.dismiss({ device: 'd1' }, BEN)).toEqual({ facts: 300 });
    expect(await desk.resubmit({ state: 'waiting' }, MIA)).toEqual({ facts: 300 });
    expect(world.sent.length).toBe(300);
    expect(desk.index.table.waiting).toBe(0);
  });
});

describe('two people at once', () => {
  it('decide once about each fact, however their steps mix', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.integer({ min: 1, max: 4 }), async (scheduler, facts) => {
        const mixed = new DeskWorld();
        for (let i = 0; i < facts; i++) await mixed.park(mixed.receipt(`r${i}`));
        const slow = (at: ParkedDesk) => {
          const refresh = at.index.refresh.bind(at.index);
          at.index.refresh = () => scheduler.schedule(Promise.resolve()).then(refresh);
          return at;
        };
        const [a, b, c] = [slow(mixed.desk()), slow(mixed.desk()), slow(mixed.desk())];
        const all = Promise.all([
          a.resubmit({ device: 'd1' }, MIA),
          b.dismiss({ device: 'd1' }, BEN),
          c.resubmit({ device: 'd1' }, BEN),
        ]);
        const [sent, dismissed, sentToo] = await scheduler.waitFor(all);
        expect(sent.facts + dismissed.facts + sentToo.facts).toBe(facts);
        expect(new Set(mixed.sentIds).size).toBe(mixed.sent.length);
        expect(mixed.sent.length).toBe(sent.facts + sentToo.facts);
        const states = (await statesOf(mixed.desk())).map(([, state]) => state);
        expect(states.filter((state) => state === 'dismissed').length).toBe(dismissed.facts);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a node that dies between mark and message', () => {
  const dying = (prefix: string) => {
    world.beforePublish = (subject) => {
      if (subject.startsWith(prefix)) throw new BrokerError('unknown', 'the node is gone');
    };
  };
  it.each([
    ['before the message', 'again.', undefined],
    ['before it knows that the message is stored', 'mark.sent.', undefined],
    ['before the message of a correction', 'again.', 'corrected'],
  ])('%s: the fact waits, another node finishes it, and it is sent once', async (_when, prefix, id) => {
    const seq = await world.park(world.receipt('r1'));
    dying(prefix);
    const corrected = id === undefined ? undefined : sentAsJson(world.receipt(id));
    await expect(desk.resubmitOne(seq, corrected, 'waiting', MIA)).rejects.toMatchObject({ kind: 'undecided' });
    world.beforePublish = () => undefined;
    const [other, idle] = [world.desk(), world.desk(() => false)];
    expect(await statesOf(other)).toEqual([[seq, 'waiting']]);
    // It may still be under way, so nobody else decides yet.
    expect(await other.resubmit({ device: 'd1' }, BEN)).toMatchObject({ facts: 0, left: [{ code: 'being-sent' }] });
    expect(await other.dismiss({ device: 'd1' }, BEN)).toMatchObject({ facts: 0, left: [{ code: 'being-sent' }] });
    world.aheadMs += 30 * 86_400_000;
    await idle.look();
    expect(await statesOf(idle)).toEqual([[seq, 'waiting']]);
    await other.look();
    await other.look();
    expect(await statesOf(idle)).toEqual([[seq, 'resubmitted']]);
    expect((await idle.get(seq)).decided).toMatchObject(MIA);
    expect(world.sentIds).toEqual([id ?? 'r1']);
  });

  it('before the mark: nothing has happened', async () => {
    const seq = await world.park(world.receipt('r1'));
    dying('mark.again.');
    await expect(desk.resubmit({ seqs: [seq] }, MIA)).rejects.toMatchObject({ kind: 'undecided' });
    dying('mark.dismissed.');
    await expect(desk.dismiss({ seqs: [seq] }, MIA)).rejects.toMatchObject({ kind: 'undecided' });
    expect(await statesOf(desk)).toEqual([[seq, 'waiting']]);
    world.beforePublish = () => undefined;
    expect(await desk.resubmit({ seqs: [seq] }, MIA)).toEqual({ facts: 1 });
  });
});

describe('groups and causes', () => {
  it('count facts by reason and device, and by where they come from', async () => {
    for (const device of ['d1', 'd1', 'd2', undefined]) {
      const fact = world.receipt(`r-${device}-${Math.random()}`, { device });
      for (let copies = 0; copies < 2; copies++) await world.park(fact);
    }
    await world.park(world.receipt('r', { device: undefined }), 'invalid');
    const { groups, facts } = await desk.groups({ state: 'waiting' }, 2);
    expect([facts, groups.map(({ reason, device, facts: many }) => [reason, device, many])]).toEqual([
      5,
      [
        ['too-old', 'd1', 2],
        ['too-old', 'd2', 1],
      ],
    ]);
    const causes = () => Array.from({ length: 8 }, (_, i) => [...desk.index.causes.of(i)]).flat();
    expect(causes()).toMatchObject([['dc', { location: 'dc', facts: 5 }]]);
    await desk.dismiss({ location: 'dc' }, BEN);
    expect(causes()).toEqual([]);
  });
});
