/** Three nodes that share the partitions, one of them behind a link that can be cut, and callers that ask them in turn. */
import { expect } from 'vitest';
import { type Answer, ask, askUntilDecided } from '../../../../harness/callers/http-caller.ts';
import { NodeProcess } from '../../../../harness/processes/node-process.ts';
import { TcpProxy } from '../../../../harness/proxy.ts';
import { freshNats, freshRedis } from '../../../../harness/servers/servers.ts';
import { until } from '../../../../harness/until.ts';
import type { ServerHandle } from '../../../../src/servers/local-server.ts';
import { partitionOf } from '../../../../streams/subjects.ts';

export const PARTITIONS = 8;
/** The keys of the nodes last as long. Their leases are shorter. */
export const LEASE_MS = 3_000;

export class ThreeNodes {
  readonly nats: ServerHandle;
  readonly redis: ServerHandle;
  readonly nodes: readonly NodeProcess[];
  /** The link of the third node to NATS. */
  readonly link: TcpProxy;
  #serial = 0;

  private constructor(nats: ServerHandle, redis: ServerHandle, nodes: readonly NodeProcess[], link: TcpProxy) {
    this.nats = nats;
    this.redis = redis;
    this.nodes = nodes;
    this.link = link;
  }

  static async up(): Promise<ThreeNodes> {
    const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
    const link = await TcpProxy.to(nats.port);
    const env = { HOLDFAST_PARTITIONS: String(PARTITIONS), HOLDFAST_LEASE: `${LEASE_MS}ms` };
    const cut = { ...env, NATS_URL: `nats://127.0.0.1:${link.port}` };
    // Of eight partitions, every one of these names gets some.
    const nodes = await Promise.all(
      ['one', 'two', 'cut'].map((name) => NodeProcess.at({ nats, redis }, { name, env: name === 'cut' ? cut : env })),
    );
    for (const node of nodes) await node.up();
    const three = new ThreeNodes(nats, redis, nodes, link);
    await three.allShare();
    return three;
  }

  /** Waits until each node serves partitions, and all are served. */
  async allShare(): Promise<void> {
    const shared = async () => {
      const owned = await Promise.all(this.nodes.map(async (node) => (await node.readiness())?.owned ?? 0));
      return owned.every((each) => each > 0) && owned.reduce((sum, each) => sum + each, 0) === PARTITIONS;
    };
    await until(shared, 60_000, () => this.nodes.map((node) => node.tail(3)).join('\n'));
  }

  node(index: number): NodeProcess {
    return this.nodes[index % 3] as NodeProcess;
  }

  /** A name that nothing has yet. @param partition whose partition it is, if that matters */
  fresh(what: string, partition?: number): string {
    for (;;) {
      const name = `${what}-${++this.#serial}`;
      if (partition === undefined || partitionOf(name, PARTITIONS) === partition) return name;
    }
  }

  /** The next node in turn. */
  get next(): NodeProcess {
    return this.node(++this.#serial);
  }

  asked(method: string, path: string, body?: unknown): Promise<Answer> {
    return askUntilDecided(() => this.next.url, method, path, body);
  }

  put(sku: string, location: string, body: unknown): Promise<Answer> {
    return this.asked('PUT', policyPath(sku, location), body);
  }

  effective(sku: string, location: string, at = this.next): Promise<Answer> {
    return ask(at.url, 'GET', `${policyPath(sku, location)}/effective`);
  }

  async receive(sku: string, location: string, qty: number): Promise<void> {
    const occurredAt = new Date().toISOString();
    const fact = { id: this.fresh('f'), type: 'receipt', sku, location, qty, occurredAt };
    expect((await this.asked('POST', '/v1/facts', fact)).body).toMatchObject({ accepted: 1 });
  }

  async stock(sku: string, location: string): Promise<Answer['body']> {
    return (await this.asked('GET', `/v1/stock/${sku}/${location}`)).body;
  }

  /** Asks with an If-Match. */
  async matching(etag: string, method: string, path: string, body?: unknown): Promise<Omit<Answer, 'headers'>> {
    const response = await fetch(`${this.next.url}${path}`, {
      method,
      headers: { 'If-Match': etag, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  }
}

export function policyPath(sku: string, location: string): string {
  return `/v1/policies/${encodeURIComponent(sku)}/${encodeURIComponent(location)}`;
}
export const etagOf = ({ headers }: Pick<Answer, 'headers'>) => headers.get('etag') ?? '';
