/**
 * Purchases, by the contract, on two running nodes: facts over HTTP and NATS, stock, supply, ATP by date, explanations and anomalies, and the
 * same after a take-over, from snapshots, from the log alone, and after trimming.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { KeptNode } from '../../../harness/processes/kept-node.ts';
import { NodeProcess } from '../../../harness/processes/node-process.ts';
import { until } from '../../../harness/until.ts';
import { factSubject } from '../../../streams/subjects.ts';

let kept: KeptNode;
let two: NodeProcess;
beforeAll(async () => {
  kept = await KeptNode.up({ name: 'one' });
  two = await NodeProcess.at(kept.servers, { name: 'two' });
  await two.up();
}, 60_000);
afterAll(async () => {
  await two?.kill();
  await kept?.close();
});

const DAY_MS = 86_400_000;
const began = Date.now();
const days = (of: number) => new Date(began + of * DAY_MS).toISOString();
type Fields = Readonly<Record<string, unknown>>;
let turn = 0;
/** Each request goes to the other node than the one before. */
const urls = () => {
  const alive = [kept.node, two].filter((node) => node.alive);
  turn += 1;
  return (alive[turn % alive.length] ?? kept.node).url;
};
const read = async (path: string) => (await askUntilDecided(urls, 'GET', path)).body;

let serial = 0;
class Sku {
  readonly name = `P-${++serial}`;
  #count = 0;

  fact(type: string, at: number, more: Fields) {
    this.#count += 1;
    return { id: `${this.name}/${this.#count}`, type, sku: this.name, location: 'dc', occurredAt: days(at), ...more };
  }
  purchase(at: number, qty: number, more: Fields = {}) {
    return this.fact('purchase', at, { purchaseOrder: 'po', promisedAt: days(5), vendor: 'Pottery', qty, ...more });
  }
  receipt(at: number, qty: number, more: Fields = {}) {
    return this.fact('receipt', at, { purchaseOrder: 'po', qty, ...more });
  }
  async send(...facts: object[]): Promise<void> {
    const { body } = await askUntilDecided(urls, 'POST', '/v1/facts', facts);
    expect(body).toEqual({ accepted: facts.length, duplicates: 0, rejected: [] });
  }
  async publish(fact: { type: string; location: string }): Promise<void> {
    const subject = factSubject(fact.type as 'purchase', fact.location, this.name);
    await kept.broker.publish(subject, Buffer.from(JSON.stringify(fact)), {});
  }
  /** Sellable units and units on order, by location. */
  async stands(): Promise<Record<string, [sellable: number, onOrder: number]>> {
    type At = { location: string; sellable: number; onOrder: number };
    const { locations } = await read(`/v1/stock/${this.name}`);
    return Object.fromEntries((locations as At[]).map((each) => [each.location, [each.sellable, each.onOrder]]));
  }
  async atp(inDays: number): Promise<number> {
    return (await read(`/v1/atp/${this.name}?by=${days(inDays)}`)).atp;
  }
  async supply(query = ''): Promise<Fields[]> {
    return (await read(`/v1/supply/${this.name}${query}`)).supply;
  }
  async open(kind: string): Promise<Fields[]> {
    return (await read(`/v1/anomalies?kind=${kind}&sku=${this.name}`)).anomalies;
  }
}

it('is on order until it is received, wherever that is, and counts in ATP from the day that it is promised for', async () => {
  const sku = new Sku();
  await sku.send(sku.purchase(-2, 10), sku.purchase(-2, 6, { line: '2', location: 'shop', promisedAt: days(3) }));
  expect(await sku.stands()).toEqual({ dc: [0, 10], shop: [0, 6] });
  await sku.publish(sku.receipt(-1, 7, { damaged: 1, location: 'kiosk' }));
  await until(
    async () => (await sku.stands()).kiosk?.[0] === 7,
    20_000,
    () => 'the receipt is not counted',
  );
  expect(await sku.stands()).toEqual({ dc: [0, 8], shop: [0, 0], kiosk: [7, 0] });
  expect([await sku.atp(2), await sku.atp(4), await sku.atp(6)]).toEqual([7, 7, 15]);
  const due = { source: 'purchase', purchaseOrder: 'po', vendor: 'Pottery', location: 'dc', qty: 8, overdue: false };
  expect(await sku.supply()).toEqual([{ ...due, due: days(5) }]);
  expect(await sku.supply('?location=shop')).toEqual([]);
  for (const location of ['dc', 'shop', 'kiosk'])
    expect(await read(`/v1/explain/${sku.name}/${location}`)).toMatchObject({ adds: true });
  const { steps } = await read(`/v1/explain/${sku.name}/shop`);
  expect(steps.map(({ what, change }: Fields) => [what, change])).toEqual([
    ['purchase', {}],
    ['purchase', { onOrder: 6 }],
    ['receipt', { onOrder: -6 }],
  ]);
});

it('has no horizon, and the latest fact wins however late it comes, over HTTP and NATS', async () => {
  const sku = new Sku();
  await sku.send(sku.purchase(-300, 4), sku.purchase(-400, 9), sku.purchase(-500, 1, { purchaseOrder: 'old' }));
  await sku.publish(sku.purchase(-200, 7, { location: 'shop' }));
  await until(
    async () => (await sku.stands()).shop?.[1] === 7,
    20_000,
    () => 'the purchase is not counted',
  );
  expect(await sku.stands()).toEqual({ dc: [0, 1], shop: [0, 7] });
  const again = sku.purchase(-100, 2);
  await sku.send(again);
  expect((await askUntilDecided(urls, 'POST', '/v1/facts', again)).body).toMatchObject({ duplicates: 1 });
  expect((await askUntilDecided(urls, 'POST', '/v1/facts', { ...again, qty: 3 })).body).toMatchObject({
    rejected: [{ code: 'id-conflict' }],
  });
  expect(await sku.stands()).toEqual({ dc: [0, 3], shop: [0, 0] });
});

it('is refused by the name of the field that cannot be read', async () => {
  const sku = new Sku();
  const { body } = await askUntilDecided(urls, 'POST', '/v1/facts', [
    sku.purchase(0, -1),
    sku.purchase(0, 1, { promisedAt: 'soon' }),
    sku.purchase(0, 1, { purchaseOrder: '' }),
    sku.purchase(0, 1, { damaged: 1 }),
    sku.purchase(0, 1, { unit: 'BOX' }),
  ]);
  expect(body.rejected.map(({ code, message }: Fields) => `${code} ${String(message).split(' ', 2)[0]}`)).toEqual(
    ['qty', 'promisedAt', 'purchaseOrder', 'damaged', 'unit'].map((field) => `invalid ${field}`),
  );
});

it('is an anomaly once it is overdue, and if a receipt may be it; both end when it is closed', async () => {
  const sku = new Sku();
  await sku.send(
    sku.purchase(-9, 10, { promisedAt: days(-2) }),
    sku.receipt(-1, 4),
    sku.fact('receipt', -1, { qty: 6 }),
  );
  // Each node reuses its list of anomalies for a moment.
  const opens = (kind: string) => expect.poll(() => sku.open(kind), { timeout: 20_000 });
  await opens('receipt_overdue').toMatchObject([
    { location: 'dc', data: { purchaseOrder: 'po', vendor: 'Pottery', missing: 6 } },
  ]);
  await opens('receipt_unmatched').toMatchObject([{ location: 'dc', data: { units: 6, onOrder: 6 } }]);
  expect([await sku.atp(9), (await sku.supply()).map(({ overdue }) => overdue)]).toEqual([10, [true]]);
  await sku.send(sku.purchase(-1, 4));
  await opens('receipt_overdue').toEqual([]);
  await opens('receipt_unmatched').toEqual([]);
  expect(await sku.supply()).toEqual([]);
});

it('stands the same after a take-over, from snapshots, from the log alone, and after trimming', async () => {
  const skus = Array.from({ length: 12 }, () => new Sku());
  for (const sku of skus)
    await sku.send(
      sku.purchase(-2, 10),
      sku.purchase(-1, 5, { line: '2', location: 'shop', promisedAt: days(3) }),
      sku.receipt(-1, 3, { location: 'kiosk' }),
      sku.receipt(-1, 2, { purchaseOrder: 'unknown' }),
    );
  const stands = () => Promise.all(skus.map(async (sku) => [await sku.stands(), await sku.supply()]));
  const stood = await stands();
  await two.kill();
  expect(await stands()).toEqual(stood);
  expect((await kept.holdfast('baseline')).code).toBe(0);
  await Promise.all(skus.map((sku) => sku.send(sku.receipt(0, 1), sku.purchase(0, 2, { purchaseOrder: 'next' }))));
  const later = await stands();
  expect((await kept.holdfast('trim')).code).toBe(0);
  expect(await kept.holdfast('verify')).toMatchObject({ code: 0, answer: { faults: [] } });
  expect(await kept.node.stop()).toBe(0);
  for (const snapshots of [true, false]) {
    if (!snapshots) await kept.setSnapshots();
    await kept.node.up();
    expect(await stands()).toEqual(later);
    expect(await read(`/v1/explain/${skus[0]?.name}/shop`)).toMatchObject({ adds: true, stock: { onOrder: 1 } });
    expect(await kept.node.stop()).toBe(0);
  }
  expect(await kept.holdfast('verify')).toMatchObject({ code: 0, answer: { faults: [] } });
}, 120_000);
