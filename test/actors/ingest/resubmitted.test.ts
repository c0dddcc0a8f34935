/**
 * A replay must honour two things about parked facts: some never count, and a person has submitted some again. Only a node can establish
 * either, and every start finds the same.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { ask, askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { KeptNode } from '../../../harness/processes/kept-node.ts';
import { NodeProcess, type Servers } from '../../../harness/processes/node-process.ts';
import { makeFirstStreams } from '../../../harness/servers/first-streams.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import { againSubject, partitionOf } from '../../../streams/subjects.ts';

const now = () => new Date().toISOString();
const LONG_AGO = new Date(Date.now() - 9 * 86_400_000).toISOString();
const receipt = (id: string, sku: string, qty: number, occurredAt = now()) => ({
  id,
  type: 'receipt',
  sku,
  location: 'dc',
  occurredAt,
  qty,
});
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const again = (sku: string, partition = partitionOf(sku, 32)) => againSubject('receipt', partition, 'dc', sku);

describe('a fact that is submitted again', () => {
  let kept: KeptNode;
  const sellable = async (sku: string) => (await ask(kept.url(), 'GET', `/v1/stock/${sku}/dc`)).body?.sellable;
  const reasonOf = async (source: string) => {
    const subjects = await kept.broker.subjects('PARKED', 'parked.');
    if (!subjects.includes(`parked.${source}`)) return undefined;
    return (await kept.broker.lastOn('PARKED', `parked.${source}`))?.header('Holdfast-Reason');
  };
  /** Expects the fact to be parked and not counted. */
  const isParked = async (seq: number, reason: string) =>
    expect.poll(() => reasonOf(`RECEIPTS.${seq}`), { timeout: 10_000 }).toBe(reason);
  async function park(id: string, sku: string, qty: number): Promise<number> {
    const source = `RECEIPTS.${await kept.broker.publish(`receipt.dc.${sku}`, json(receipt(id, sku, qty, LONG_AGO)))}`;
    await expect.poll(() => reasonOf(source)).toBe('too-old');
    return (await kept.broker.lastOn('PARKED', `parked.${source}`))?.seq ?? 0;
  }

  beforeAll(async () => {
    kept = await KeptNode.up();
  }, 60_000);

  it('counts by its mark: as it is and corrected, once, and after a start from nothing too', async () => {
    const seq = await park('old-1', 'A', 5);
    for (let times = 0; times < 2; times++)
      expect((await ask(kept.url(), 'POST', `/v1/parked/${seq}/resubmit`)).status).toBe(200);
    await expect.poll(() => sellable('A')).toBe(5);
    const corrected = { ...receipt('old-2', 'A', 7, LONG_AGO), note: 'corrected' };
    // It has counted, so a correction of it would count it twice.
    expect(await ask(kept.url(), 'POST', `/v1/parked/${seq}/resubmit`, corrected)).toMatchObject({
      status: 409,
      body: { type: 'already-decided' },
    });
    const other = await park('old-wrong', 'A', 700);
    for (let times = 0; times < 2; times++)
      expect((await ask(kept.url(), 'POST', `/v1/parked/${other}/resubmit?by=mia&why=typo`, corrected)).status).toBe(
        200,
      );
    await expect.poll(() => sellable('A')).toBe(12);
    const last = (await kept.broker.stream('RECEIPTS'))?.lastSeq ?? 0;
    expect((await kept.broker.message('RECEIPTS', last))?.subject).toBe(again('A'));
    const { body } = await ask(kept.url(), 'GET', '/v1/explain/A/dc');
    expect([body.adds, body.steps.length]).toEqual([true, 2]);
    const marks = await kept.broker.subjects('PARKED', 'mark.again.');
    expect(marks).toHaveLength(2);
    const { body: listed } = await ask(kept.url(), 'GET', '/v1/parked');
    expect(listed.parked).toMatchObject([
      { seq, state: 'resubmitted', id: 'old-1' },
      { seq: other, state: 'resubmitted', id: 'old-wrong', decided: { by: 'mia', why: 'typo' } },
    ]);
  }, 60_000);

  it('needs a mark of its own: a stranger on the subject of nodes is parked like anybody', async () => {
    const old = json(receipt('stranger', 'S', 9, LONG_AGO));
    const last = (await kept.broker.stream('PARKED'))?.lastSeq ?? 0;
    const [mark] = await kept.broker.subjects('PARKED', 'mark.again.');
    const markSeq = (await kept.broker.lastOn('PARKED', mark as string))?.seq;
    const nonce = mark?.split('.').at(-1);
    const claims: Record<string, string>[] = [
      {},
      { 'Holdfast-Mark': '' },
      { 'Holdfast-Mark': 'x.y' },
      { 'Holdfast-Mark': `${last + 2}.guess` },
      { 'Holdfast-Mark': '999999999999999.guess' },
      // The mark exists, but for other bytes.
      { 'Holdfast-Mark': `${markSeq}.${nonce}` },
      { 'Holdfast-Mark': `${markSeq}.guess` },
    ];
    for (const headers of claims) await isParked(await kept.broker.publish(again('S'), old, { headers }), 'too-old');
    expect(await sellable('S')).toBe(undefined);
  }, 60_000);

  it('is judged by the owner of its SKU alone, whatever partition its subject claims', async () => {
    const fresh = json(receipt('claims', 'C', 9));
    const right = partitionOf('C', 32);
    for (const claim of [String((right + 1) % 32), '32', '99999', `0${right}`, '-1', 'x', '1e1'])
      await isParked(await kept.broker.publish(`again.${claim}.receipt.dc.C`, fresh), 'subject-mismatch');
    expect(await sellable('C')).toBe(undefined);
    // Recent enough to count without a resubmission.
    await kept.broker.publish(again('C'), fresh);
    await expect.poll(() => sellable('C')).toBe(9);
  }, 60_000);

  it('cannot be used to hold up the facts of others', async () => {
    const last = (await kept.broker.stream('PARKED'))?.lastSeq ?? 0;
    const flood = Array.from({ length: 1_000 }, (_, i) =>
      kept.broker.publish(again('F'), json(receipt(`flood-${i}`, 'F', 1)), {
        headers: { 'Holdfast-Mark': `${last + 1_000_000 + i}.guess` },
      }),
    );
    const answer = await ask(kept.url(), 'POST', '/v1/facts', receipt('behind', 'B', 3));
    expect(answer.body).toMatchObject({ accepted: 1 });
    await Promise.all(flood);
    await expect.poll(() => sellable('F'), { timeout: 10_000 }).toBe(1_000);
  }, 60_000);

  it('comes to the same from a snapshot, from nothing, in a baseline and in verify', async () => {
    const seq = await park('old-3', 'D', 4);
    expect((await ask(kept.url(), 'POST', `/v1/parked/${seq}/resubmit`)).status).toBe(200);
    await expect.poll(() => sellable('D')).toBe(4);
    const before = await kept.numbers(['A', 'B', 'C', 'D', 'F', 'S']);
    const parked = (await kept.broker.subjects('PARKED', 'parked.')).sort();
    await kept.node.kill();
    await kept.setSnapshots();
    await kept.node.up();
    expect(await kept.numbers(['A', 'B', 'C', 'D', 'F', 'S'])).toEqual(before);
    expect((await kept.broker.subjects('PARKED', 'parked.')).sort()).toEqual(parked);
    for (const command of ['baseline', 'verify']) expect((await kept.holdfast(command)).code, command).toBe(0);
    await kept.close();
  }, 120_000);
});

describe('a conflict that version 0.1 parked', () => {
  let servers: Servers;
  let node: NodeProcess;
  let broker: NatsBroker;
  const sellable = async (sku: string) =>
    (await askUntilDecided(() => node.url, 'GET', `/v1/stock/${sku}/dc`)).body.sellable;

  it('never counts, has a mark after the first start, and later starts read marks alone', async () => {
    const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
    servers = { nats, redis };
    broker = await NatsBroker.connect(nats.url, 'device');
    await makeFirstStreams(broker);
    await broker.publish('receipt.dc.A', json(receipt('one', 'A', 5)));
    const conflict = await broker.publish('receipt.dc.B', json(receipt('one', 'B', 70)));
    // Only the earlier node knew that the id had been used in another partition.
    await broker.publish(`parked.RECEIPTS.${conflict}`, json(receipt('one', 'B', 70)), {
      headers: { 'Holdfast-Reason': 'id-conflict', 'Holdfast-Message': 'used', 'Holdfast-Subject': 'receipt' },
    });
    for (const reason of ['too-old', 'id-conflict']) {
      const headers = { 'Holdfast-Reason': reason, 'Holdfast-Message': '%', 'Holdfast-Subject': '%' };
      await broker.publish(`parked.foreign-${reason}`, json({}), { headers });
    }
    await broker.publish('receipt.dc.B', json(receipt('two', 'B', 1)));
    node = await NodeProcess.at(servers);
    await node.up();
    expect([await sellable('A'), await sellable('B')]).toEqual([5, 1]);
    expect(await broker.subjects('PARKED', 'mark.conflict.')).toEqual([`mark.conflict.RECEIPTS.${conflict}`]);
    const converted = Buffer.from((await broker.lastOn('PARKED', 'mark.converted'))?.data ?? []).toString();
    expect(Number(converted)).toBe(3);
    // The entry is gone, as after a trim of PARKED. The mark alone is enough.
    expect(await node.stop()).toBe(0);
    const parked = await broker.stream('PARKED');
    await broker.updateStream('PARKED', { metadata: { ...parked?.metadata, 'holdfast-removed': '3' } });
    await broker.purgeBelow('PARKED', 4);
    await servers.redis.kill();
    await servers.redis.restart();
    await node.up();
    expect([await sellable('A'), await sellable('B')]).toEqual([5, 1]);
  }, 60_000);

  it('a start refuses a PARKED that has lost what nobody took out of it', async () => {
    expect(await node.stop()).toBe(0);
    const last = (await broker.stream('PARKED'))?.lastSeq ?? 0;
    await broker.publish('parked.more', json({}));
    await broker.purgeBelow('PARKED', last + 1);
    node.start();
    await expect
      .poll(async () => (await node.readiness())?.reasons, { timeout: 15_000 })
      .toContainEqual(expect.stringMatching(/stream PARKED lacks \d+ of the \d+ messages/));
  }, 60_000);
});
