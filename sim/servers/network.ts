/** The parts of its world that a simulated node uses. */

import type { Random } from '../../streams/random.ts';
import type { Host } from '../host.ts';
import type { Options } from '../options.ts';
import type { Scheduler } from '../scheduler.ts';
import type { Link } from './link.ts';
import type { ServerProcess } from './server-process.ts';
import type { Shelves } from './store.ts';

/** A node as other nodes reach it. */
export interface Peer {
  readonly host: Host;
  readonly link: Link;
  serve(partition: number, bytes: Uint8Array, answer: (bytes: Uint8Array) => void): void;
}

export interface Subscriber {
  readonly node: Peer;
  readonly host: Host;
}

export interface Network {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly options: Options;
  readonly server: ServerProcess;
  readonly shelves: Shelves;
  /** Every process that was ever started, by its writer name. */
  readonly processes: Map<string, Host>;
  isDead(process: string): boolean;
  /** Reports a violation. */
  fail(what: string): void;
  note(text: string): void;
  subscribe(node: Peer, host: Host, numbers: readonly number[]): void;
  unsubscribe(node: Peer): void;
  subscribers(partition: number): Subscriber[];
}
