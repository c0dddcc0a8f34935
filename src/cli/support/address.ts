/**
 * Finds the node that a command asks. It tries the configured address (flag, environment, config file), then a running `up`, then any live
 * node on NATS, then the default address.
 */
import { isGiven, loadSettings } from '../../../config/load-settings.ts';
import type { Settings } from '../../../config/settings.ts';
import { ConnectError } from '../../../streams/nats/login.ts';
import { discoverHttp, type RunFile, readRunFile } from '../../operate/discover.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Limit for the search over NATS, so that a dead server does not keep a person waiting. */
const DISCOVERY_MS = 3_000;

/** Resolves with HOST:PORT or https://HOST:PORT. */
export async function findHttp(flag: string | undefined, env: Env): Promise<string> {
  const settings = loadSettings({ http: flag }, env);
  // With port 0 the system chooses the port, so the setting does not name the node's address.
  if (isGiven('http', { http: flag }, env) && !settings.http.endsWith(':0')) return reachable(settings.http);
  const run = readRunFile(settings.data);
  if (run !== undefined) return reachable(run.http);
  const found = await withinTime(discoverHttp(settings));
  return reachable(found ?? (settings.http.endsWith(':0') ? '127.0.0.1:8080' : settings.http));
}

/** The running `up`; undefined if none runs, or if a setting names a server. */
export function runningUp(
  flags: { nats?: string | undefined; redis?: string | undefined },
  env: Env,
  settings: Settings,
): RunFile | undefined {
  if (isGiven('nats', flags, env) || isGiven('redis', flags, env)) return undefined;
  return readRunFile(settings.data);
}

/** Replaces a wildcard address by 127.0.0.1, because a client cannot connect to all addresses. */
function reachable(hostPort: string): string {
  return hostPort.replace(/^(https?:\/\/)?(?:0\.0\.0\.0|\[::\]):/, '$1127.0.0.1:');
}

async function withinTime(search: Promise<string | undefined>): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), DISCOVERY_MS);
  });
  try {
    return await Promise.race([search.catch(refusalOnly), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Ignores that NATS cannot be reached, because a default follows. Rethrows a refused login, because the user must know. */
function refusalOnly(error: unknown): undefined {
  if (error instanceof ConnectError) throw error;
}
