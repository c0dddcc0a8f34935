/** Checks as a client whether every partition is served, with one SKU of each partition. */

import { ask, askUntilDecided } from '../../harness/callers/http-caller.ts';
import type { NodeProcess } from '../../harness/processes/node-process.ts';
import { until } from '../../harness/until.ts';
import { partitionOf } from '../../streams/subjects.ts';

export const PARTITIONS = 32;

/** One SKU per partition. */
export function probeSkus(count = PARTITIONS): string[] {
  const found = new Map<number, string>();
  for (let i = 0; found.size < count; i++) {
    const sku = `PROBE-${i}`;
    if (!found.has(partitionOf(sku, count))) found.set(partitionOf(sku, count), sku);
  }
  return [...found.values()];
}

/** Books a receipt of every SKU, so that its ATP is answered with 200. */
export async function stockProbes(url: string, skus: readonly string[], qty = 1): Promise<void> {
  const occurredAt = new Date().toISOString();
  const facts = skus.map((sku) => ({ id: `probe-${sku}`, type: 'receipt', sku, location: 'x', occurredAt, qty }));
  const { status, body } = await askUntilDecided(() => url, 'POST', '/v1/facts', facts);
  if (status !== 200 || body.rejected.length > 0) throw new Error(`probes: ${status} ${JSON.stringify(body)}`);
}

/** Milliseconds until one request that covers all partitions is answered with 200. */
export async function untilServed(url: string, skus: readonly string[], withinMs: number): Promise<number> {
  const began = performance.now();
  const lines = skus.map((sku) => ({ sku }));
  await until(
    async () => (await ask(url, 'POST', '/v1/atp', { lines }, 1_000)).status === 200,
    withinMs,
    () => 'every partition is served',
    10,
  );
  return performance.now() - began;
}

/** Waits until all nodes are ready and together own all partitions. */
export async function balanced(nodes: readonly NodeProcess[], withinMs = 120_000): Promise<void> {
  let last: unknown;
  await until(
    async () => {
      const all = await Promise.all(nodes.map((node) => node.readiness()));
      last = all;
      return (
        all.every((each) => each?.ready === true && each.owned > 0) &&
        all.reduce((sum, each) => sum + (each?.owned ?? 0), 0) === PARTITIONS
      );
    },
    withinMs,
    () => `${nodes.length} nodes own all partitions: ${JSON.stringify(last)}`,
  );
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
