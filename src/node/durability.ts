/**
 * Checks how durable an answer is on these NATS servers, and reports it in one line for the log. "On disk before the answer" survives a
 * power cut only if every server of the cluster syncs before it acknowledges (sync_interval: always). Only the monitoring addresses of
 * the servers report this setting.
 *
 * A node must be able to start while a server of the cluster is down, so a proven majority is enough, and the line names the servers that
 * did not answer. Strict durability refuses to start if a server answers but does not sync, or if NATS_MONITOR_URL omits a server.
 */
import { shownAddress } from '../../config/servers/secret.ts';
import type { Settings } from '../../config/settings.ts';
import { JOURNAL_STREAM } from '../../config/topology.ts';
import type { NatsBroker } from '../../streams/nats/broker.ts';

const OLDEST = [2, 12] as const;
const ANSWER_MS = 2_000;

export interface Durability {
  /** `proven`: every server syncs always. `partly`: a majority does, and the others are down. */
  readonly level: 'proven' | 'partly' | 'relaxed';
  /** One line for the log. */
  readonly says: string;
}

/** Throws if the server is too old, or if durability is strict and fewer than a majority of the servers prove it. */
export async function checkDurability(broker: NatsBroker, settings: Settings): Promise<Durability> {
  const { version } = broker.server;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw new Error(`nats-server ${version} is too old: ${OLDEST.join('.')} or newer is needed`);
  }
  const copies = await copiesOfJournal(broker, settings);
  const kept = copies > 1 ? `${copies} copies` : 'one copy';
  const { doubt, servers, silent } = await lookAt(settings.natsMonitor.reveal());
  if (doubt === undefined) {
    const synced = servers === 1 ? 'sync always' : `${servers} servers sync always`;
    const unseen = silent.length === 0 ? '' : `; ${silent.join(', ')} did not answer and must do so too when back`;
    return {
      level: silent.length === 0 ? 'proven' : 'partly',
      says: `durability: every answer is on disk (${kept}, ${synced}); it holds through a killed process and a power cut${unseen}`,
    };
  }
  if (settings.durability === 'strict') {
    throw new Error(
      `durability is strict, but ${doubt}; set sync_interval: always in nats.conf, and NATS_MONITOR_URL to the monitoring address of every server`,
    );
  }
  return {
    level: 'relaxed',
    says: `durability: relaxed (${kept}); ${doubt}, so answers hold through a killed process, but a power cut may lose the newest`,
  };
}

/** Replicas of the JOURNAL stream. Before the stream exists, the number that it will be created with. */
async function copiesOfJournal(broker: NatsBroker, settings: Settings): Promise<number> {
  const journal = await broker.stream(JOURNAL_STREAM).catch(() => undefined);
  return journal?.config.num_replicas ?? settings.replicas;
}

interface Look {
  /** Why we cannot prove that the servers sync before they acknowledge; undefined if we can. */
  readonly doubt: string | undefined;
  /** Number of servers that proved it. */
  readonly servers: number;
  /** Addresses that did not answer. */
  readonly silent: readonly string[];
}

async function lookAt(monitors: string): Promise<Look> {
  const addresses = [...new Set(monitors.split(',').map((each) => each.trim()))];
  const answers = await Promise.all(
    addresses.map(async (address) => ({ address: shownAddress(address), ...(await ask(address)) })),
  );
  const silent = answers.filter(({ id }) => id === undefined).map(({ address }) => address);
  const lazy = answers.filter(({ id, syncs }) => id !== undefined && syncs !== true).map(({ address }) => address);
  const servers = new Set(answers.flatMap(({ id, syncs }) => (id !== undefined && syncs === true ? [id] : []))).size;
  const size = Math.max(1, ...answers.map((answer) => answer.size ?? 1));
  const look = (doubt: string | undefined) => ({ doubt, servers, silent });
  if (silent.length === addresses.length) return look(`the server's setting cannot be read (${silent.join(', ')})`);
  if (lazy.length > 0)
    return look(
      size === 1
        ? 'the server acknowledges before it syncs to disk'
        : `${lazy.join(', ')} acknowledges before it syncs to disk`,
    );
  if (servers + silent.length < size)
    return look(`the cluster has ${size} servers and NATS_MONITOR_URL names ${servers + silent.length}`);
  if (servers <= size / 2)
    return look(`only ${servers} of the cluster's ${size} servers can be read (${silent.join(', ')} does not answer)`);
  return look(undefined);
}

interface Jsz {
  readonly server_id?: string;
  readonly config?: { readonly sync_always?: boolean };
  readonly meta_cluster?: { readonly cluster_size?: number };
}

async function ask(address: string): Promise<{ id?: string; syncs?: boolean; size?: number }> {
  try {
    const url = new URL('/jsz?config=true', address);
    const { username, password, host } = url;
    // fetch rejects a URL with a user and password, so they go into a header.
    const login = Buffer.from([username, password].map(decodeURIComponent).join(':')).toString('base64');
    Object.assign(url, { username: '', password: '' });
    const headers = username === '' && password === '' ? {} : { Authorization: `Basic ${login}` };
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(ANSWER_MS) });
    const { server_id: id = host, config, meta_cluster: meta } = (await response.json()) as Jsz;
    return { id, syncs: config?.sync_always === true, size: meta?.cluster_size ?? 1 };
  } catch {
    return {};
  }
}
