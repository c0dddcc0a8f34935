/** The channel from a node that `up --nodes N` started (a child node) to its parent process (src/up/child-nodes.ts). */
import { FACT_STREAM_NAMES } from '../../config/topology.ts';
import type { RunningNode } from './node.ts';

/** A child node's report to its parent: where it listens, and how many messages it has yet to fold. */
export interface Report {
  readonly http: string;
  readonly address: string;
  readonly lagMessages: number;
}

/** Set in a child node's environment, because any other program may also start a node with an IPC channel. */
export const CHILD_MARK = 'HOLDFAST_CHILD';
export const isChildNode = () => process.env[CHILD_MARK] === '1' && process.send !== undefined;

const REPORT_EVERY_MS = 1_000;
/** Limit for a child node's stop after its parent is gone. The servers may be gone too, and then the hand-back cannot finish. */
const ORPHAN_STOPS_WITHIN_MS = 20_000;

/** Reports from a child node to its parent periodically. Does nothing in any other process. Returns a function that ends the reports. */
export function reportToParent(node: RunningNode): () => void {
  if (!isChildNode()) return () => undefined;
  const report = () => {
    if (!process.connected) return;
    const lagMessages = FACT_STREAM_NAMES.reduce((sum, stream) => sum + node.engine.lag(stream), 0);
    const said: Report = { http: node.http, address: node.address, lagMessages };
    // Errors are ignored, because parentGone notices a parent that is gone.
    process.send?.(said, () => undefined);
  };
  report();
  const timer = setInterval(report, REPORT_EVERY_MS);
  return () => clearInterval(timer);
}

/** Resolves in a child node when its parent is gone (CD1). Never resolves in any other process. */
export function parentGone(): Promise<void> {
  return new Promise((resolve) => {
    if (!isChildNode()) return;
    process.once('disconnect', () => {
      setTimeout(() => process.exit(1), ORPHAN_STOPS_WITHIN_MS).unref();
      resolve();
    });
  });
}
