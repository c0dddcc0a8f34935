/**
 * `holdfast quarantine` shows which partitions are not served and why, shows the message at which reading stops, and records a person's
 * judgement to skip it. It asks the nodes only for their quarantine, and reads the streams itself.
 */
import { type Judgement, judge, skipOf } from '../../actors/log/judge.ts';
import { type Skip, Skips } from '../../actors/log/skips.ts';
import type { Quarantined } from '../../actors/ports/ports.ts';
import type { Settings } from '../../config/settings.ts';
import { NODES_BUCKET, SKIPS_BUCKET } from '../../config/topology.ts';
import type { NatsBroker } from '../../streams/nats/broker.ts';
import { baseUrl } from '../client/base-url.ts';
import { SteadyClock } from '../process/steady-clock.ts';
import type { LiveNode } from './ownership-view.ts';
import { withBroker, writersOf } from './retention-commands.ts';

const clock = new SteadyClock();
/** How long to wait for the answer of a node. */
const NODE_MS = 3_000;

export interface QuarantineList {
  readonly quarantined: readonly (Quarantined & { readonly node: string })[];
  /** Names of the nodes that did not answer. */
  readonly silent: readonly string[];
  /** Places that people have already decided to skip. */
  readonly skips: readonly Skip[];
}

export async function listQuarantine(settings: Settings): Promise<QuarantineList> {
  return withBroker(settings, async (broker) => {
    const nodes = await broker.keys(NODES_BUCKET, { ttlMs: settings.leaseTtl, replicas: settings.replicas });
    const live = (await nodes.all()).map(({ value }) => JSON.parse(value) as LiveNode);
    const asked = await Promise.all(live.map(async (node) => ({ node: node.name, held: await heldBy(node) })));
    const { list: skips } = await Skips.read(await skipsOf(broker, settings));
    return {
      quarantined: asked.flatMap(({ node, held }) => (held ?? []).map((each) => ({ node, ...each }))),
      silent: asked.flatMap(({ node, held }) => (held === undefined ? [node] : [])),
      skips,
    };
  });
}

export async function showPlace(settings: Settings, stream: string, seq: number): Promise<Judgement> {
  return withBroker(settings, (broker) => judgePlace(broker, settings, stream, seq));
}

/** Records that the place is skipped. Rejects with a message for people if it may not be. */
export async function skipPlace(
  settings: Settings,
  stream: string,
  seq: number,
  said: { readonly by: string; readonly why: string },
): Promise<Skip> {
  return withBroker(settings, async (broker) => {
    const judgement = await judgePlace(broker, settings, stream, seq);
    if (!judgement.stops) throw new Error(`${stream}.${seq} is not skipped: ${judgement.says}`);
    const skip = skipOf(judgement, { ...said, at: new Date().toISOString() });
    await Skips.add(await skipsOf(broker, settings), skip);
    return skip;
  });
}

async function judgePlace(broker: NatsBroker, settings: Settings, stream: string, seq: number): Promise<Judgement> {
  return judge({ broker, clock }, await (await writersOf(broker, settings)).read(), stream, seq);
}

function skipsOf(broker: NatsBroker, { replicas }: Settings) {
  return broker.keys(SKIPS_BUCKET, { replicas });
}

/** The partitions that a node holds in quarantine; undefined if it does not answer. */
async function heldBy({ http }: LiveNode): Promise<readonly Quarantined[] | undefined> {
  try {
    const answer = await fetch(`${baseUrl(http)}/readyz`, { signal: AbortSignal.timeout(NODE_MS) });
    return ((await answer.json()) as { quarantined?: readonly Quarantined[] }).quarantined ?? [];
  } catch {
    return undefined;
  }
}
