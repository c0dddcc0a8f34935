/** `holdfast up` as a person runs it: when it reports that it is up, where a second run starts from, and how a signal ends it. */
import { setTimeout as delay } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { describe, expect, it } from 'vitest';
import { ask, askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { UpProcess } from '../../../harness/processes/up-process.ts';
import { freshFolder, freshNats } from '../../../harness/servers/servers.ts';

const FACTS = 3_000;

/** Sum of a metric's series. */
async function metric(url: string, name: string): Promise<number> {
  const { body } = await ask(url, 'GET', '/metrics');
  const values = [...String(body).matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].map(([, value]) =>
    Number(value),
  );
  if (values.length === 0) throw new Error(`there is no metric ${name}`);
  return values.reduce((sum, value) => sum + value, 0);
}

it('a second run goes on from the snapshots of the first one, and reads hardly a fact again', async () => {
  const data = freshFolder('up');
  const first = new UpProcess(data);
  await first.says('Holdfast is up.');
  expect(await metric(first.url, 'holdfast_snapshot_age_seconds')).toBe(0);
  for (let sent = 0; sent < FACTS; sent += 1_000) {
    const facts = Array.from({ length: 1_000 }, (_, i) => ({
      id: `f${sent + i}`,
      type: 'receipt',
      sku: `S${i % 97}`,
      location: 'x',
      occurredAt: new Date().toISOString(),
      qty: 1,
    }));
    expect((await askUntilDecided(() => first.url, 'POST', '/v1/facts', facts)).body.accepted).toBe(1_000);
  }
  // No snapshot is older than its partition's take-over, which was seconds ago.
  expect(await metric(first.url, 'holdfast_snapshot_age_seconds')).toBeLessThan(120);
  expect(await first.stop()).toEqual({ code: 0, signal: null });
  const second = new UpProcess(data);
  await second.says('Holdfast is up.');
  expect((await ask(second.url, 'GET', '/v1/stock/S0/x')).body.sellable).toBe(Math.ceil(1_000 / 97) * 3);
  expect(await metric(second.url, 'holdfast_facts_applied_total')).toBeLessThan(FACTS / 10);
  expect(await second.stop()).toEqual({ code: 0, signal: null });
}, 120_000);

it('says that it is up when it serves, not before', async () => {
  const up = new UpProcess(freshFolder('up'));
  let asked: Promise<number> | undefined;
  up.onOutput = (output) => {
    if (output.includes('Holdfast is up.') && output.includes('live page'))
      asked ??= ask(up.url, 'GET', '/readyz').then(({ status }) => status);
  };
  await up.says('Holdfast is up.');
  expect(await asked).toBe(200);
  expect(await up.stop()).toEqual({ code: 0, signal: null });
}, 60_000);

it('says why it does not serve, and a signal ends it all the same', async () => {
  const [nats, data] = [await freshNats(), freshFolder('up')];
  const env = { NATS_URL: nats.url, NATS_MONITOR_URL: nats.monitorUrl ?? '' };
  const first = new UpProcess(data, { env });
  await first.says('Holdfast is up.');
  expect(await first.stop()).toEqual({ code: 0, signal: null });
  const connection = await connect({ servers: nats.url });
  await (await jetstreamManager(connection)).streams.delete('JOURNAL');
  await connection.close();
  const second = new UpProcess(data, { env });
  await second.says(/Holdfast does not serve yet: .*JOURNAL/);
  expect(second.output).not.toContain('Holdfast is up.');
  expect((await ask(second.url, 'GET', '/readyz')).status).toBe(503);
  expect(await second.stop()).toEqual({ code: 0, signal: null });
}, 90_000);

describe('a signal in its first second', () => {
  it.each([100, 300, 800])(
    'after %i ms ends it with 0',
    async (ms) => {
      const up = new UpProcess(freshFolder('up'));
      await up.begun();
      // The test is about the moment of the signal, whatever the program is doing then.
      await delay(ms);
      expect(await up.stop()).toEqual({ code: 0, signal: null });
    },
    60_000,
  );

  it.each([100, 300, 800])(
    'after %i ms ends a node with 0, servers or none',
    async (ms) => {
      const { NATS_URL, REDIS_URL } = { NATS_URL: 'nats://127.0.0.1:1', REDIS_URL: 'redis://127.0.0.1:1' };
      const node = new UpProcess('', { command: ['node'], env: { NATS_URL, REDIS_URL, HOLDFAST_HTTP: '127.0.0.1:0' } });
      await node.begun();
      await delay(ms);
      node.signal(ms === 300 ? 'SIGINT' : 'SIGTERM');
      expect(await node.ended).toEqual({ code: 0, signal: null });
    },
    60_000,
  );
});
