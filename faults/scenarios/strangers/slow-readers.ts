/** Clients of NATS and HTTP that send requests and never read. */
import { connect, type Socket } from 'node:net';
import { until } from '../../../harness/until.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import { MemorySampler } from '../../rig/memory.ts';
import type { Rig } from '../../rig/rig.ts';
import { UnderLoad } from '../../rig/under-load.ts';
import type { Outcome, Run, Scenario } from '../../scenario.ts';

export const slowReaders: Scenario = {
  name: 'slow-readers',
  injects:
    'ten NATS subscribers of everything and fifty HTTP callers that send requests and read no byte, while 160 MB pass',
  holds: 'NATS cuts its readers off, nobody else waits, memory of the node within 128 MiB of before, nothing is lost',
  trials: 1,
  slice: 1,
  run: slowlyRead,
};

const [NATS_READERS, HTTP_READERS, NOISE_MESSAGES] = [10, 50, 160];

async function slowlyRead({ rig, trials, say }: Run): Promise<Outcome> {
  const servers = await rig.servers();
  const node = await rig.node(servers);
  await node.up();
  const load = new UnderLoad([node]);
  await load.start();
  await load.more(100);
  const memory = new MemorySampler(() => node.pid, 200);
  await load.more(100);
  const before = memory.most;
  const broken: string[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const readers = Array.from({ length: NATS_READERS }, () =>
      deaf(rig, servers.nats.port, 'CONNECT {"verbose":false}\r\nSUB > 1\r\n'),
    );
    const question = 'GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(200);
    for (let i = 0; i < HTTP_READERS; i++) deaf(rig, Number(new URL(node.url).port), question);
    await until(
      async () => (await connections(servers.nats.monitorUrl)) >= NATS_READERS,
      10_000,
      () => 'the readers are connected',
    );
    const broker = await NatsBroker.connect(servers.nats.url, 'noise');
    const subscriber = broker.serve('noise.answered', {
      answer: async () => new Uint8Array(),
      tooLarge: () => new Uint8Array(),
    });
    for (let i = 0; i < NOISE_MESSAGES; i++) await broker.request('noise.answered', new Uint8Array(1_000_000), 30_000);
    subscriber.stop();
    await broker.close();
    await load.more(150);
    // The server holds a bounded amount per connection, and frees it when the connection closes.
    await until(
      async () => (await slowConsumers(servers.nats.monitorUrl)) >= NATS_READERS,
      120_000,
      () => 'NATS cuts them off',
    );
    for (const reader of readers) reader.destroy();
    say(`${await slowConsumers(servers.nats.monitorUrl)} slow consumers were cut off`);
  }
  memory.stop();
  if (memory.most > before + 128)
    broken.push(`memory grew from ${Math.round(before)} to ${Math.round(memory.most)} MiB`);
  broken.push(...(await load.findings()));
  return {
    trials,
    broken,
    figures: { 'MiB before': Math.round(before), 'MiB most': Math.round(memory.most), operations: load.done },
  };
}

/** Opens a socket that sends and never reads. */
function deaf(rig: Rig, port: number, text: string): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined).pause();
  socket.write(text);
  rig.defer(() => socket.destroy());
  return socket;
}

async function varz(monitorUrl: string | undefined): Promise<{ slow_consumers: number; connections: number }> {
  const response = await fetch(`${monitorUrl}/varz`);
  return (await response.json()) as { slow_consumers: number; connections: number };
}
const slowConsumers = async (monitorUrl: string | undefined) => (await varz(monitorUrl)).slow_consumers;
const connections = async (monitorUrl: string | undefined) => (await varz(monitorUrl)).connections;
