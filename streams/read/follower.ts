/**
 * Follows one stream from a position until it is closed, across restarts of servers and lost connections. The follower keeps the
 * position itself and makes a new consumer after it whenever the present one can no longer be trusted.
 *
 * Invariants:
 *  FO1 Messages come in stream order, none twice and none left out. A gap in the delivery sequence makes the follower start again.
 *  FO2 It starts again after its position when it has heard nothing for followerSilenceMs, because an ephemeral consumer does not recover
 *     by itself when its server is killed. It also starts again after a broken connection, because messages in flight are lost.
 *  FO3 Without a filter, sequences are dense after the stream's first one. nats-server silently skips a message that it can no longer read,
 *     so a sequence that is left out twice is lost, and nothing after it is delivered. (With filters, the pending count then never
 *     reaches 0, so the end is not reached.)
 */
import { LIMITS } from '../../config/limits.ts';
import { type Broker, BrokerError, type FollowedMessage, type Following } from '../broker.ts';
import { type Clock, every } from '../clock.ts';

export interface FollowerHandlers {
  /** Returns `later` if it has paused the follower instead of taking the message. The message comes again after resume(). */
  readonly message: (message: FollowedMessage) => 'later' | undefined;
  /** Nothing is left to deliver for now. Everything up to this sequence of the stream has been seen. */
  readonly caughtUp: (lastSeq: number) => void;
  readonly restarted: (why: string) => void;
  /** True if a person has judged the sequences `from` up to but not including `until` as lost, so they are skipped. */
  readonly judgedLost?: (from: number, until: number) => boolean;
  /** The stream must hold this message but does not deliver it. The follower has stopped. */
  readonly lost: (seq: number) => void;
}

/** Dependencies of everything that reads streams. */
export interface ReadingDeps {
  readonly broker: Broker;
  readonly clock: Clock;
}

export class Follower {
  readonly #broker: Broker;
  readonly #clock: Clock;
  readonly #stream: string;
  readonly #filters: readonly string[];
  readonly #handlers: FollowerHandlers;
  #position: number;
  #following: Following | undefined;
  #generation = 0;
  #heardAt: number;
  #expected = 1;
  #pending = Number.POSITIVE_INFINITY;
  /** The stream's first and last sequence before the present consumer was made. */
  #firstAtBegin = 0;
  #lastAtBegin = 0;
  /** Sequence that was left out last; 0 if none was. */
  #missing = 0;
  #closed = false;
  #starting = false;
  #paused = false;
  #unwatch: () => void = () => undefined;

  /** @param position last sequence that needs no delivery */
  constructor(
    { broker, clock }: ReadingDeps,
    stream: string,
    filters: readonly string[],
    position: number,
    handlers: FollowerHandlers,
  ) {
    this.#broker = broker;
    this.#clock = clock;
    this.#heardAt = clock.monoMs();
    this.#stream = stream;
    this.#filters = filters;
    this.#position = position;
    this.#handlers = handlers;
  }

  get position(): number {
    return this.#position;
  }

  /** Number of matching messages not delivered yet, as far as is known; infinite before the first answer. */
  get pending(): number {
    return this.#pending;
  }

  /** True while it pulls nothing. The number of messages after its position is then unknown. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Time since the server was last heard, in milliseconds; 0 while paused or closed. */
  get silentMs(): number {
    return this.#paused || this.#closed ? 0 : this.#clock.monoMs() - this.#heardAt;
  }

  start(): void {
    this.#unwatch = every(this.#clock, 250, () => this.#watch());
    this.#begin();
  }

  close(): void {
    this.#closed = true;
    this.#unwatch();
    this.#drop();
  }

  /** Stops pulling. resume() starts again after the position. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#drop();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#begin();
  }

  #drop(): void {
    this.#generation += 1;
    this.#following?.close();
    this.#following = undefined;
  }

  #watch(): void {
    if (this.#closed || this.#paused || this.#starting) return;
    if (this.#following === undefined) this.#begin();
    // The consumer may be gone with its server (FO2).
    // mutant: silence-for-ever
    else if (this.#clock.monoMs() - this.#heardAt > LIMITS.followerSilenceMs) this.#again('silence');
  }

  #again(why: string): void {
    this.#handlers.restarted(why);
    this.#drop();
    this.#begin();
  }

  /** The watchdog retries a start that fails. */
  #begin(): void {
    if (this.#closed || this.#paused || this.#starting) return;
    this.#starting = true;
    this.#follow()
      .catch(() => undefined)
      .finally(() => {
        this.#starting = false;
      });
  }

  async #follow(): Promise<void> {
    this.#generation += 1;
    const generation = this.#generation;
    this.#expected = 1;
    // Read before the consumer is made, so messages up to `last` that it does not deliver do not match the filter.
    const stream = await this.#broker.stream(this.#stream);
    const last = stream?.lastSeq ?? 0;
    this.#firstAtBegin = stream?.firstSeq ?? 0;
    this.#lastAtBegin = last;
    const following = await this.#broker.follow(
      this.#stream,
      { filters: this.#filters, from: this.#position + 1, batch: LIMITS.factsPerPull },
      {
        message: (message) => this.#take(generation, message),
        alive: () => this.#alive(generation),
        broken: () => {
          // mutant: lost-connection-is-whole
          if (generation === this.#generation) this.#again('the connection broke');
        },
      },
    );
    if (generation !== this.#generation) return following.close();
    this.#following = following;
    this.#heardAt = this.#clock.monoMs();
    if (following.pending === 0) this.#reach(last);
    else this.#pending = Math.min(this.#pending, following.pending);
  }

  #alive(generation: number): void {
    if (generation === this.#generation) this.#heardAt = this.#clock.monoMs();
  }

  #take(generation: number, message: FollowedMessage): void {
    if (generation !== this.#generation) return;
    // A message before this one was lost on its way (FO1).
    // mutant: delivery-gap-passed
    if (message.deliverySeq !== this.#expected) {
      this.#again('a gap in delivery');
      return;
    }
    this.#expected += 1;
    this.#heardAt = this.#clock.monoMs();
    this.#pending = message.pending;
    if (message.seq > this.#position) {
      if (this.#filters.length === 0 && this.#leavesOut(message.seq)) return;
      if (this.#handlers.message(message) === 'later') return;
      this.#position = message.seq;
    }
    // Every message that the stream held when the consumer was made has been delivered or does not match the filter.
    if (message.pending === 0) this.#reach(Math.max(message.seq, this.#lastAtBegin));
  }

  /**
   * True if sequences before this one are missing (FO3). The first time, the follower starts again and reads the stream's first sequence
   * again, so messages that were trimmed in the meantime do not count as lost.
   */
  #leavesOut(seq: number): boolean {
    const next = Math.max(this.#position + 1, this.#firstAtBegin);
    if (seq <= next || this.#handlers.judgedLost?.(next, seq) === true) return false;
    if (this.#missing !== next) {
      this.#missing = next;
      this.#again(`message ${next} was left out`);
      return true;
    }
    this.close();
    this.#handlers.lost(next);
    return true;
  }

  #reach(seq: number): void {
    this.#pending = 0;
    this.#position = Math.max(this.#position, seq);
    this.#handlers.caughtUp(this.#position);
  }
}

/**
 * Delivers the messages from one sequence up to another, then resolves. Rejects if the stream falls silent, delivers nothing new or has a
 * gap in delivery, or if the connection breaks. The caller starts over.
 */
export async function readUntil(
  { broker, clock }: ReadingDeps,
  stream: string,
  filters: readonly string[],
  from: number,
  until: number,
  message: (message: FollowedMessage) => void,
  { batch = LIMITS.factsPerPull, headersOnly = false }: { batch?: number; headersOnly?: boolean } = {},
): Promise<void> {
  if (until < from) return;
  await new Promise<void>((resolve, reject) => {
    let following: Following | undefined;
    let heardAt = clock.monoMs();
    let readAt = heardAt;
    let reached = from - 1;
    let expected = 1;
    let done = false;
    const end = (error?: Error) => {
      if (done) return;
      done = true;
      unwatch();
      following?.close();
      if (error === undefined) resolve();
      else reject(error);
    };
    const unwatch = every(clock, 250, () => {
      if (clock.monoMs() - heardAt > LIMITS.followerSilenceMs) end(unread(`${stream} fell silent while it was read`));
      // The server is alive and reports more messages, but cannot read them.
      if (clock.monoMs() - readAt > LIMITS.readStallMs)
        end(unread(`stream ${stream} gives nothing behind ${reached} of ${until}`));
    });
    broker
      .follow(
        stream,
        { filters, from, batch, headersOnly },
        {
          alive: () => {
            heardAt = clock.monoMs();
          },
          broken: () => end(unread(`the connection broke while ${stream} was read`)),
          message: (each) => {
            if (done) return;
            heardAt = readAt = clock.monoMs();
            reached = each.seq;
            if (each.deliverySeq !== expected) return end(unread(`${stream} has a gap in delivery at ${each.seq}`));
            expected += 1;
            try {
              if (each.seq <= until) message(each);
            } catch (error) {
              return end(error as Error);
            }
            if (each.seq >= until || each.pending === 0) end();
          },
        },
      )
      .then((begun) => {
        following = begun;
        if (done) begun.close();
        else if (begun.pending === 0) end();
      }, end);
  });
}

function unread(why: string): BrokerError {
  return new BrokerError('unknown', why);
}
