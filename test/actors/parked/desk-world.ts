/** Parked facts in memory, and desks of several nodes that work through them. */

import { Rules } from '../../../actors/idempotency/rules.ts';
import { ParkedDesk } from '../../../actors/parked/desk.ts';
import { RULES_VERSION } from '../../../config/rules.ts';
import { SteadyClock } from '../../../src/process/steady-clock.ts';
import type { Broker } from '../../../streams/broker.ts';
import type { Clock } from '../../../streams/clock.ts';
import { type ParkReason, park } from '../../../streams/fact/parked/parked.ts';
import { sentAsJson } from '../../../streams/fact/sent-body.ts';
import { MemoryBroker } from '../../../streams/memory/broker.ts';
import { MemoryLog } from '../../../streams/memory/log.ts';

export const PARTITIONS = 8;
const DAY_MS = 86_400_000;

export class DeskWorld {
  /** How far all clocks are ahead of the machine's. */
  aheadMs = 0;
  readonly clock: Clock;
  readonly log: MemoryLog;
  readonly broker: Broker;
  readonly trouble: string[] = [];
  /** Called before each publish. It may throw. */
  beforePublish: (subject: string) => void = () => undefined;
  #nonces = 0;
  #sources = 0;

  constructor() {
    const steady = new SteadyClock();
    this.clock = {
      nowMs: () => steady.nowMs() + this.aheadMs,
      monoMs: () => steady.monoMs(),
      after: (ms, call) => steady.after(ms, call),
      turn: (call) => steady.turn(call),
    };
    this.log = new MemoryLog(PARTITIONS, () => this.clock.nowMs());
    const broker = new MemoryBroker(this.log, this.clock);
    this.broker = {
      server: broker.server,
      publish: async (subject, data, options) => {
        this.beforePublish(subject);
        return broker.publish(subject, data, options);
      },
      stream: (name) => broker.stream(name),
      annotate: (stream, metadata) => broker.annotate(stream, metadata),
      lastOn: (stream, subject) => broker.lastOn(stream, subject),
      message: (stream, seq) => broker.message(stream, seq),
      follow: (stream, options, handlers) => broker.follow(stream, options, handlers),
    };
  }

  /** The desk of another node. */
  desk(serves: (partition: number) => boolean = () => true): ParkedDesk {
    return new ParkedDesk({
      broker: this.broker,
      clock: this.clock,
      partitions: PARTITIONS,
      rules: new Rules([{ from: {}, horizonMs: 7 * DAY_MS, slackMs: 0, version: RULES_VERSION }]),
      nonce: () => `n${++this.#nonces}`,
      resubmitsByHeader: () => false,
      serves,
      trouble: (why) => this.trouble.push(why),
    });
  }

  receipt(id: string, more: object = {}): Record<string, unknown> {
    const occurredAt = '2020-01-01T00:00:00Z';
    return { id, type: 'receipt', sku: 'A', location: 'dc', device: 'd1', occurredAt, qty: 1, ...more };
  }

  /** Parks a fact, or bytes, from a new message, and returns the entry's sequence. @param mark quoted by that message */
  async park(fact: object | string, reason: ParkReason = 'too-old', mark?: string): Promise<number> {
    const bytes = typeof fact === 'string' ? Buffer.from(fact) : sentAsJson(fact).bytes;
    const source = `RECEIPTS.${++this.#sources}`;
    const subject = 'receipt.3.dc.A';
    await park(this.broker, { source, subject, reason, message: 'why', contentType: undefined, bytes, mark });
    return (await this.broker.lastOn('PARKED', `parked.${source}`))?.seq ?? 0;
  }

  /** Facts that were sent again, as the streams hold them. */
  get sent(): { id: string; mark: string | undefined }[] {
    return (this.log.streams.get('RECEIPTS')?.messages ?? [])
      .concat(this.log.streams.get('COUNTS')?.messages ?? [])
      .map(({ data, headers }) => ({ id: JSON.parse(String(data)).id, mark: headers['Holdfast-Mark'] }));
  }

  get sentIds(): string[] {
    return this.sent.map(({ id }) => id).sort();
  }
}
