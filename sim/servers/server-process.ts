/**
 * The process around the log server. It may be down or paused. While it is paused, requests wait and are executed later, possibly long
 * after their caller has timed out.
 */
import { JOURNAL_STREAM } from '../../config/topology.ts';
import { BrokerError } from '../../streams/broker.ts';
import type { Consumer, MemoryLog } from '../../streams/memory/log.ts';
import type { Random } from '../../streams/random.ts';
import type { Scheduler } from '../scheduler.ts';

const HEARTBEAT_MS = 500;

export class ServerProcess {
  readonly log: MemoryLog;
  readonly mode: 'single' | 'cluster';
  /** Incremented by each crash. */
  generation = 1;
  /** Largest message that JOURNAL accepts, in bytes, like max_msg_size. */
  maxRecordBytes = Number.POSITIVE_INFINITY;
  /** Largest message that it accepts, in bytes. */
  maxPayloadBytes = 8 * 1024 * 1024;
  /** When each stream has room again, in virtual milliseconds. */
  readonly #fullUntil = new Map<string, number>();
  #state: 'up' | 'paused' | 'down' = 'up';
  #waiting: (() => void)[] = [];
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  /** Called when the server is up again. */
  readonly onUp = new Set<() => void>();

  constructor(log: MemoryLog, mode: 'single' | 'cluster', scheduler: Scheduler, random: Random) {
    this.log = log;
    this.mode = mode;
    this.#scheduler = scheduler;
    this.#random = random;
    log.hear((stream) => {
      for (const consumer of log.consumers) if (consumer.stream === stream) this.#wake(consumer);
    });
    this.#beat();
  }

  get up(): boolean {
    return this.#state === 'up';
  }

  /** Delivers a client's message. */
  reach(work: () => void): void {
    if (this.#state === 'up') work();
    else if (this.#state === 'paused') this.#waiting.push(work);
  }

  /** Stores the message and answers with its sequence or the error. In a cluster the replicas must agree first. */
  publish(
    { stream, stored }: { stream: string; stored: string },
    data: Uint8Array,
    options: { headers: Readonly<Record<string, string>>; expectLast: number | undefined },
    answer: (outcome: number | Error) => void,
  ): void {
    const store = () => this.log.store(stream, stored, data, options.headers);
    try {
      const most = stream === JOURNAL_STREAM ? this.maxRecordBytes : this.maxPayloadBytes;
      if (data.length > most) throw new BrokerError('too-large', `${data.length} bytes`);
      if ((this.#fullUntil.get(stream) ?? 0) > this.#scheduler.nowMs)
        throw new BrokerError('full', `${stream} has no room`);
      this.log.expect(stream, stored, options.expectLast);
    } catch (error) {
      answer(error as Error);
      return;
    }
    if (this.mode === 'single') {
      answer(store());
      return;
    }
    this.log.propose(stream, stored, 1);
    const { generation } = this;
    this.#scheduler.after(this.#random.between(0.5, 4), () => {
      if (generation === this.generation) {
        this.log.propose(stream, stored, -1);
        answer(store());
        return;
      }
      // The leader died. Its successor may or may not have the entry, and no caller gets an answer.
      if (!this.#random.chance(0.5)) return;
      try {
        this.log.expect(stream, stored, options.expectLast);
        store();
      } catch {
        // Another message was stored first.
      }
    });
  }

  add(consumer: Consumer): void {
    this.log.consumers.add(consumer);
    this.#wake(consumer);
  }

  /** Leaves a stream without room for so many milliseconds. */
  fill(stream: string, ms: number): void {
    this.#fullUntil.set(stream, Math.max(this.#fullUntil.get(stream) ?? 0, this.#scheduler.nowMs + ms));
  }

  makeRoom(): void {
    this.#fullUntil.clear();
  }

  pause(): void {
    if (this.#state === 'up') this.#state = 'paused';
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'up';
    for (const work of this.#waiting.splice(0)) this.#scheduler.after(0, () => this.reach(work));
    for (const consumer of this.log.consumers) this.#wake(consumer);
  }

  crash(): void {
    this.#state = 'down';
    this.#waiting = [];
    this.generation += 1;
    this.log.crash();
  }

  start(): void {
    if (this.#state !== 'down') return;
    this.#state = 'up';
    for (const tell of this.onUp) tell();
  }

  #wake(consumer: Consumer): void {
    this.#scheduler.after(this.#random.between(0, 0.5), () => {
      if (this.#state !== 'up' || !this.log.consumers.has(consumer)) return;
      this.log.pump(consumer, this.#random.whole(1, 40));
      if (consumer.next <= (this.log.info(consumer.stream)?.lastSeq ?? 0)) this.#wake(consumer);
    });
  }

  #beat(): void {
    this.#scheduler.after(HEARTBEAT_MS, () => {
      if (this.#state === 'up') for (const consumer of this.log.consumers) consumer.beat();
      this.#beat();
    });
  }
}
