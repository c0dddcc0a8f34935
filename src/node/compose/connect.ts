/** How a node reaches its servers and the other nodes, and where it listens. Each rejects with a sentence for people. */

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

/** Waits until another process of this name is surely gone; refuses if it lives. */
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

/** A scheme says what is expected of this node: it must not listen with less. */
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
