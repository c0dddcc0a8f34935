/**
 * `holdfast doctor` examines NATS, Redis, streams, lag, ownership and clocks, and says in plain words what is wrong and what to do.
 */

import { span } from '../../actors/anomaly/sources.ts';
import { ParkedIndex } from '../../actors/parked/parked-index.ts';
import { BaselineStore } from '../../actors/retention/baseline-store.ts';
import type { Settings } from '../../config/settings.ts';
import { FACT_STREAM_NAMES, JOURNAL_STREAM, PARKED_STREAM, PARTITIONS_METADATA } from '../../config/topology.ts';
import { type ClocksAnswer, clocksAnswer } from '../../streams/contract/system.ts';
import { floorsOf, readStreams } from '../../streams/journal/floors.ts';
import { NatsBroker } from '../../streams/nats/broker.ts';
import type { ConnectError } from '../../streams/nats/login.ts';
import { maxPayloadTrouble } from '../../streams/nats/max-payload.ts';
import { covers, pointOf } from '../../streams/read/position.ts';
import { baseUrl } from '../client/base-url.ts';
import { checkDurability } from '../node/durability.ts';
import { SteadyClock } from '../process/steady-clock.ts';
import { RedisSnapshots } from '../redis/snapshot-store.ts';
import { examineEvents, stalledOutbox } from './events-finding.ts';
import { type LiveNode, ranges, viewOwnership } from './ownership-view.ts';
import { writersOf } from './retention-commands.ts';

export interface Finding {
  readonly what: string;
  readonly state: 'good' | 'warning' | 'bad';
  readonly says: string;
  /** The remedy in words; '' if there is nothing to do. */
  readonly remedy: string;
  /** Set for a node: its row in the table of owners. */
  readonly owner?: Owner;
  /** Set for the finding about partitions: those that no live node owns. */
  readonly unowned?: readonly number[];
}
export interface Owner {
  readonly name: string;
  readonly http: string;
  /** In ascending order. The epoch is null if the node does not serve the partition yet, or cannot be reached from here. */
  readonly partitions: readonly { readonly partition: number; readonly epoch: number | null }[];
}

/** Largest harmless clock difference. Beyond it, timestamps and expiry differ visibly between nodes. */
const CLOCK_SKEW_MS = 2_000;

/** Most subjects of unknown writers that a finding names. */
const STRANGERS_SHOWN = 20;

/** Most groups of parked facts that a finding names. */
const GROUPS_SHOWN = 5;

/** All findings, in the order in which they should be fixed. */
export async function examine(settings: Settings): Promise<Finding[]> {
  const findings: Finding[] = [await examineRedis(settings)];
  let broker: NatsBroker;
  try {
    broker = await NatsBroker.connect(settings, 'holdfast-doctor');
  } catch (error) {
    const { final, message } = error as ConnectError;
    const remedy = final ? '' : 'start nats-server with JetStream, or set NATS_URL to where it runs';
    return [{ what: 'NATS', state: 'bad', says: message, remedy }, ...findings];
  }
  try {
    findings.unshift(await examineNats(broker, settings));
    const streams = await examineStreams(broker, settings);
    findings.push(...streams);
    if (streams.every((finding) => finding.state !== 'bad'))
      findings.push(
        await examineParked(broker, settings),
        await examineWriters(broker, settings),
        await examineBaselines(broker),
        await examineEvents(broker),
        ...(await examineNodes(broker, settings)),
        ...(await examineClocks(broker, settings)),
      );
  } finally {
    await broker.close();
  }
  return findings;
}

async function examineNats(broker: NatsBroker, settings: Settings): Promise<Finding> {
  const what = `NATS ${broker.server.version} at ${settings.nats}`;
  const tooSmall = maxPayloadTrouble(broker);
  if (tooSmall !== undefined) return { what, state: 'bad', says: tooSmall, remedy: 'no node starts until then' };
  try {
    const { level, says } = await checkDurability(broker, settings);
    const remedy = {
      proven: '',
      partly: 'start the server again, or take it out of the cluster and of NATS_MONITOR_URL',
      relaxed: 'set sync_interval: always in nats.conf, and NATS_MONITOR_URL to the monitoring address of every server',
    }[level];
    return { what, state: level === 'proven' ? 'good' : 'warning', says, remedy };
  } catch (error) {
    return { what, state: 'bad', says: (error as Error).message, remedy: 'see the README, "In production"' };
  }
}

async function examineRedis(settings: Settings): Promise<Finding> {
  const what = `Redis at ${settings.redis}`;
  let trouble = '';
  let store: RedisSnapshots;
  try {
    store = await RedisSnapshots.open(settings, (why) => {
      trouble = why;
    });
  } catch (error) {
    return { what, state: 'bad', says: (error as Error).message, remedy: 'no node starts until this is mended' };
  }
  try {
    const version = await store.version();
    if (Number(version.split('.')[0]) < 7)
      return { what, state: 'bad', says: `version ${version} is too old`, remedy: 'install Redis 7 or newer' };
    return { what, state: 'good', says: `version ${version} answers`, remedy: '' };
  } catch (error) {
    const says = `does not answer: ${trouble || (error as Error).message}; nodes serve on, but restart by replaying everything`;
    return { what, state: 'warning', says, remedy: 'start redis-server, or set REDIS_URL to where it runs' };
  } finally {
    store.close();
  }
}

async function examineStreams(broker: NatsBroker, settings: Settings): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const name of [...FACT_STREAM_NAMES, JOURNAL_STREAM, PARKED_STREAM]) {
    const stream = await broker.stream(name);
    if (stream === undefined) {
      findings.push({
        what: `stream ${name}`,
        state: 'bad',
        says: 'is not there',
        remedy: 'start a node once: it makes the streams',
      });
      continue;
    }
    const partitions = stream.config.metadata?.[PARTITIONS_METADATA];
    const copies = stream.config.num_replicas ?? 1;
    const held = `${stream.messages} messages, ${copies === 1 ? 'one copy' : `${copies} copies`}, ${partitions} partitions`;
    if (partitions !== String(settings.partitions)) {
      findings.push({
        what: `stream ${name}`,
        state: 'bad',
        says: `${held}; the settings say ${settings.partitions}`,
        remedy: `set HOLDFAST_PARTITIONS=${partitions}`,
      });
    } else if ((stream.config.num_replicas ?? 1) < settings.replicas) {
      findings.push({
        what: `stream ${name}`,
        state: 'warning',
        says: `${held}; the settings say ${settings.replicas}`,
        remedy: `streams keep the copies that they were made with; with the nats tool: nats stream edit ${name} --replicas ${settings.replicas}`,
      });
    } else findings.push({ what: `stream ${name}`, state: 'good', says: held, remedy: '' });
  }
  return findings;
}

/** Looks for parked facts that nobody has decided about. */
async function examineParked(broker: NatsBroker, settings: Settings): Promise<Finding> {
  const what = 'parked facts';
  const { index, groups } = await waitingFacts(broker, settings);
  const { waiting, facts } = index.table;
  if (waiting === 0) {
    const says = facts === 0 ? 'none' : `all ${facts} are resubmitted or dismissed`;
    return { what, state: 'good', says, remedy: '' };
  }
  const named = groups.slice(0, GROUPS_SHOWN).map(([key, count]) => {
    const { reason, device } = index.table.groupOf(key);
    return `${count} ${reason}${device === undefined ? '' : ` of device ${device}`}`;
  });
  const more = groups.length > GROUPS_SHOWN ? ', and more' : '';
  return {
    what,
    state: 'warning',
    says: `${waiting} could not be counted and wait: ${named.join(', ')}${more}`,
    remedy:
      'look at them: holdfast parked list; then submit them again, corrected where needed (holdfast parked resubmit), or dismiss them (holdfast parked dismiss)',
  };
}

/** Reads all parked facts, and the number that wait by reason and device, the largest group first. */
async function waitingFacts(
  broker: NatsBroker,
  settings: Settings,
): Promise<{ index: ParkedIndex; groups: [key: number, facts: number][] }> {
  const index = new ParkedIndex({ broker, clock: new SteadyClock() }, settings.partitions);
  await index.refresh();
  const groups = new Map<number, { facts: number; since: number }>();
  index.table.group({ state: 'waiting' }, 0, index.table.facts, groups);
  const counts = [...groups].map(([key, { facts }]): [number, number] => [key, facts]);
  return { index, groups: counts.sort(([, a], [, b]) => b - a) };
}

/** Looks for subjects of JOURNAL whose writers never owned a partition. Their records do not count. */
async function examineWriters(broker: NatsBroker, settings: Settings): Promise<Finding> {
  const what = 'writers of JOURNAL';
  const admission = await (await writersOf(broker, settings)).read();
  const strange: string[] = [];
  for (const subject of await broker.subjects(JOURNAL_STREAM, 'journal.')) {
    if (strange.length === STRANGERS_SHOWN || admission.counts(subject, Number.POSITIVE_INFINITY)) continue;
    const last = await broker.lastOn(JOURNAL_STREAM, subject);
    if (last !== undefined && !admission.counts(subject, last.seq))
      strange.push(`${subject} (${JOURNAL_STREAM}.${last.seq})`);
  }
  const skips = admission.skips.list.length;
  const judged = skips === 0 ? '' : `; people have skipped ${skips} places: holdfast quarantine`;
  if (strange.length === 0) return { what, state: 'good', says: `all have owned partitions${judged}`, remedy: '' };
  return {
    what,
    state: 'warning',
    says: `records of writers that never owned a partition do not count: ${strange.join(', ')}${judged}`,
    remedy: 'find out who may publish to journal.*, and take that right away; nothing else needs to be done',
  };
}

/** Checks the baselines, and whether the streams are trimmed so that recovery needs one. */
async function examineBaselines(broker: NatsBroker): Promise<Finding> {
  const floors = pointOf(floorsOf(await readStreams(broker)));
  const trimmed = !covers(pointOf({}), floors);
  const generations = (await (await BaselineStore.find(broker))?.generations()) ?? [];
  const whole = generations.flatMap(({ baseline }) => (baseline === undefined ? [] : [baseline]));
  const what = 'baselines';
  const damage = generations.find((each) => each.damage !== undefined)?.damage;
  if (trimmed && !whole.some((each) => covers(each, floors))) {
    const says = `the streams have been trimmed, and no whole baseline holds what came before${damage === undefined ? '' : `; ${damage}`}`;
    return { what, state: 'bad', says, remedy: 'keep the nodes running and make one now: holdfast baseline' };
  }
  if (damage !== undefined)
    return { what, state: 'warning', says: damage, remedy: 'make a new one: holdfast baseline' };
  const newest = whole[0];
  const says =
    newest === undefined
      ? 'none: the streams hold everything'
      : `${whole.length}, the newest of ${new Date(newest.atMs).toISOString()}; the streams are ${trimmed ? 'trimmed' : 'not trimmed'}`;
  return { what, state: 'good', says, remedy: '' };
}

async function examineNodes(broker: NatsBroker, settings: Settings): Promise<Finding[]> {
  const { nodes, owned, unowned } = await viewOwnership(broker, settings);
  const findings: Finding[] = [];
  if (nodes.length === 0)
    findings.push({ what: 'nodes', state: 'bad', says: 'no node is alive', remedy: 'start one: holdfast node' });
  for (const node of nodes) findings.push(await examineNode(node, owned.get(node.name) ?? []));
  const count = settings.partitions - unowned.length;
  findings.push({
    what: 'partitions',
    state: unowned.length === 0 ? 'good' : 'bad',
    says:
      unowned.length === 0
        ? `${count} of ${settings.partitions} have a live owner`
        : `${count} of ${settings.partitions} have a live owner; nobody owns ${ranges(unowned)}`,
    remedy:
      unowned.length === 0
        ? ''
        : 'a node that died is replaced when its lease ends; if this lasts, look at the logs of the nodes',
    unowned,
  });
  return findings;
}

/** Most names that a finding lists. */
const NAMES_SHOWN = 20;

/** Asks the first node that answers for the clocks of devices, and for what they leave to be counted. */
async function examineClocks(broker: NatsBroker, settings: Settings): Promise<Finding[]> {
  const { nodes } = await viewOwnership(broker, settings);
  for (const { http } of nodes) {
    const signal = AbortSignal.timeout(5_000);
    const answer = await fetch(`${baseUrl(http)}/v1/clocks`, { signal }).catch(() => undefined);
    const clocks = clocksAnswer.safeParse(await answer?.json().catch(() => undefined));
    if (clocks.success) return clockFindings(clocks.data);
  }
  return [];
}

function clockFindings({ ahead, behind, uncounted }: ClocksAnswer): Finding[] {
  const what = 'clocks of devices';
  const named = ({ location, device, seconds }: ClocksAnswer['ahead'][number]) =>
    `${device === null ? location : `${device} at ${location}`} by ${span(seconds * 1e6)}`;
  const findings: Finding[] = [];
  if (ahead.length > 0)
    findings.push({
      what,
      state: 'warning',
      says: `ahead: ${listed(ahead.map(named))}; their facts count as of the moment at which they are stored`,
      remedy: 'set these clocks',
    });
  if (behind.length > 0)
    findings.push({
      what,
      state: 'warning',
      says: `behind, or always late with their facts: ${listed(behind.map(named))}`,
      remedy: 'compare these clocks with the time; a device that sends late on purpose needs nothing',
    });
  if (uncounted.length > 0)
    findings.push({
      what: 'stock',
      state: 'warning',
      says: `a timestamp from the future was believed until this version: ${listed(uncounted.map(({ sku, location }) => `${sku} at ${location}`))}`,
      remedy: 'count the shelf there and send the counts',
    });
  const good: Finding = { what, state: 'good', says: 'none is ahead, and none is always late', remedy: '' };
  return findings.length === 0 ? [good] : findings;
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN;
  return names.slice(0, NAMES_SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

async function examineNode(node: LiveNode, owned: readonly number[]): Promise<Finding> {
  const epochs = new Map<number, number>();
  const finding = await askNode(node, epochs);
  const partitions = owned.map((partition) => ({ partition, epoch: epochs.get(partition) ?? null }));
  return { ...finding, owner: { name: node.name, http: node.http, partitions } };
}

/** @param epochs filled with the epochs of the partitions that the node serves */
async function askNode(node: LiveNode, epochs: Map<number, number>): Promise<Finding> {
  const what = `node ${node.name} at ${node.http}`;
  try {
    const sent = Date.now();
    const [ready, metrics] = await Promise.all(
      ['/readyz', '/metrics'].map((path) =>
        fetch(`${baseUrl(node.http)}${path}`, { signal: AbortSignal.timeout(3_000) }),
      ),
    );
    const received = Date.now();
    const skew = Math.round(Date.parse(ready?.headers.get('date') ?? '') - (sent + received) / 2);
    const body = (await ready?.json()) as { reasons?: string[]; owns?: { partition: number; epoch: number }[] };
    for (const { partition, epoch } of body.owns ?? []) epochs.set(partition, epoch);
    if (ready?.status !== 200) {
      return {
        what,
        state: 'bad',
        says: `is not ready: ${(body.reasons ?? []).join('; ')}`,
        remedy: 'wait until it has caught up; if this lasts, read its log',
      };
    }
    // The Date header has a resolution of one second.
    if (Math.abs(skew) > CLOCK_SKEW_MS)
      return {
        what,
        state: 'warning',
        says: `its clock differs from this machine's by ${skew} ms`,
        remedy: 'run NTP on both',
      };
    const text = (await metrics?.text()) ?? '';
    const lag = [...text.matchAll(/^holdfast_stream_lag_messages\{stream="(\w+)"\} (\d+)/gm)].reduce(
      (sum, [, , each]) => sum + Number(each),
      0,
    );
    const stalled = stalledOutbox(text);
    if (stalled !== undefined) return { what, state: 'warning', ...stalled };
    if (lag > 10_000)
      return {
        what,
        state: 'warning',
        says: `is ready, but ${lag} facts wait to be folded`,
        remedy: 'if this grows, add a node',
      };
    return { what, state: 'good', says: `is ready, lag ${lag}, clock within ${CLOCK_SKEW_MS} ms`, remedy: '' };
  } catch (error) {
    return {
      what,
      state: 'warning',
      says: `its HTTP cannot be reached from here: ${(error as Error).message}`,
      remedy: 'check --http and the network between',
    };
  }
}
