/**
 * Where a command finds a node: what it was told (flag, environment, config file), else a running `up`, else any live node
 * on NATS, else the default address.
 */
import { isGiven, loadSettings } from '../../../config/load-settings.ts';
import type { Settings } from '../../../config/settings.ts';
import { ConnectError } from '../../../streams/nats/login.ts';
import { discoverHttp, type RunFile, readRunFile } from '../../operate/discover.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** NATS that does not answer must not hold a person up. */
const DISCOVERY_MS = 3_000;

/** HOST:PORT or https://HOST:PORT. */
export async function findHttp(flag: string | undefined, env: Env): Promise<string> {
  const settings = loadSettings({ http: flag }, env);
  // Port 0 says where a node may listen, not where it does.
  if (isGiven('http', { http: flag }, env) && !settings.http.endsWith(':0')) return reachable(settings.http);
  const run = readRunFile(settings.data);
  if (run !== undefined) return reachable(run.http);
  const found = await withinTime(discoverHttp(settings));
  return reachable(found ?? (settings.http.endsWith(':0') ? '127.0.0.1:8080' : settings.http));
}

/** The running `up`, unless servers were named. */
export function runningUp(
  flags: { nats?: string | undefined; redis?: string | undefined },
  env: Env,
  settings: Settings,
): RunFile | undefined {
  if (isGiven('nats', flags, env) || isGiven('redis', flags, env)) return undefined;
  return readRunFile(settings.data);
}

/** A node that listens on every address is asked on this machine's own. */
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

/** NATS that is away leaves the default; one that refuses the login is worth saying. */
function refusalOnly(error: unknown): undefined {
  if (error instanceof ConnectError) throw error;
}
