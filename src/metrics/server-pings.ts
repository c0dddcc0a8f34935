/**
 * How the servers that a node needs look from it: a ping to NATS and to Redis every few seconds, for metrics.
 *
 * Invariants:
 *  SP1 One ping to a server is on its way at a time; one that takes longer than the interval counts as not answered.
 *  SP2 Nothing is decided by it: a node's lease, its journal and its snapshots find out by themselves.
 */
import { type MeasuredServer, SERVERS } from './families.ts';
import type { Metrics } from './metrics.ts';

const PING_EVERY_MS = 5_000;

export type Pings = Readonly<Record<MeasuredServer, () => Promise<unknown>>>;

/** Begins to ping; the returned function ends it (SP1). */
// It only tells metrics (SP2).
export function pingServers(pings: Pings, metrics: Metrics): () => void {
  const stops = SERVERS.map((server) => {
    let onItsWay = false;
    const ping = async () => {
      if (onItsWay) return metrics.serverPinged(server, undefined);
      onItsWay = true;
      const start = performance.now();
      try {
        await pings[server]();
        metrics.serverPinged(server, (performance.now() - start) / 1000);
      } catch {
        metrics.serverPinged(server, undefined);
      } finally {
        onItsWay = false;
      }
    };
    const pingSoon = () => {
      ping().catch(() => undefined);
    };
    pingSoon();
    const timer = setInterval(pingSoon, PING_EVERY_MS);
    timer.unref();
    return () => clearInterval(timer);
  });
  return () => {
    for (const stop of stops) stop();
  };
}
