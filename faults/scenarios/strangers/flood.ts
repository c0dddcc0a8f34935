/** Requests at many times the capacity of a node, over NATS, where nothing slows their sender. */
import { setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, createInbox, type NatsConnection } from '@nats-io/transport-node';
import { ask, askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { until } from '../../../harness/until.ts';
import { MemorySampler } from '../../rig/memory.ts';
import type { Outcome, Run, Scenario } from '../../scenario.ts';

export const flood: Scenario = {
  name: 'flood',
  injects:
    'reservations over NATS, sent without waiting, at ten times what the node decided for 64 callers (or as fast as one process can send)',
  holds:
    'the rest is 503 or nothing, memory within 1 GiB of before, every grant stands once, afterwards it answers as before; how many decisions a second are left is measured',
  trials: 1,
  slice: 1,
  run: floodNode,
};

const [CALM_SECONDS, FLOOD_SECONDS] = [5, 10];
const UNITS = 100_000_000;
/** Memory growth allowed in MiB, for the grants of the flood and garbage that is not collected yet. */
const MOST_MIB = 1024;
/** Requests sent per turn, so that the sender is not the bottleneck. */
const BURST = 500;

interface Tally {
  decided: number;
  undecided: number;
  sent: number;
  readonly granted: Set<string>;
}

async function floodNode({ rig, trials, say }: Run): Promise<Outcome> {
  const servers = await rig.servers();
  const node = await rig.node(servers);
  await node.up();
  const receipt = {
    id: 'all',
    type: 'receipt',
    sku: 'HOT',
    location: 'x',
    qty: UNITS,
    occurredAt: new Date().toISOString(),
  };
  await askUntilDecided(() => node.url, 'POST', '/v1/facts', receipt);
  const caller = await connect({ servers: servers.nats.url, noEcho: true });
  rig.defer(() => caller.close());
  const broken: string[] = [];
  const figures: Record<string, string | number> = {};
  for (let trial = 0; trial < trials; trial++) {
    const calm = await closedLoop(caller, `calm-${trial}`);
    const before = new MemorySampler(() => node.pid, 50);
    await delay(200);
    before.stop();
    const during = new MemorySampler(() => node.pid, 100);
    const stormy = await openLoop(caller, `flood-${trial}`, 10 * calm.perSecond);
    during.stop();
    const ratio = stormy.perSecond / calm.perSecond;
    await until(
      async () => (await ask(node.url, 'GET', '/v1/atp/HOT')).status === 200,
      120_000,
      () => 'it answers after the flood',
    );
    const { body } = await askUntilDecided(() => node.url, 'GET', '/v1/stock/HOT/x');
    const granted = calm.granted + stormy.granted;
    if (during.most > before.most + MOST_MIB)
      broken.push(`memory grew from ${Math.round(before.most)} to ${Math.round(during.most)} MiB`);
    // Grants whose answers were not read are held too.
    if (body.held < granted) broken.push(`${granted} were granted, ${body.held} are held`);
    Object.assign(figures, {
      'calm, decisions/s': Math.round(calm.perSecond),
      'offered/s': Math.round(stormy.offered),
      'decisions/s': Math.round(stormy.perSecond),
      'of calm': ratio.toFixed(2),
      undecided: stormy.undecided,
      'MiB before': Math.round(before.most),
      'MiB most': Math.round(during.most),
    });
    say(JSON.stringify(figures));
  }
  return { trials, broken, figures };
}

const bodyOf = (id: string) => JSON.stringify({ id, ttlSeconds: 86_400, lines: [{ sku: 'HOT', qty: 1 }] });

async function closedLoop(caller: NatsConnection, tag: string): Promise<{ perSecond: number; granted: number }> {
  const end = performance.now() + CALM_SECONDS * 1000;
  let granted = 0;
  await Promise.all(
    Array.from({ length: 64 }, async (_, index) => {
      for (let i = 0; performance.now() < end; i++) {
        const answer = await caller.request('reservation.place', bodyOf(`${tag}-${index}-${i}`), { timeout: 10_000 });
        if (answer.headers?.has('Nats-Service-Error-Code') !== true) granted += 1;
      }
    }),
  );
  return { perSecond: granted / CALM_SECONDS, granted };
}

async function openLoop(caller: NatsConnection, tag: string, perSecond: number) {
  const tally: Tally = { decided: 0, undecided: 0, sent: 0, granted: new Set() };
  const inbox = createInbox();
  const answers = caller.subscribe(inbox, {
    callback: (error, message) => {
      if (error !== null) return;
      if (message.headers?.has('Nats-Service-Error-Code') === true || message.data.length === 0) tally.undecided += 1;
      else tally.decided += 1;
    },
  });
  // Lower the sender's priority, because a real flood would come from another machine.
  setPriority(19);
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  while (seconds() < FLOOD_SECONDS) {
    for (let i = 0; i < BURST && tally.sent < seconds() * perSecond; i++) {
      tally.sent += 1;
      caller.publish('reservation.place', bodyOf(`${tag}-${tally.sent}`), { reply: inbox });
    }
    // Gives the sender a turn to read answers.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [decided, sent] = [tally.decided, tally.sent];
  setPriority(0);
  await until(
    async () => {
      const before = tally.decided + tally.undecided;
      await delay(1_000);
      return tally.decided + tally.undecided === before;
    },
    120_000,
    () => 'the flood has been answered',
  );
  answers.unsubscribe();
  return {
    perSecond: decided / FLOOD_SECONDS,
    offered: sent / FLOOD_SECONDS,
    granted: tally.decided,
    undecided: sent - tally.decided,
  };
}
