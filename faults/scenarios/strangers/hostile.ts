/**
 * Strangers who have read the README attack while honest callers work.
 *
 * Invariants:
 *  HO1 The seed (--first) and the names (--attacks) determine the attacks, so a finding can be reproduced alone.
 *  HO2 A whole run first makes each attack alone, to show which one did the damage. Then it makes all of them at once until the time is
 *      over. A slice only makes all of them at once.
 *  HO3 After each attack, every node is checked from outside. A node that does not serve within the lease ends the run.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { ask } from '../../../harness/callers/http-caller.ts';
import { LiveReader } from '../../../harness/callers/live-reader.ts';
import { chance } from '../../../harness/chance.ts';
import type { NodeProcess, Servers } from '../../../harness/processes/node-process.ts';
import { until } from '../../../harness/until.ts';
import type { Target } from '../../hostile/attack.ts';
import { Attackers } from '../../hostile/attackers.ts';
import { forgedRecords } from '../../hostile/attacks/between-nodes.ts';
import { forgedSnapshots } from '../../hostile/attacks/snapshots.ts';
import { ATTACKS } from '../../hostile/attacks.ts';
import { HonestCallers, percentile, type Waited } from '../../hostile/honest.ts';
import type { Told } from '../../hostile/orders.ts';
import { MemorySampler } from '../../rig/memory.ts';
import { balanced, PARTITIONS, probeSkus, stockProbes } from '../../rig/served.ts';
import { UnderLoad } from '../../rig/under-load.ts';
import type { Outcome, Run, Scenario } from '../../scenario.ts';

export const hostile: Scenario = {
  name: 'hostile',
  injects: `for --minutes: ${ATTACKS.length} attacks of strangers over HTTP, WebSocket, NATS and Redis, each alone and then all at once, beside 24 honest callers`,
  holds:
    'no process ends; honest callers wait at most 1 s for a decision (p99.9); after each attack all is served within the lease; nothing acknowledged is lost, nothing forged counts',
  trials: 1,
  slice: 1,
  minutes: 10,
  run: beHostile,
};

const CALLERS = 24;
/**
 * A run shorter than this is a slice (HO2). It has too few decisions for a p99.9, and runs beside other tests on a machine that may be five
 * times slower.
 */
const SLICE_MINUTES = 1;

/** Decisions slower than this are reported for each strike. */
const SLOW_MS = 1_000;

const MOST_WAIT_FOR_ATTACKS_MS = 90_000;

/** Half of this time passes before a node is killed, and half after. */
const FORGING_MS = 3_000;

const LENGTHS = {
  whole: {
    /** A stranger's machine would be another one, and would take no processor time from the nodes. */
    priority: constants.priority.PRIORITY_LOW,
    leaseMs: 5_000,
    withinMs: 5_000,
    mostWaitMs: 1_000,
    calmMs: 10_000,
    aloneMs: Number(process.env.HOSTILE_ALONE ?? 4_000),
    roundMs: 20_000,
    /** The default, and the oldest that a snapshot may be at any time. */
    snapshotMs: 10_000,
    snapshotAgeMs: 15_000,
  },
  slice: {
    /** Beside other tests, a process of low priority gets no processor time, so nothing would be attacked. */
    priority: constants.priority.PRIORITY_NORMAL,
    leaseMs: 15_000,
    withinMs: 30_000,
    mostWaitMs: 30_000,
    calmMs: 1_000,
    aloneMs: 0,
    roundMs: 6_000,
    snapshotMs: 3_000,
    snapshotAgeMs: 0,
  },
};

// The choices of a run depend only on the seed (HO1).
async function beHostile({ rig, minutes, first, attacks, say }: Run): Promise<Outcome> {
  const isSlice = minutes < SLICE_MINUTES;
  const random = chance(first + 1);
  const chosen = ATTACKS.filter(({ name }) => attacks.length === 0 || attacks.includes(name));
  const lengths = isSlice ? LENGTHS.slice : LENGTHS.whole;
  const maxPayload = isSlice || random() < 0.5 ? '1MB' : '8MB';
  const count = isSlice || random() < 0.5 ? 2 : 3;
  say(`seed ${first}: ${count} nodes, max_payload ${maxPayload}, ${chosen.length} attacks`);

  const [nats, redis] = await Promise.all([
    rig.nats({ config: { maxPayload, maxFileStore: '64GB' }, dataDir: rig.memoryPath('nats') }),
    rig.redis(),
  ]);
  const servers = { nats, redis };
  const key = rig.path('snapshot.key');
  writeFileSync(key, randomBytes(32).toString('hex'));
  const env = {
    HOLDFAST_LEASE: `${lengths.leaseMs}ms`,
    HOLDFAST_SNAPSHOT_INTERVAL: `${lengths.snapshotMs}ms`,
    HOLDFAST_SNAPSHOT_KEY_FILE: key,
  };
  const nodes = await Promise.all(
    ['one', 'two', 'three'].slice(0, count).map((name) => rig.node(servers, { name, env })),
  );
  for (const node of nodes) node.start();
  await balanced(nodes);
  const probes = probeSkus();
  await stockProbes((nodes[0] as NodeProcess).url, probes, 1_000_000);
  const honest = await HonestCallers.at(nats.url);
  rig.defer(() => honest.close());
  const load = new UnderLoad(nodes, CALLERS, 'a', honest.decide);
  await load.start();
  const readers = nodes.map((node) => new LiveReader(node.url, 'kpi,atp:S1'));
  for (const reader of readers) rig.defer(() => reader.close());
  await Promise.all(readers.map((reader) => reader.opened()));
  const memory = nodes.map((node) => new MemorySampler(() => node.pid, 500));
  for (const each of memory) rig.defer(() => each.stop());
  const attackers = await Attackers.start(lengths.priority);
  rig.defer(() => attackers.end());

  await delay(lengths.calmMs);
  const calm = summary(honest.waited.splice(0));
  honest.recorded.length = 0;
  say(`calm: ${JSON.stringify(calm)}`);

  const target: Target = {
    http: nodes.map(({ url }) => url),
    nats: nats.url,
    redis: redis.url,
    partitions: PARTITIONS,
  };
  const site = { servers, nodes, probes, readers, honest, ...lengths };
  const broken: string[] = [];
  const recovered: number[] = [];
  let made = 0;
  /**
   * Makes the attacks and judges the nodes. False ends the run, because nodes that do not serve are not attacked again. `ms` 0 prepares.
   */
  const strike = async (names: readonly string[], ms: number): Promise<boolean> => {
    const seed = first * 1_000 + made;
    const logged = nodes.map((node) => node.log.length);
    const waitedBefore = honest.waited.length;
    // One attack that hangs must not hide what the others found. All stop when a node's process ends.
    const late = Promise.race([
      delay(ms + MOST_WAIT_FOR_ATTACKS_MS, 'it was not over in time', { ref: false }),
      ended(site).then(() => 'a node ended'),
    ]);
    const told = await Promise.all(
      names.map((attack) =>
        Promise.race([
          attackers.attack({ attack, seed, ms, target }),
          late.then((failed): Told => ({ attack, wrong: [], failed })),
        ]),
      ),
    );
    if (ms > 0) made += names.length;
    const which = names.length === 1 ? names.join() : `${names.length} attacks at once`;
    const what = ms === 0 ? `preparing ${which}` : which;
    for (const each of told) for (const wrong of each.wrong) broken.push(`${each.attack}: ${wrong}`);
    for (const { attack, failed } of told) if (failed !== undefined) say(`${attack} could not go on: ${failed}`);
    const { tookMs, wrong } = await judged(site);
    recovered.push(tookMs);
    try {
      say(`${what}: served after ${tookMs} ms; ${load.done} operations, ${longest(honest.waited.slice(waitedBefore))}`);
    } catch (error) {
      wrong.push(`an honest caller: ${(error as Error).message}`);
    }
    for (const each of wrong) broken.push(`${what} (seed ${seed}): ${each}`);
    for (const each of wrong) say(`! ${each}`);
    if (tookMs > lengths.withinMs / 5)
      nodes.forEach((node, index) => {
        for (const each of warnings(node, logged[index] as number)) say(`  ${each}`);
      });
    return wrong.length === 0;
  };

  // A slice ends after its first round.
  const end = performance.now() + (isSlice ? 0 : minutes * 60_000);
  const all = chosen.map(({ name }) => name);
  let goesOn = await strike(all, 0);
  if (goesOn && lengths.aloneMs > 0 && chosen.length > 1) {
    for (const { name } of shuffled(chosen, random)) {
      goesOn = await strike([name], lengths.aloneMs);
      if (!goesOn) break;
    }
  }
  while (goesOn) {
    goesOn = await strike(all, lengths.roundMs);
    if (performance.now() > end) break;
  }
  const waits = summary(honest.waited.splice(0));
  if (waits['p99.9 ms'] > lengths.mostWaitMs)
    broken.push(
      `honest callers waited ${waits['p99.9 ms']} ms for a decision (p99.9), at most ${lengths.mostWaitMs} ms is right`,
    );
  const figures = {
    max_payload: maxPayload,
    nodes: count,
    seed: first,
    'decisions under attack': waits.decisions,
    'p50 ms': waits['p50 ms'],
    'p99 ms': waits['p99 ms'],
    'p99.9 ms': waits['p99.9 ms'],
    'most ms': waits['most ms'],
    'facts p99 ms': summary(honest.recorded)['p99 ms'],
    'calm p50 ms': calm['p50 ms'],
    'calm p99.9 ms': calm['p99.9 ms'],
    'served again after ms, most': Math.max(0, ...recovered),
    'MiB most': Math.round(Math.max(...memory.map(({ most }) => most))),
  };
  if (goesOn) {
    const forging = chosen.filter((each) => each === forgedSnapshots || each === forgedRecords);
    const seed = first * 1_000 + made;
    const forged = forging.map(({ name }) => attackers.attack({ attack: name, seed, ms: FORGING_MS, target }));
    await delay(forging.length === 0 ? 0 : FORGING_MS / 2);
    broken.push(...(await after(site, load, chosen, say)));
    await Promise.all(forged);
  }
  return { trials: made, broken, figures };
}

function seconds(since: number): number {
  return Math.round((performance.now() - since) / 1_000);
}

interface Site {
  readonly servers: Servers;
  readonly nodes: readonly NodeProcess[];
  readonly probes: readonly string[];
  readonly readers: readonly LiveReader[];
  readonly honest: HonestCallers;
  /** The lease, and an allowance for a busy machine. */
  readonly withinMs: number;
  readonly snapshotMs: number;
  /** Oldest that a snapshot may be. If 0, every partition must get one after the attack. */
  readonly snapshotAgeMs: number;
}

/** Resolves when a node has ended. */
async function ended({ nodes }: Site): Promise<void> {
  await Promise.race(nodes.map((node) => node.ended()));
}

/** Kills and restarts a node while snapshots and records are being forged, and then audits everything. Nothing forged may count. */
async function after(
  { nodes }: Site,
  load: UnderLoad,
  chosen: typeof ATTACKS,
  say: (line: string) => void,
): Promise<string[]> {
  const [node] = nodes as [NodeProcess];
  const began = performance.now();
  await node.kill();
  node.start();
  try {
    await balanced(nodes);
  } catch (error) {
    return [`after a node was killed and started: ${(error as Error).message}`];
  }
  say(`a node was killed and started, and all is served again after ${seconds(began)} s; everything is counted`);
  const broken = await load.findings();
  for (const { name, leaves } of chosen)
    for (const each of (await leaves?.(node.url)) ?? []) broken.push(`${name}: ${each}`);
  return broken;
}

const SNAPSHOTS_TAKEN = 'every partition gets a snapshot';

/**
 * Checks that within the lease every process runs, every node is ready and decides for every partition, and the live feed sends. Then every
 * partition must get a snapshot (HO3).
 */
async function judged(site: Site): Promise<{ tookMs: number; wrong: string[] }> {
  const { servers, nodes, probes, readers, honest, withinMs, snapshotMs, snapshotAgeMs } = site;
  const began = performance.now();
  const wrong: string[] = [];
  const served: number[] = [];
  for (const node of nodes)
    if (!node.alive) wrong.push(`${node.name} ended with ${await node.ended()}: ${node.tail(2).slice(0, 600)}`);
  for (const [name, server] of Object.entries(servers)) if (!server.alive()) wrong.push(`${name} ended`);
  if (wrong.length > 0) return { tookMs: 0, wrong };
  await Promise.all(
    nodes.map(async (node, index) => {
      const reader = readers[index] as LiveReader;
      const heard = reader.messages.length;
      let undecided: string | undefined;
      const ways: readonly [string, () => Promise<boolean>][] = [
        ['/readyz is 200', async () => (await node.readiness())?.ready === true],
        [
          'every partition decides',
          async () => {
            undecided = await undecidedBy(node, probes);
            return undecided === undefined;
          },
        ],
        ['its live feed sends', async () => reader.messages.length > heard],
        ['no honest caller waits', async () => !honest.waitsSince(began)],
        [SNAPSHOTS_TAKEN, async () => (await oldestSnapshotMs(node)) < (snapshotAgeMs || performance.now() - began)],
      ];
      for (const [what, holds] of ways) {
        if (what === SNAPSHOTS_TAKEN) served.push(performance.now() - began);
        const mostMs = what === SNAPSHOTS_TAKEN ? withinMs + snapshotMs : withinMs;
        const left = mostMs - (performance.now() - began);
        try {
          await until(holds, Math.max(left, 1_000), () => what, what === SNAPSHOTS_TAKEN ? 1_000 : 200);
        } catch {
          const readiness = await node.readiness();
          const lies = what !== '/readyz is 200' && readiness?.ready === true ? ', and /readyz says 200' : '';
          wrong.push(
            `${node.name}: not within ${mostMs} ms: ${what}${lies}; ${JSON.stringify(readiness?.reasons ?? reader.closed ?? null)?.slice(0, 400)}; ${undecided ?? ''}`,
          );
          return;
        }
      }
    }),
  );
  return { tookMs: Math.round(Math.max(0, ...served)), wrong };
}

let judgements = 0;

/** A node's first answer to probe reservations and facts that is not a decision, or undefined if all are decided. */
async function undecidedBy(node: NodeProcess, probes: readonly string[]): Promise<string | undefined> {
  const id = `judge-${++judgements}`;
  const placed = await Promise.all(
    probes.map((sku) =>
      ask(node.url, 'POST', '/v1/reservations', { id: `${id}-${sku}`, ttlSeconds: 60, lines: [{ sku, qty: 1 }] }),
    ),
  );
  const refused = placed.find(({ status }) => status !== 201);
  if (refused !== undefined) return `a reservation: ${refused.status} ${JSON.stringify(refused.body)?.slice(0, 200)}`;
  const occurredAt = new Date().toISOString();
  const facts = probes.map((sku) => ({ id: `${id}-${sku}`, type: 'receipt', sku, location: 'x', qty: 1, occurredAt }));
  const told = await ask(node.url, 'POST', '/v1/facts', facts);
  if (told.status === 200 && told.body.accepted === facts.length) return undefined;
  return `facts: ${told.status} ${JSON.stringify(told.body)?.slice(0, 200)}`;
}

/** Age of the oldest snapshot among changed partitions, which are all of them under load. It grows if snapshots stop. */
async function oldestSnapshotMs(node: NodeProcess): Promise<number> {
  const { body } = await ask(node.url, 'GET', '/metrics');
  return 1_000 * Number(/^holdfast_snapshot_age_seconds (\S+)$/m.exec(String(body))?.[1]);
}

/** A node's warnings since then, each once with its count. */
function warnings(node: NodeProcess, from: number): string[] {
  const counts = new Map<string, number>();
  for (const { level, msg, ...rest } of node.log.slice(from)) {
    const why = rest.why ?? rest.reason ?? (rest.err as { message?: string } | undefined)?.message ?? '';
    if (level >= 40)
      counts.set(`${msg} ${String(why)}`.slice(0, 300), (counts.get(`${msg} ${String(why)}`.slice(0, 300)) ?? 0) + 1);
  }
  return [...counts].slice(0, 12).map(([what, count]) => `${node.name} warned ${count} ×: ${what}`);
}

/** How many decisions of one strike were slow, and which one was the slowest. */
function longest(waited: readonly Waited[]): string {
  const slow = waited.filter(({ ms }) => ms > SLOW_MS).length;
  const most = waited.reduce((longer, each) => (each.ms > longer.ms ? each : longer), { ms: 0, what: 'none' });
  return `${slow} of ${waited.length} decisions took longer than ${SLOW_MS} ms, the longest ${Math.round(most.ms)} ms (${most.what})`;
}

type Summary = { readonly decisions: number } & Readonly<Record<'p50 ms' | 'p99 ms' | 'p99.9 ms' | 'most ms', number>>;

function summary(waited: readonly Waited[]): Summary {
  const sorted = waited.map(({ ms }) => Math.round(ms)).sort((a, b) => a - b);
  return {
    decisions: sorted.length,
    'p50 ms': percentile(sorted, 0.5),
    'p99 ms': percentile(sorted, 0.99),
    'p99.9 ms': percentile(sorted, 0.999),
    'most ms': percentile(sorted, 1),
  };
}

function shuffled<T>(from: readonly T[], random: () => number): T[] {
  return from
    .map((each) => ({ each, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ each }) => each);
}
