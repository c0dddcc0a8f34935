/** Connects a node to NATS, waits for the lease of a namesake, and starts HTTP. The messages of errors are written for people. */

import { setTimeout as delay } from 'node:timers/promises';
import type { Ownership } from '../../../actors/ownership/ownership.ts';
import type { Settings } from '../../../config/settings.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import type { ConnectError, NatsLogin } from '../../../streams/nats/login.ts';
import type { buildHttp } from '../../http/server.ts';

export async function connectBroker(login: NatsLogin, name: string): Promise<NatsBroker> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await NatsBroker.connect(login, name);
    } catch (error) {
      if (attempt >= 10 || (error as ConnectError).final) throw error;
      await delay(500);
    }
  }
}

/** Waits until no other process of this name is left. Rejects if one renews its lease or outlasts it. */
export async function awaitNamesake(ownership: Ownership, settings: Settings): Promise<void> {
  const until = performance.now() + settings.leaseTtl + 1_000;
  const first = await ownership.namesake();
  while (performance.now() < until) {
    const other = await ownership.namesake();
    if (other === undefined) return;
    if (first !== undefined && other.renewed !== first.renewed) break;
    await delay(200);
  }
  throw new Error(
    `another node named "${settings.name}" is alive on this NATS; give each node a name of its own (--name, HOLDFAST_NAME)`,
  );
}

/** The address without its scheme. Throws for https:// without a certificate, because the node must not listen in plain text then. */
export function listenAddress({ http, tlsCert }: Settings): string {
  if (http.startsWith('https://') && tlsCert === undefined)
    throw new Error(`HTTP cannot listen on ${http} without HOLDFAST_TLS_CERT_FILE and HOLDFAST_TLS_KEY_FILE`);
  return http.replace(/^https?:\/\//, '');
}

export async function listen(
  server: Pick<ReturnType<typeof buildHttp>, 'listen' | 'server'>,
  address: string,
): Promise<string> {
  const split = address.lastIndexOf(':');
  const host = address.slice(0, split).replace(/^\[|\]$/g, '');
  try {
    await server.listen({ host, port: Number(address.slice(split + 1)) });
  } catch (error) {
    throw new Error(`HTTP cannot listen on ${address}: ${(error as Error).message}; choose another --http HOST:PORT`, {
      cause: error,
    });
  }
  const bound = server.server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
