/** JOURNAL is purged, deleted, restored from an older copy or full. No promise may be forgotten silently. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { ask } from '../../../harness/callers/http-caller.ts';
import type { NodeProcess, Servers } from '../../../harness/processes/node-process.ts';
import { until } from '../../../harness/until.ts';
import { redisCommand } from '../../rig/prepared.ts';
import type { Rig } from '../../rig/rig.ts';
import { UnderLoad } from '../../rig/under-load.ts';
import type { Outcome, Run, Scenario } from '../../scenario.ts';

export const journalLost: Scenario = {
  name: 'journal-lost',
  injects:
    'a record of JOURNAL deleted, all of it purged under load, Redis emptied; JOURNAL full (max_bytes) under load; JOURNAL deleted under load; JOURNAL alone restored older with Redis emptied; all of NATS restored older; JOURNAL deleted with Redis emptied',
  holds:
    'NATS refuses to delete a record; full is 503 for reservations while facts go on, and ends with room; every loss is refused with its reason',
  trials: 7,
  slice: 2,
  run: loseJournal,
};

type Check = (context: { rig: Rig; servers: Servers; node: NodeProcess; load: UnderLoad }) => Promise<string[]>;

async function loseJournal({ rig, trials, say }: Run): Promise<Outcome> {
  const checks = Object.entries(CHECKS).slice(0, trials);
  const broken: string[] = [];
  for (const [name, check] of checks) {
    const servers = await rig.servers();
    const node = await rig.node(servers);
    await node.up();
    const load = new UnderLoad([node]);
    await load.start();
    await load.more(80);
    const found = await check({ rig, servers, node, load });
    broken.push(...found.map((what) => `${name}: ${what}`));
    say(`${name}: ${found.length === 0 ? 'held' : found.join('; ')}`);
    await Promise.all([node.kill(), servers.nats.kill(), servers.redis.kill()]);
  }
  return { trials: checks.length, broken, figures: { cases: checks.map(([name]) => name).join(' · ') } };
}

async function manage<T>(servers: Servers, use: (manager: JetStreamManager) => Promise<T>): Promise<T> {
  const connection = await connect({ servers: servers.nats.url });
  try {
    return await use(await jetstreamManager(connection));
  } finally {
    await connection.close();
  }
}

const refusedBy = (servers: Servers, what: string, use: (manager: JetStreamManager) => Promise<unknown>) =>
  manage(servers, use).then(
    () => [`NATS let somebody ${what}`],
    () => [],
  );

/** The node must report the loss and must not answer. */
async function refuses(node: NodeProcess): Promise<string[]> {
  let reasons: readonly string[] = [];
  await until(
    async () => {
      if (!node.alive) return true;
      reasons = (await node.readiness())?.reasons ?? [];
      return reasons.some((reason) => /lost|lacks|anew|not the one|another message|begins behind/.test(reason));
    },
    120_000,
    () => `it says what is lost: ${reasons.join('; ')} ${node.tail(4)}`,
  );
  const { status } = await ask(node.url, 'GET', '/v1/atp/S1');
  return status === 503 || status === 0 ? [] : [`ATP is answered with ${status}`];
}

/** Requests still open are not decided and are left alone. */
async function ended(load: UnderLoad, node: NodeProcess): Promise<string[]> {
  const found = await load.findings();
  if ((await node.stop()) !== 0) found.push('it did not end cleanly');
  return found;
}

const CHECKS: Record<string, Check> = {
  full: async ({ servers, load }) => {
    const bytes = await manage(servers, async (manager) => {
      const { state } = await manager.streams.info('JOURNAL');
      await manager.streams.update('JOURNAL', { max_bytes: state.bytes });
      return state.bytes;
    });
    return roomAgain(servers, load, bytes);
  },
  'JOURNAL alone older, Redis emptied': async (all) => {
    const older = await olderCopy(all);
    const journal = join('jetstream', 'jetstream', '$G', 'streams', 'JOURNAL');
    return restored(all, join(older, journal), join(all.servers.nats.dataDir, journal), true);
  },
  'purged under load, Redis emptied': async ({ servers, node }) => {
    const found = await refusedBy(servers, 'delete a record', (manager) => manager.streams.deleteMessage('JOURNAL', 3));
    await manage(servers, (manager) => manager.streams.purge('JOURNAL'));
    await until(
      () => !node.alive,
      120_000,
      () => `the node gives up: ${node.tail(4)}`,
    );
    await redisCommand(servers.redis, 'FLUSHALL');
    node.start();
    return [...found, ...(await refuses(node))];
  },
  'deleted under load': async ({ servers, node }) => {
    await manage(servers, (manager) => manager.streams.delete('JOURNAL'));
    await until(
      () => !node.alive,
      120_000,
      () => `the node gives up: ${node.tail(4)}`,
    );
    node.start();
    return refuses(node);
  },
  'all of NATS older': async (all) => restored(all, await olderCopy(all), all.servers.nats.dataDir, false),
  'deleted, Redis emptied': async ({ servers, node, load }) => {
    const found = await ended(load, node);
    await manage(servers, (manager) => manager.streams.delete('JOURNAL'));
    await redisCommand(servers.redis, 'FLUSHALL');
    node.start();
    return [...found, ...(await refuses(node))];
  },
  'SALES deleted, Redis emptied': async ({ servers, node, load }) => {
    const found = await ended(load, node);
    await manage(servers, (manager) => manager.streams.delete('SALES'));
    await redisCommand(servers.redis, 'FLUSHALL');
    node.start();
    return [...found, ...(await refuses(node))];
  },
};

/** While JOURNAL is full, reservations get 503, and facts and ATP go on. With more room everything goes on. */
async function roomAgain(servers: Servers, load: UnderLoad, bytes: number): Promise<string[]> {
  const found: string[] = [];
  const [node] = load.nodes as [NodeProcess];
  const placed = await ask(node.url, 'POST', '/v1/reservations', { id: 'while-full', lines: [{ sku: 'S1', qty: 1 }] });
  if (placed.status !== 503) found.push(`a reservation was answered ${placed.status} by a full journal`);
  const fact = {
    id: 'while-full',
    type: 'receipt',
    sku: 'OTHER',
    location: 'x',
    qty: 1,
    occurredAt: new Date().toISOString(),
  };
  const taken = await ask(node.url, 'POST', '/v1/facts', fact);
  if (taken.status !== 200) found.push(`a fact was answered ${taken.status}`);
  const atp = await ask(node.url, 'GET', '/v1/atp/S1');
  if (atp.status !== 200) found.push(`ATP was answered ${atp.status}`);
  await manage(servers, (manager) => manager.streams.update('JOURNAL', { max_bytes: bytes + 100_000_000 }));
  await load.more(60);
  // The request made while it was full is decided by now, so the same id gets its answer.
  const again = await ask(node.url, 'POST', '/v1/reservations', { id: 'while-full', lines: [{ sku: 'S1', qty: 1 }] });
  if (again.status !== 200 && again.status !== 201)
    found.push(`asked again with room, it was answered ${again.status}`);
  await ask(node.url, 'DELETE', '/v1/reservations/while-full');
  return [...found, ...(await load.findings())];
}

type All = Parameters<Check>[0];

/** Copies the data of NATS, and then lets more be written. */
async function olderCopy({ rig, servers, load }: All): Promise<string> {
  const older = rig.path('older');
  await servers.nats.stop();
  cpSync(servers.nats.dataDir, older, { recursive: true });
  await servers.nats.restart();
  await load.more(80);
  return older;
}

async function restored(all: All, from: string, to: string, emptied: boolean): Promise<string[]> {
  const { servers, node, load } = all;
  const found = await ended(load, node);
  await servers.nats.stop();
  rmSync(to, { recursive: true });
  cpSync(from, to, { recursive: true });
  if (emptied) await redisCommand(servers.redis, 'FLUSHALL');
  await servers.nats.restart();
  node.start();
  return [...found, ...(await refuses(node))];
}
