/** Facts per second from JetStream into memory, compared with a reader that drops them. */
import type { BenchContext } from '../context.ts';
import { atLeast, beside, type Figure } from '../figure.ts';
import { Worker } from '../processes.ts';

const COUNT = 300_000;
const SKUS = 10_000;
const LOCATIONS = 5;
const PASSES = 2;

export async function factsFigure(context: BenchContext): Promise<Figure> {
  const { servers } = context;
  // Filled without a sync per message, which would take minutes. It is read with the sync policy of production.
  const filling = await servers.nats('nats-facts', '2m');
  const publisher = new Worker();
  await publisher.run('publishFacts', { nats: filling.url, count: COUNT, skus: SKUS, locations: LOCATIONS });
  await publisher.end();
  await filling.stop();
  const nats = await servers.nats('nats-facts');
  const holdfast: number[] = [];
  const bare: number[] = [];
  for (let pass = 0; pass < PASSES; pass++) {
    const reader = new Worker();
    bare.push(await reader.run('readFactsBare', { nats: nats.url, count: COUNT }));
    await reader.end();
    const redis = await servers.redis(`redis-facts-${pass}`);
    const node = context.nodeWorker();
    const name = `facts-${pass}`;
    await node.run('startHoldfast', { nats: nats.url, natsMonitor: nats.monitorUrl ?? '', redis: redis.url, name });
    const { perSecond, sellable } = await node.run('awaitFacts', { count: COUNT, withinMs: 60_000 });
    if (sellable !== -COUNT) throw new Error(`${COUNT} sales of one unit come to ${sellable}`);
    holdfast.push(perSecond);
    await node.run('stopHoldfast');
    await node.end();
    await redis.stop();
  }
  await nats.stop();
  context.profiled();
  const parser = new Worker();
  const parsed = await parser.run('parseFacts', { skus: SKUS, locations: LOCATIONS, count: 200_000 });
  await parser.end();
  const value = Math.max(...holdfast);
  return {
    name: 'facts',
    title: 'facts from JetStream into memory: JSON, validated, de-duplicated',
    value,
    unit: '/s',
    comparisons: [
      atLeast(0.6, value, Math.max(...bare), 'bare JetStream reader, drops them'),
      beside(value, parsed, 'reading and checking the bytes alone'),
    ],
    notes: [
      `${COUNT} facts, passes ${rounds(holdfast)} beside ${rounds(bare)}`,
      `checked: ${COUNT} sales = ${-COUNT} units`,
    ],
  };
}

function rounds(values: readonly number[]): string {
  return values.map((value) => Math.round(value)).join(', ');
}
