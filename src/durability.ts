/**
 * What the promise is worth on these servers, in one line. "On disk before the answer" holds through a power cut only if the server
 * syncs before it acknowledges (sync_interval: always); only its monitoring address tells.
 */
import type { Settings } from '../config/settings.ts';
import type { NatsBroker } from '../streams/connection.ts';

const OLDEST = [2, 12] as const;

/** The line for the log; throws when the server is too old, or when durability is strict and not proven. */
export async function checkDurability(broker: NatsBroker, settings: Settings): Promise<string> {
  const { version } = broker.server;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw new Error(`nats-server ${version} is too old: ${OLDEST.join('.')} or newer is needed`);
  }
  const sync = await syncAlways(settings);
  const kept = settings.replicas > 1 ? `${settings.replicas} copies` : 'one copy';
  if (sync === true)
    return `durability: every answer is on disk (${kept}, sync always); it holds through a killed process and a power cut`;
  const why =
    sync === false
      ? 'the server acknowledges before it syncs to disk'
      : `the server's setting cannot be read (${settings.natsMonitor})`;
  if (settings.durability === 'strict') {
    throw new Error(
      `durability is strict, but ${why}; set sync_interval: always in nats.conf, and NATS_MONITOR_URL to its monitoring address`,
    );
  }
  return `durability: relaxed (${kept}); ${why}, so answers hold through a killed process, but a power cut may lose the newest`;
}

async function syncAlways(settings: Settings): Promise<boolean | undefined> {
  try {
    const response = await fetch(new URL('/jsz?config=true', settings.natsMonitor), {
      signal: AbortSignal.timeout(2_000),
    });
    const body = (await response.json()) as { config?: { sync_always?: boolean } };
    return body.config?.sync_always === true;
  } catch {
    return undefined;
  }
}
