/** Nodes in this process on real servers, for tests of the live feed. */

import { vi } from 'vitest';
import { loadSettings } from '../../../config/load-settings.ts';
import { until } from '../../../harness/until.ts';
import { type RunningNode, startNode } from '../../../src/node/node.ts';
import { createLog } from '../../../src/process/log.ts';
import type { ServerHandle } from '../../../src/servers/local-server.ts';

export interface LiveNode extends RunningNode {
  readonly url: string;
}

export async function liveNode(
  servers: { readonly nats: ServerHandle; readonly redis: ServerHandle },
  name: string,
  more: Readonly<Record<string, string>> = {},
): Promise<LiveNode> {
  const settings = loadSettings(
    {
      nats: servers.nats.url,
      redis: servers.redis.url,
      http: '127.0.0.1:0',
      name,
      logLevel: 'silent',
      leaseTtl: '3s',
      snapshotInterval: '300ms',
      partitions: '8',
      ...more,
    },
    {},
  );
  const node = await startNode(settings, createLog({ level: 'silent', name }));
  return { ...node, url: `http://${node.http}` };
}

/** Waits until the nodes share all partitions and each owns some. */
export async function shared(...nodes: readonly LiveNode[]): Promise<void> {
  await until(
    () => {
      const all = nodes.map((node) => node.engine.readiness);
      return (
        all.every(({ ready, owned }) => ready && owned > 0) && all.reduce((sum, { owned }) => sum + owned, 0) === 8
      );
    },
    60_000,
    () => JSON.stringify(nodes.map((node) => node.engine.readiness)),
  );
}

let count = 0;
/** A fact that happens now. Ids never repeat. */
export function fact(type: string, sku: string, location: string, fields: Readonly<Record<string, unknown>>) {
  count += 1;
  return { id: `live:${process.pid}:${count}`, type, sku, location, occurredAt: new Date().toISOString(), ...fields };
}

export async function send(url: string, ...facts: readonly object[]): Promise<void> {
  await vi.waitFor(
    async () => {
      const answer = await fetch(`${url}/v1/facts`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(facts),
      });
      const body = (await answer.json()) as { accepted: number; duplicates: number };
      if (answer.status !== 200 || body.accepted + body.duplicates !== facts.length)
        throw new Error(`${answer.status} ${JSON.stringify(body)}`);
    },
    { timeout: 30_000 },
  );
}
