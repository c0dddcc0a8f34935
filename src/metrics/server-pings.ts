/**
 * Pings NATS and Redis every few seconds, so that metrics show how a node sees the servers that it needs.
 *
 * Invariants:
 *  SP1 At most one ping to a server is in flight. A ping that takes longer than the interval counts as unanswered.
 *  SP2 No decision depends on the pings. The lease, the journal and the snapshots detect failures themselves.
 */
import { type MeasuredServer, SERVERS } from './families.ts';
import type { Metrics } from './metrics.ts';

const PING_EVERY_MS = 5_000;

export type Pings = Readonly<Record<MeasuredServer, () => Promise<unknown>>>;

/** Starts the pings (SP1). The returned function stops them. */
// Only metrics read the results (SP2).
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
