/** The channel of a node that `up --nodes N` has started to the process that started it (src/up/child-nodes.ts). */
import { FACT_STREAM_NAMES } from '../../config/topology.ts';
import type { RunningNode } from './node.ts';

/** What a sibling tells its parent: where it listens, and then how many messages it has still to fold. */
export interface Report {
  readonly http: string;
  readonly address: string;
  readonly lagMessages: number;
}

/** In a sibling's environment: others too may run a node with a channel to themselves. */
export const CHILD_MARK = 'HOLDFAST_SIBLING';
export const isChildNode = () => process.env[CHILD_MARK] === '1' && process.send !== undefined;

const REPORT_EVERY_MS = 1_000;
/** A sibling whose parent has gone, and its servers with it, may find nobody to hand its partitions to. */
const ORPHAN_STOPS_WITHIN_MS = 20_000;

/** In a sibling: tells the parent how it does. Does nothing in a process without one. Returns what ends it. */
export function reportToParent(node: RunningNode): () => void {
  if (!isChildNode()) return () => undefined;
  const report = () => {
    if (!process.connected) return;
    const lagMessages = FACT_STREAM_NAMES.reduce((sum, stream) => sum + node.engine.lag(stream), 0);
    const said: Report = { http: node.http, address: node.address, lagMessages };
    // A parent that has just gone is noticed by parentGone.
    process.send?.(said, () => undefined);
  };
  report();
  const timer = setInterval(report, REPORT_EVERY_MS);
  return () => clearInterval(timer);
}

/** In a sibling: resolves when its parent has gone (CD1). Never in a process without one. */
export function parentGone(): Promise<void> {
  return new Promise((resolve) => {
    if (!isChildNode()) return;
    process.once('disconnect', () => {
      setTimeout(() => process.exit(1), ORPHAN_STOPS_WITHIN_MS).unref();
      resolve();
    });
  });
}
