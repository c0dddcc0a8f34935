/** How a transfer ends, by the contract, on a running node: facts over HTTP and NATS, stock, ATP by date, anomalies and explanations. */
import { beforeAll, expect, it } from 'vitest';
import { ask as askAt } from '../../../harness/callers/http-caller.ts';
import { NodeProcess, type Servers } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { until } from '../../../harness/until.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import { factSubject } from '../../../streams/subjects.ts';

let servers: Servers;
let node: NodeProcess;
let broker: NatsBroker;
beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  servers = { nats, redis };
  node = await NodeProcess.at(servers);
  await node.up();
  broker = await NatsBroker.connect(servers.nats.url, 'device');
});

const ask = (method: string, path: string, body?: unknown) => askAt(node.url, method, path, body);
const HOUR_MS = 3_600_000;
const began = Date.now();
/** A moment of a day that began ten hours before the test, so that no fact is ahead of the clock. */
const hour = (of: number) => new Date(began + (of - 10) * HOUR_MS).toISOString();
type Fields = Readonly<Record<string, unknown>>;

let serial = 0;
class Sku {
  readonly name = `T-${++serial}`;
  #count = 0;

  fact(type: string, at: number, more: Fields) {
    this.#count += 1;
    return { id: `${this.name}/${this.#count}`, type, sku: this.name, location: 'dc', occurredAt: hour(at), ...more };
  }
  leg(phase: string, at: number, qty: number, more: Fields = {}) {
    return this.fact('transfer', at, { phase, transfer: 't', from: 'dc', to: 'shop', qty, ...more });
  }
  async send(...facts: object[]): Promise<void> {
    expect((await ask('POST', '/v1/facts', facts)).body).toEqual({
      accepted: facts.length,
      duplicates: 0,
      rejected: [],
    });
  }
  async publish(fact: { type: string; location?: unknown }): Promise<void> {
    const subject = factSubject('transfer', String(fact.location), this.name);
    await broker.publish(subject, Buffer.from(JSON.stringify(fact)), {});
  }
  /** Sellable units and units in transit, by location. */
  async stands(): Promise<Record<string, [sellable: number, inTransit: number]>> {
    const { locations } = (await ask('GET', `/v1/stock/${this.name}`)).body;
    type At = { location: string; sellable: number; inTransit: number };
    return Object.fromEntries((locations as At[]).map((each) => [each.location, [each.sellable, each.inTransit]]));
  }
  async atp(inHours: number): Promise<number> {
    const by = new Date(began + inHours * HOUR_MS).toISOString();
    return (await ask('GET', `/v1/atp/${this.name}?by=${by}`)).body.atp;
  }
  async explained(location: string) {
    return (await ask('GET', `/v1/explain/${this.name}/${location}`)).body;
  }
}
const stocked = async (qty: number) => {
  const sku = new Sku();
  await sku.send(sku.fact('receipt', 0, { qty }));
  return sku;
};
const anomalies = async (kind: string, sku: Sku) =>
  (await ask('GET', `/v1/anomalies?kind=${kind}&sku=${sku.name}`)).body.anomalies;

it('a slip that is corrected after the shelf was counted does not double the stock, and ATP by tomorrow is what exists', async () => {
  const sku = await stocked(120);
  const eta = new Date(began + 20 * HOUR_MS).toISOString();
  await sku.send(sku.leg('shipped', 1, 100, { eta }), sku.fact('count', 2, { counted: 110 }));
  expect(await sku.atp(24)).toBe(210);
  await sku.send(sku.leg('closed', 3, 90, { reason: 'corrected' }));
  expect(await sku.stands()).toEqual({ dc: [110, 0], shop: [0, 10] });
  expect(await sku.atp(24)).toBe(120);
  const { adds, steps } = await sku.explained('dc');
  expect(adds).toBe(true);
  expect(steps.at(-1)).toMatchObject({ what: 'transfer', change: {} });
  expect(steps.at(-1).detail).toMatch(/phase closed.*reason corrected.*as of the latest shipment/);
  expect(await sku.explained('shop')).toMatchObject({
    adds: true,
    steps: [{ change: { inTransit: 100 } }, { change: { inTransit: -90 }, total: { inTransit: 10 } }],
  });
});

it('lost units leave transit and come back when they turn up, in facts over NATS too', async () => {
  const sku = await stocked(10);
  await sku.send(sku.leg('shipped', 1, 8));
  await sku.publish(sku.leg('closed', 2, 8, { location: 'hub', reason: 'lost' }));
  await until(
    async () => (await sku.stands()).shop?.[1] === 0,
    20_000,
    () => 'the loss is not counted',
  );
  expect(await sku.stands()).toEqual({ dc: [2, 0], shop: [0, 0], hub: [0, 0] });
  await sku.publish(sku.leg('received', 3, 3, { location: 'kiosk', to: 'kiosk' }));
  await until(
    async () => (await sku.stands()).kiosk?.[0] === 3,
    20_000,
    () => 'the arrival is not counted',
  );
  expect(await sku.stands()).toEqual({ dc: [2, 0], shop: [0, 0], hub: [0, 0], kiosk: [3, 0] });
  const { adds, steps } = await sku.explained('shop');
  const changes = steps.map(({ change }: { change: object }) => change);
  expect([adds, ...changes]).toEqual([true, { inTransit: 8 }, { inTransit: -8 }, {}]);
});

it('goods arrive elsewhere or come back, and the destination is that of the latest shipment', async () => {
  const sku = await stocked(20);
  await sku.send(sku.leg('shipped', 1, 6), sku.leg('shipped', 2, 4, { to: 'kiosk' }));
  expect(await sku.stands()).toEqual({ dc: [10, 0], shop: [0, 0], kiosk: [0, 10] });
  await sku.send(sku.leg('received', 3, 5, { location: 'dc' }), sku.leg('received', 3, 2, { location: 'shop' }));
  expect(await sku.stands()).toEqual({ dc: [15, 0], shop: [2, 0], kiosk: [0, 3] });
  for (const location of ['dc', 'shop', 'kiosk']) expect((await sku.explained(location)).adds).toBe(true);
});

it('more back than out raises transfer_over until the shipment is known', async () => {
  const sku = await stocked(10);
  await sku.send(sku.leg('received', 2, 4, { location: 'shop' }));
  await until(
    async () => (await anomalies('transfer_over', sku)).length === 1,
    20_000,
    () => 'it is not open',
  );
  expect(await anomalies('transfer_over', sku)).toMatchObject([{ location: 'shop', state: 'open', data: { over: 4 } }]);
  await sku.send(sku.leg('shipped', 1, 4));
  await until(
    async () => (await anomalies('transfer_over', sku)).length === 0,
    20_000,
    () => 'it is still open',
  );
});

it('overdue units do not count for ATP by a date until they get a new one', async () => {
  const sku = await stocked(10);
  await sku.send(sku.leg('shipped', 1, 6, { eta: hour(2) }));
  expect(await sku.atp(48)).toBe(4);
  const eta = new Date(began + 20 * HOUR_MS).toISOString();
  await sku.send(sku.leg('shipped', 3, 1, { eta }));
  expect([await sku.atp(10), await sku.atp(48)]).toEqual([3, 10]);
});

it('a closing that cannot be read is rejected by the name of its field', async () => {
  const sku = await stocked(1);
  const facts = [
    sku.leg('closed', 1, 1),
    sku.leg('closed', 1, 1, { reason: 'stolen' }),
    sku.leg('closed', 1, 1, { reason: 'corrected', location: 'shop' }),
  ];
  const { rejected } = (await ask('POST', '/v1/facts', facts)).body;
  expect(rejected.map(({ code, message }: { code: string; message: string }) => `${code}: ${message}`)).toEqual([
    'invalid: reason must be lost or corrected when phase is closed',
    'invalid: reason must be lost or corrected when phase is closed',
    'invalid: location must equal from when phase is closed as corrected',
  ]);
});
