/**
 * Waits until a change of the policies is in force on every node: each live node has applied it, or its lease has ended.
 *
 * While changes wait, this node asks all nodes again and again how far they are. So neither a question nor an answer that is lost matters,
 * and one question serves all changes that wait here.
 *
 * Invariants:
 *  IF1 The nodes that a change waits for are read after the change is stored. A node that announces itself later reads the change before
 *      it answers (PY1).
 *  IF2 A start of a node is no longer waited for when it has left the nodes' bucket. Its lease ends before its key expires (OW2).
 */
import { z } from 'zod';
import { LIMITS } from '../../config/limits.ts';
import { type Clock, delay } from '../../streams/clock.ts';
import { fitted, MESSAGE_VERSION, packMessage, unpackMessage, version } from '../../streams/messages.ts';
import { POLICIES_ASKED_SUBJECT, policiesToldSubject } from '../../streams/subjects.ts';
import { UNDECIDED, undecided } from '../ports/refusal.ts';
import type { Revisions } from './policy-feed.ts';

const revision = z.int().min(0);
const writer = z.string().min(1).max(128);
const asked = z.object({ v: version, writer });
const told = z.object({ v: version, writer, applied: z.tuple([revision, revision]) });

/** Messages between nodes that are not stored. */
export interface Wire {
  send(subject: string, data: Uint8Array): void;
  listen(subject: string, listener: (data: Uint8Array) => void): { stop(): void };
}

export interface EverywhereDeps {
  readonly wire: Wire;
  readonly clock: Clock;
  /** Id of this start of this node. */
  readonly writer: string;
  /** Writers of the live nodes, read through the leader. */
  readonly live: () => Promise<readonly string[]>;
  /** The revisions that are in force on this node. */
  readonly applied: () => Revisions;
  /** Longest wait. Longer than it takes until a lease that is no longer renewed has ended. */
  readonly longestMs: number;
}

interface Waiting {
  readonly bucket: 0 | 1;
  readonly revision: number;
  readonly untilMs: number;
  /** Writers that have not said yet that the change is in force there; undefined until the live nodes are read. */
  missing: Set<string> | undefined;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

export class Everywhere {
  readonly #deps: EverywhereDeps;
  readonly #waiting = new Set<Waiting>();
  /** How far each live node is, as it said last. */
  readonly #heard = new Map<string, Revisions>();
  #listening: readonly { stop(): void }[] = [];
  #running = false;
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: EverywhereDeps) {
    this.#deps = deps;
  }

  /** Answers other nodes, and hears their answers. */
  start(): void {
    const { wire, writer: own, applied } = this.#deps;
    this.#listening = [
      wire.listen(POLICIES_ASKED_SUBJECT, (data) => {
        const { writer: reader } = fitted(asked, unpackMessage(data));
        if (reader === own) return;
        const answer = { v: MESSAGE_VERSION, writer: own, applied: applied() };
        wire.send(policiesToldSubject(reader), packMessage(answer));
      }),
      wire.listen(policiesToldSubject(own), (data) => {
        const { writer: node, applied: there } = fitted(told, unpackMessage(data));
        this.#told(node, there);
      }),
    ];
  }

  stop(): void {
    for (const each of this.#listening) each.stop();
    for (const waiting of this.#waiting) this.#end(waiting, () => waiting.failed(undecided(UNDECIDED.policy)));
  }

  /** Resolves when the revision is in force on every node. Rejects as undecided if that takes too long. */
  wait(bucket: 0 | 1, revision: number): Promise<void> {
    return new Promise((done, failed) => {
      const { clock, longestMs } = this.#deps;
      this.#waiting.add({ bucket, revision, untilMs: clock.monoMs() + longestMs, missing: undefined, done, failed });
      if (!this.#running) this.#run().catch(failed);
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (this.#waiting.size > 0) await this.#round();
    } finally {
      this.#running = false;
    }
  }

  async #round(): Promise<void> {
    const { clock, wire, writer: own, applied } = this.#deps;
    // The answers come while the live nodes are read.
    wire.send(POLICIES_ASKED_SUBJECT, packMessage({ v: MESSAGE_VERSION, writer: own }));
    const isNew = [...this.#waiting].some(({ missing }) => missing === undefined);
    if (isNew || clock.monoMs() - this.#readAtMs > LIMITS.policyLiveMs) await this.#readLive();
    this.#told(own, applied());
    if (this.#waiting.size > 0) await delay(clock, LIMITS.policyAskMs);
    const nowMs = clock.monoMs();
    for (const waiting of this.#waiting)
      if (nowMs > waiting.untilMs) this.#end(waiting, () => waiting.failed(undecided(UNDECIDED.policy)));
  }

  async #readLive(): Promise<void> {
    // Only changes that were stored before the read begins (IF1). The others wait for the next one.
    const before = [...this.#waiting];
    this.#readAtMs = this.#deps.clock.monoMs();
    const live = await this.#deps.live().catch(() => undefined);
    if (live === undefined) return;
    for (const node of this.#heard.keys()) if (!live.includes(node)) this.#heard.delete(node);
    for (const waiting of before) {
      const lacks = (node: string) => (this.#heard.get(node)?.[waiting.bucket] ?? 0) < waiting.revision;
      if (waiting.missing === undefined) waiting.missing = new Set(live.filter(lacks));
      // A lease that has ended cannot answer by an old policy (IF2).
      else for (const each of waiting.missing) if (!live.includes(each)) waiting.missing.delete(each);
      this.#look(waiting);
    }
  }

  #told(node: string, there: Revisions): void {
    this.#heard.set(node, there);
    for (const waiting of this.#waiting) {
      if (waiting.missing === undefined || there[waiting.bucket] < waiting.revision) continue;
      waiting.missing.delete(node);
      this.#look(waiting);
    }
  }

  #look(waiting: Waiting): void {
    if (waiting.missing?.size === 0) this.#end(waiting, waiting.done);
  }

  #end(waiting: Waiting, end: () => void): void {
    this.#waiting.delete(waiting);
    end();
  }
}
