/**
 * A node is paused beyond its lease, another takes over, and the first wakes. Its answers must not be older than those of its successor.
 */
import { request } from 'node:http';
import { beforeAll, expect, it } from 'vitest';
import { ask, askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { NodeProcess, type Servers } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';

let servers: Servers;
beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  servers = { nats, redis };
});

it('grants nothing and answers nothing old when it wakes', async () => {
  const [one, two] = [await NodeProcess.at(servers, { name: 'one' }), await NodeProcess.at(servers, { name: 'two' })];
  await one.up();
  await two.up();
  await expect
    .poll(
      async () => [(await one.readiness())?.owned, (await two.readiness())?.owned].reduce((a = 0, b = 0) => a + b),
      { timeout: 20_000 },
    )
    .toBe(32);
  const skus = Array.from({ length: 60 }, (_, i) => `P${i}`);
  const facts = skus.map((sku) => ({
    id: `stock-${sku}`,
    type: 'receipt',
    sku,
    location: 'x',
    occurredAt: new Date().toISOString(),
    qty: 3,
  }));
  expect((await askUntilDecided(() => one.url, 'POST', '/v1/facts', facts)).body.accepted).toBe(skus.length);

  await one.pause();
  // Requests that wait in its socket when it wakes: reads, and attempts to take the last units.
  const reads = skus.map((sku) => waiting(one, 'GET', `/v1/atp/${sku}`));
  const grabs = skus.map((sku) =>
    waiting(one, 'POST', '/v1/reservations', { id: `late-${sku}`, lines: [{ sku, qty: 2 }] }),
  );
  await expect.poll(async () => (await two.readiness())?.owned, { timeout: 30_000 }).toBe(32);
  const versions = new Map<string, string>();
  for (const sku of skus) {
    const placed = await askUntilDecided(() => two.url, 'POST', '/v1/reservations', {
      id: `taken-${sku}`,
      lines: [{ sku, qty: 2 }],
    });
    expect(placed.status).toBe(201);
    versions.set(sku, (await askUntilDecided(() => two.url, 'GET', `/v1/atp/${sku}`)).body.version);
  }

  one.resume();
  const answers = await Promise.all(reads);
  expect(answers).toHaveLength(skus.length);
  for (const [i, answer] of answers.entries()) {
    const sku = skus[i] as string;
    expect([200, 503], sku).toContain(answer.status);
    // Its first answer after a refusal must meet the same condition.
    const { body } = answer.status === 200 ? answer : await askUntilDecided(() => one.url, 'GET', `/v1/atp/${sku}`);
    expect(body.atp, `${sku} ${body.version}`).toBe(1);
    expect(older(body.version, versions.get(sku) as string), `${sku} ${body.version}`).toBe(false);
  }
  // Two units of the one that is left. Whichever node decides now must refuse.
  for (const { status } of await Promise.all(grabs)) expect([409, 503]).toContain(status);
  await one.serves();
  for (const node of [one, two]) {
    for (const sku of skus) {
      const { body } = await askUntilDecided(() => node.url, 'GET', `/v1/stock/${sku}/x`);
      expect({ sku, sellable: body.sellable, held: body.held, allocated: body.allocated }).toEqual({
        sku,
        sellable: 3,
        held: 2,
        allocated: 0,
      });
      const atp = await askUntilDecided(() => node.url, 'GET', `/v1/atp/${sku}`);
      expect(older(atp.body.version, versions.get(sku) as string)).toBe(false);
    }
  }
  expect(await two.stop()).toBe(0);
  await one.serves();
  expect((await ask(one.url, 'GET', '/v1/atp/P1')).body.atp).toBe(1);
  expect(await one.stop()).toBe(0);
}, 90_000);

/** Sends a request on a socket of its own. The status is 0 if the connection ends without an answer. */
function waiting(
  node: NodeProcess,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: { atp?: number; version: string } }> {
  return new Promise((resolve) => {
    const sent = request(
      `${node.url}${path}`,
      { method, agent: false, headers: { 'content-type': 'application/json' } },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (more: string) => {
          text += more;
        });
        response.once('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
      },
    );
    sent.once('error', () => resolve({ status: 503, body: { version: '' } }));
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function older(version: string, than: string): boolean {
  const [a = [0, 0], b = [0, 0]] = [version, than].map((each) => each.split('.').map(Number));
  return (a[0] as number) < (b[0] as number) || (a[0] === b[0] && (a[1] as number) < (b[1] as number));
}
