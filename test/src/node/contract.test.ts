/**
 * Sentences of the contract on reservations and anomalies, over HTTP against two nodes that share the partitions. Of every pair of a
 * reservation's home and a SKU's partition there is one, so some are on one node and some on both.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { NodeProcess } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { until } from '../../../harness/until.ts';
import type { Anomaly } from '../../../streams/contract/anomaly.ts';
import { partitionOf } from '../../../streams/subjects.ts';

const PARTITIONS = 4;
const NUMBERS = [0, 1, 2, 3];
let nodes: NodeProcess[];
beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  const env = { HOLDFAST_PARTITIONS: String(PARTITIONS), HOLDFAST_ANOMALIES: 'unknownAfterMs=0' };
  nodes = await Promise.all(['one', 'two'].map((name) => NodeProcess.at({ nats, redis }, { name, env })));
  for (const node of nodes) await node.up();
  const shared = async () => {
    const owned = await Promise.all(nodes.map(async (node) => (await node.readiness())?.owned ?? 0));
    return owned.every((each) => each > 0) && owned.reduce((sum, each) => sum + each, 0) === PARTITIONS;
  };
  await until(shared, 60_000, () => nodes.map((node) => node.tail(3)).join('\n'));
});

let serial = 0;
/** Asks the nodes in turn. */
const ask = (method: string, path: string, body?: unknown) => {
  serial += 1;
  return askUntilDecided(() => (nodes[serial % 2] as NodeProcess).url, method, path, body);
};
/** A new name whose partition is this one. */
function nameIn(partition: number, what: string): string {
  for (;;) {
    serial += 1;
    const name = `${what}-${serial}`;
    if (partitionOf(name, PARTITIONS) === partition) return name;
  }
}
const send = async (...facts: object[]) => {
  const occurredAt = new Date().toISOString();
  const whole = facts.map((fact) => ({ id: `f-${++serial}`, location: 'shop', occurredAt, ...fact }));
  expect((await ask('POST', '/v1/facts', whole)).body).toMatchObject({ accepted: whole.length });
};
/** A new SKU of each partition, with this many units. */
async function stocked(qty: number): Promise<string[]> {
  const skus = NUMBERS.map((partition) => nameIn(partition, 'sku'));
  await send(...skus.map((sku) => ({ type: 'receipt', sku, qty })));
  return skus;
}
const held = (skus: readonly string[]) =>
  Promise.all(skus.map(async (sku) => (await ask('GET', `/v1/stock/${sku}/shop`)).body.held));
const bySku = (shortages: { sku: string }[]) => shortages.toSorted((a, b) => (a.sku < b.sku ? -1 : 1));

describe('a refusal of a reservation whose lines are with several owners', () => {
  it('lists the shortages of all lines, and nothing is held', async () => {
    const skus = await stocked(5);
    for (const home of NUMBERS) {
      const id = nameIn(home, 'short');
      // Those of the first two partitions can be had.
      const lines = skus.map((sku, i) => ({ sku, qty: i < 2 ? 5 : 6 + i }));
      const { status, body } = await ask('POST', '/v1/reservations', { id, lines });
      expect([status, body.type, bySku(body.shortages)]).toEqual([
        409,
        'insufficient-stock',
        bySku(lines.slice(2).map(({ sku, qty }) => ({ sku, requested: qty, available: 5, earliest: null }))),
      ]);
      expect(body.detail).toMatch(/; nothing is held$/);
      for (const { sku } of lines.slice(2)) expect(body.detail).toContain(sku);
      expect(await held(skus)).toEqual([0, 0, 0, 0]);
      expect((await ask('POST', '/v1/reservations', { id, lines: skus.map((sku) => ({ sku, qty: 5 })) })).status).toBe(
        201,
      );
      expect((await ask('DELETE', `/v1/reservations/${id}`)).body.status).toBe('released');
    }
  });

  it('lists them in the answer if what there is is taken, and refuses if there is nothing', async () => {
    const skus = await stocked(5);
    const [id, partial] = [nameIn(0, 'partial'), true];
    const lines = skus.map((sku, i) => ({ sku, qty: 4 + i }));
    const shortages = lines.slice(2).map(({ sku, qty }) => ({ sku, requested: qty, available: 5 }));
    const { status, body } = await ask('POST', '/v1/reservations', { id, lines, partial });
    expect([status, body.lines.map(({ qty }: { qty: number }) => qty), bySku(body.shortages)]).toEqual([
      201,
      [4, 5, 5, 5],
      bySku(shortages),
    ]);
    const none = await ask('POST', '/v1/reservations', { id: nameIn(1, 'none'), lines: lines.slice(1), partial });
    const left = lines.slice(1).map(({ sku, qty }) => ({ sku, requested: qty, available: 0, earliest: null }));
    expect([none.status, bySku(none.body.shortages)]).toEqual([409, bySku(left)]);
  });

  it('lists them for a change too, with the own units, and nothing has changed', async () => {
    const skus = await stocked(5);
    const id = nameIn(0, 'change');
    const linesOf = (qty: number) => skus.map((sku) => ({ sku, qty }));
    expect((await ask('POST', '/v1/reservations', { id, lines: linesOf(2) })).status).toBe(201);
    const { status, body } = await ask('PUT', `/v1/reservations/${id}`, { lines: linesOf(6) });
    const shortages = bySku(skus.map((sku) => ({ sku, requested: 6, available: 5, earliest: null })));
    expect([status, bySku(body.shortages)]).toEqual([409, shortages]);
    expect(body.detail).toMatch(/; nothing has changed$/);
    expect(await held(skus)).toEqual([2, 2, 2, 2]);
    // What is fulfilled comes before what is short, whichever owner is asked first.
    await send(...skus.map((sku) => ({ type: 'sale', sku, qty: 2, reservation: id })));
    for (const less of skus) {
      const lines = skus.map((sku) => ({ sku, qty: sku === less ? 1 : 9 }));
      expect((await ask('PUT', `/v1/reservations/${id}`, { lines })).body.type).toBe('less-than-fulfilled');
    }
  });
});

async function anomalies(query: string): Promise<Anomaly[]> {
  const { status, body } = await ask('GET', `/v1/anomalies?${query}`);
  expect(status).toBe(200);
  return body.anomalies;
}
/** The open anomalies of a kind, once there are so many. */
async function opened(kind: string, count: number): Promise<Anomaly[]> {
  let found: Anomaly[] = [];
  await until(
    async () => {
      found = await anomalies(`kind=${kind}&limit=1000`);
      return found.length === count;
    },
    30_000,
    () => `${count} ${kind}: ${JSON.stringify(found)}`,
  );
  return found;
}
const reservationsOf = (found: readonly Anomaly[]) => found.map(({ data }) => String(data.reservation)).toSorted();

describe('a sale that names a reservation', () => {
  it('raises reservation_unknown if nobody has placed it, until somebody does', async () => {
    const [sku = ''] = await stocked(9);
    const [placed, cancelled] = [nameIn(1, 'late'), nameIn(2, 'cancelled')];
    await ask('DELETE', `/v1/reservations/${cancelled}`);
    for (const reservation of [placed, cancelled]) await send({ type: 'sale', sku, qty: 2, reservation });
    const found = await opened('reservation_unknown', 2);
    expect(reservationsOf(found)).toEqual([cancelled, placed].toSorted());
    expect(found[0]).toMatchObject({ sku, location: 'shop', state: 'open', data: { units: 2 } });
    expect((await ask('POST', '/v1/reservations', { id: placed, lines: [{ sku, qty: 3 }] })).body.lines).toMatchObject([
      { qty: 3, fulfilled: 2 },
    ]);
    expect(reservationsOf(await opened('reservation_unknown', 1))).toEqual([cancelled]);
  });

  it('raises over_fulfilled for what was not reserved: more units, or another SKU of any partition', async () => {
    const [skus, others] = [await stocked(9), await stocked(9)];
    const more = nameIn(0, 'more');
    await ask('POST', '/v1/reservations', { id: more, lines: [{ sku: skus[3], qty: 2 }] });
    await send({ type: 'sale', sku: skus[3], qty: 3, reservation: more });
    expect(await opened('over_fulfilled', 1)).toMatchObject([{ sku: skus[3], data: { reservation: more, over: 1 } }]);
    const ids: string[] = [more];
    for (const home of NUMBERS)
      for (const [i, sku] of others.entries()) {
        const id = nameIn(home, 'other');
        ids.push(id);
        // Its line is in another partition than the SKU that is sold.
        const lines = [{ sku: skus[(i + 1) % PARTITIONS], qty: 1 }];
        expect((await ask('POST', '/v1/reservations', { id, lines })).status).toBe(201);
        await send({ type: 'sale', sku, qty: 1, reservation: id });
      }
    expect(reservationsOf(await opened('over_fulfilled', ids.length))).toEqual(ids.toSorted());
    expect(await anomalies('kind=reservation_unknown')).toHaveLength(1);
  });

  it('leaves its anomaly open while its partition and its home move to another node and back', async () => {
    const before = await anomalies('kind=over_fulfilled&limit=1000');
    await nodes[0]?.kill();
    await nodes[0]?.up();
    const resolved = () => anomalies('kind=over_fulfilled&state=resolved');
    expect(await resolved()).toEqual([]);
    expect((await opened('over_fulfilled', before.length)).map(({ id, at }) => [id, at])).toEqual(
      before.map(({ id, at }) => [id, at]),
    );
    // Those that are raised after the restart show that every partition was looked at.
    const skus = await stocked(1);
    await send(...skus.map((sku) => ({ type: 'sale', sku, qty: 1, reservation: nameIn(3, 'after') })));
    await opened('reservation_unknown', 1 + PARTITIONS);
    expect(await resolved()).toEqual([]);
  });
});

it('GET /v1/anomalies lists the newest first, and goes on at its cursor', async () => {
  const all = await anomalies('kind=over_fulfilled&limit=1000');
  expect(all.length).toBeGreaterThan(10);
  expect(all.map(({ at }) => at)).toEqual(
    all
      .map(({ at }) => at)
      .toSorted()
      .reverse(),
  );
  const first = (await ask('GET', '/v1/anomalies?kind=over_fulfilled&limit=10')).body;
  const second = (await ask('GET', `/v1/anomalies?kind=over_fulfilled&limit=10&cursor=${first.next}`)).body;
  expect([first.anomalies.length, [...first.anomalies, ...second.anomalies], second.next]).toEqual([10, all, null]);
});
