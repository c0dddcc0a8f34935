/**
 * Reservations at their home: the partition of the id, which remembers it and decides for all of its lines.
 *
 * Invariants:
 *  V1 Steps of one reservation are taken one after the other; a step sees the outcome of the one before.
 *  V2 What is granted is held in memory (pending) from the decision to its outcome, and answered only when it is stored.
 *  V3 Lines of partitions owned here are one decision: all or none. Lines of other owners are granted by them first, with the same
 *     expiry; a refusal releases them again, and a crash between leaves holds that a retry completes or time releases.
 */
import { LIMITS } from '../config/limits.ts';
import type { Granted, GrantedLine, PartitionEpoch, Shortage, Stepped } from '../streams/decisions.ts';
import { type Hash64, hash64 } from '../streams/hash.ts';
import type { ReservationAnswer, ReservationRequest } from '../streams/requests.ts';
import { partitionOf } from '../streams/subjects.ts';
import { answerOf, type PartAnswer, partAnswer } from './part-answer.ts';
import type { Partition } from './partition.ts';
import type { Clock, DecisionLog, Peers } from './ports.ts';
import { Refusal, undecided } from './refusal.ts';
import { confirmRefusal, needsStep, plan, type Taken, type WantedLine } from './stock/decide.ts';
import { applyDecision, isAlone } from './stock/evolve.ts';
import type { ReservationPart } from './stock/state.ts';

export interface ReservationWorld {
  readonly partitions: ReadonlyMap<number, Partition>;
  readonly count: number;
  readonly clock: Clock;
  readonly log: DecisionLog;
  readonly peers: Peers;
  /** A hold expired. */
  readonly expired: () => void;
}

type Step = 'confirmed' | 'released';

/** A grant of some lines of a reservation, as its home asks another owner for it. */
interface PartRequest {
  readonly request: ReservationRequest;
  readonly content: Hash64;
  readonly home: number;
  readonly spread: readonly number[];
  readonly lines: readonly WantedLine[];
  readonly expiresAtMs: number;
}

export class Reservations {
  readonly #world: ReservationWorld;
  readonly #busy = new Map<string, (() => void)[]>();

  constructor(world: ReservationWorld) {
    this.#world = world;
  }

  async place(request: ReservationRequest): Promise<{ fresh: boolean; reservation: ReservationAnswer }> {
    await this.#enter(request.id);
    try {
      return await this.#place(request);
    } finally {
      this.#leave(request.id);
    }
  }

  async step(id: string, step: Step): Promise<ReservationAnswer> {
    await this.#enter(id);
    try {
      const spread = this.#spreadOf(id);
      const away = spread.filter((number) => !this.#world.partitions.has(number));
      if (away.length > 0) return await this.#stepAway(id, step, spread, away);
      const parts = this.#partsHere(id, spread);
      const refusal = step === 'confirmed' ? confirmRefusal(parts, this.#world.clock.nowMs()) : undefined;
      if (refusal !== undefined)
        throw new Refusal(`already-${refusal}`, `reservation ${id} is ${refusal} and cannot be confirmed`);
      if (needsStep(parts, step)) {
        await this.#store(this.#stepped(id, step, [...new Set([...spread, partitionOf(id, this.#world.count)])]));
      }
      return answerOf(id, this.#partsHere(id, spread).map(partAnswer));
    } finally {
      this.#leave(id);
    }
  }

  async get(id: string): Promise<ReservationAnswer> {
    return answerOf(id, await this.#gather(id, this.#spreadOf(id)));
  }

  /** Holds whose time is over. Their units go when the decision is stored. */
  expire(partition: Partition, due: readonly ReservationPart[], failed: (part: ReservationPart) => void): void {
    for (const part of due) {
      if (partition.book.parts.get(part.id) !== part) continue;
      const decision: Stepped = {
        kind: 'expired',
        id: part.id,
        atMs: this.#world.clock.nowMs(),
        parts: [[partition.number, partition.book.epoch]],
      };
      // A step in flight for it may confirm it; then needsStep says so and nothing is journaled.
      void this.#enter(part.id)
        .then(async () => {
          try {
            if (!needsStep([part], 'expired') || part.confirmedAtMs > 0) return;
            await this.#store(decision);
            this.#world.expired();
          } finally {
            this.#leave(part.id);
          }
        })
        .catch(() => failed(part));
    }
  }

  /** What the home of an id asks of the owner of some of its lines. */
  async servePart(operation: string, body: unknown): Promise<unknown> {
    switch (operation) {
      case 'grantPart':
        return this.#grantPart(body as PartRequest);
      case 'stepPart': {
        const { id, step, spread } = body as { id: string; step: Step; spread: number[] };
        return this.#stepPart(id, step, spread);
      }
      case 'getPart': {
        const { id, spread } = body as { id: string; spread: number[] };
        return this.#partsHere(
          id,
          spread.filter((number) => this.#world.partitions.has(number)),
        ).map(partAnswer);
      }
      default:
        throw new Refusal('malformed', `no such operation: ${operation}`);
    }
  }

  async #place(request: ReservationRequest): Promise<{ fresh: boolean; reservation: ReservationAnswer }> {
    const content = contentOf(request);
    const home = partitionOf(request.id, this.#world.count);
    const known = this.#known(request.id);
    if (known !== undefined) {
      if (known.content.hi !== content.hi || known.content.lo !== content.lo) throw conflict(request.id);
      return { fresh: false, reservation: answerOf(request.id, await this.#gather(request.id, known.spread)) };
    }
    const wanted = wantedLines(request);
    const spread = [...new Set(wanted.map((line) => partitionOf(line.sku, this.#world.count)))];
    const expiresAtMs = this.#world.clock.nowMs() + request.ttlSeconds * 1000;
    const away = spread.filter((number) => !this.#world.partitions.has(number));
    if (away.length > 0) return this.#placeAcross({ request, content, home, spread, lines: wanted, expiresAtMs }, away);
    const granted = await this.#grant({ request, content, home, spread, lines: wanted, expiresAtMs }, true);
    const parts = this.#partsHere(request.id, spreadOfLines(granted.lines));
    return { fresh: true, reservation: answerOf(request.id, parts.map(partAnswer)) };
  }

  /** Decides the lines that are owned here and stores the decision. */
  async #grant(ask: PartRequest, whole: boolean): Promise<Granted> {
    const { request } = ask;
    const planned = plan(ask.lines, (sku) => this.#partitionOf(sku).book.skus.get(sku), request.partial);
    if (planned.taken.length === 0 || (planned.shortages.length > 0 && !request.partial))
      throw shortage(planned.shortages);
    const decision = this.#decision(ask, planned.taken, planned.shortages, whole);
    for (const each of planned.taken) each.key.pending += each.qty;
    const settle = () => {
      for (const each of planned.taken) each.key.pending -= each.qty;
    };
    await this.#store(decision, settle);
    return decision;
  }

  #decision(ask: PartRequest, taken: readonly Taken[], shortages: readonly Shortage[], whole: boolean): Granted {
    const seqs = new Map<number, number>();
    const lines: GrantedLine[] = taken.map(({ line, key, qty }, index) => {
      const partition = this.#partitionOf(line.sku);
      let seq = seqs.get(partition.number);
      if (seq === undefined) {
        partition.book.seq += 1;
        seq = partition.book.seq;
        seqs.set(partition.number, seq);
      }
      // Lines of a reservation across owners keep the place of the request's line, with room for its splits.
      const place = whole ? index : line.index * 1000 + index;
      return { index: place, sku: line.sku, location: key.location, qty, partition: partition.number, seq };
    });
    const { request } = ask;
    const spread = whole ? spreadOfLines(lines) : ask.spread;
    const involved = whole ? [...new Set([...spread, ask.home])] : spreadOfLines(lines);
    const atMs = this.#world.clock.nowMs();
    return {
      kind: 'granted',
      id: request.id,
      content: ask.content,
      channel: request.channel,
      purpose: request.purpose,
      atMs,
      expiresAtMs: ask.expiresAtMs,
      home: ask.home,
      spread,
      parts: this.#epochs(involved),
      lines,
      shortages,
    };
  }

  /** V3: the owners of other lines first, each for its own; then the lines here with the home entry. */
  async #placeAcross(
    ask: PartRequest,
    away: readonly number[],
  ): Promise<{ fresh: boolean; reservation: ReservationAnswer }> {
    const { id } = ask.request;
    const byPartition = (number: number) =>
      ask.lines.filter((line) => partitionOf(line.sku, this.#world.count) === number);
    const granted: PartAnswer[] = [];
    const shortages: Shortage[] = [];
    const holders: number[] = [];
    const give = async (number: number, grant: () => Promise<PartAnswer[]>) => {
      try {
        granted.push(...(await grant()));
        holders.push(number);
      } catch (error) {
        if (!(error instanceof Refusal) || error.kind !== 'insufficient-stock') throw error;
        shortages.push(...(error.shortages ?? []));
      }
    };
    const undo = async () => {
      const ends = holders.map((number) => this.#askStep(id, 'released', number));
      await Promise.all(ends.map((end) => end.catch(() => undefined)));
    };
    try {
      for (const number of ask.spread) {
        const part = { ...ask, lines: byPartition(number) };
        if (away.includes(number))
          await give(number, () => this.#world.peers.ask(number, 'grantPart', part) as Promise<PartAnswer[]>);
        else await give(number, () => this.#grantPart(part));
        if (shortages.length > 0 && !ask.request.partial) break;
      }
    } catch (error) {
      await undo();
      throw error;
    }
    const short = granted.flatMap((part) => part.shortages);
    if (granted.length === 0 || (shortages.length > 0 && !ask.request.partial)) {
      await undo();
      throw shortage(shortages);
    }
    await this.#store(this.#homeOnly(ask, holders, [...short, ...shortages]));
    return { fresh: true, reservation: answerOf(id, granted, [...short, ...shortages]) };
  }

  /** The home entry of a reservation whose lines are all granted elsewhere or by decisions of their own. */
  #homeOnly(ask: PartRequest, spread: readonly number[], shortages: readonly Shortage[]): Granted {
    return {
      kind: 'granted',
      id: ask.request.id,
      content: ask.content,
      channel: ask.request.channel,
      purpose: ask.request.purpose,
      atMs: this.#world.clock.nowMs(),
      expiresAtMs: ask.expiresAtMs,
      home: ask.home,
      spread,
      parts: this.#epochs([ask.home]),
      lines: [],
      shortages,
    };
  }

  async #grantPart(ask: PartRequest): Promise<PartAnswer[]> {
    const here = spreadOfWanted(ask.lines, this.#world.count);
    const known = here
      .map((number) => this.#partition(number).book.parts.get(ask.request.id))
      .filter((part) => part?.granted === true);
    if (known.length === 0) {
      await this.#grant(ask, false);
      return this.#partsHere(ask.request.id, here).map(partAnswer);
    }
    const first = known[0] as ReservationPart;
    if (first.content.hi !== ask.content.hi || first.content.lo !== ask.content.lo) throw conflict(ask.request.id);
    if (first.expiredAtMs > 0 || first.releasedAtMs > 0)
      throw new Refusal('already-expired', `reservation ${ask.request.id} has ended; use another id`);
    return this.#partsHere(ask.request.id, here).map(partAnswer);
  }

  async #stepAway(
    id: string,
    step: Step,
    spread: readonly number[],
    away: readonly number[],
  ): Promise<ReservationAnswer> {
    const before = await this.#gather(id, spread);
    const status = answerOf(id, before).status;
    if (step === 'confirmed' && (status === 'released' || status === 'expired')) {
      throw new Refusal(`already-${status}`, `reservation ${id} is ${status} and cannot be confirmed`);
    }
    for (const number of away) await this.#askStep(id, step, number);
    const here = spread.filter((number) => !away.includes(number));
    if (here.length > 0) await this.#stepPart(id, step, here);
    await this.#store(this.#stepped(id, step, [partitionOf(id, this.#world.count)]));
    return answerOf(id, await this.#gather(id, spread));
  }

  async #stepPart(id: string, step: Step, spread: readonly number[]): Promise<PartAnswer[]> {
    const here = spread.filter((number) => this.#world.partitions.has(number));
    const parts = this.#partsHere(id, here);
    const refusal = step === 'confirmed' ? confirmRefusal(parts, this.#world.clock.nowMs()) : undefined;
    if (refusal !== undefined)
      throw new Refusal(`already-${refusal}`, `reservation ${id} is ${refusal} and cannot be confirmed`);
    if (needsStep(parts, step)) await this.#store(this.#stepped(id, step, here));
    return this.#partsHere(id, here).map(partAnswer);
  }

  async #askStep(id: string, step: Step, number: number): Promise<void> {
    if (this.#world.partitions.has(number)) await this.#stepPart(id, step, [number]);
    else await this.#world.peers.ask(number, 'stepPart', { id, step, spread: [number] });
  }

  #stepped(id: string, kind: Step, numbers: readonly number[]): Stepped {
    return { kind, id, atMs: this.#world.clock.nowMs(), parts: this.#epochs(numbers) };
  }

  /** Appends, folds when stored, and only then returns. */
  #store(decision: Granted | Stepped, settle: () => void = () => undefined): Promise<void> {
    const { log, partitions } = this.#world;
    if (log.inFlight >= LIMITS.decisionsWaiting) {
      settle();
      return Promise.reject(undecided('too many decisions wait for the journal'));
    }
    return new Promise((resolve, reject) => {
      log.append(
        decision,
        () => {
          settle();
          for (const [number] of decision.parts) {
            const partition = partitions.get(number);
            if (partition !== undefined) applyDecision(partition.book, decision);
          }
          resolve();
        },
        (why) => {
          settle();
          reject(undecided(why));
        },
      );
    });
  }

  #epochs(numbers: readonly number[]): PartitionEpoch[] {
    return numbers.map((number) => [number, this.#partition(number).book.epoch]);
  }

  #partition(number: number): Partition {
    const partition = this.#world.partitions.get(number);
    if (partition?.serving !== true) throw undecided(`partition ${number} has no owner that serves`);
    return partition;
  }

  #partitionOf(sku: string): Partition {
    return this.#partition(partitionOf(sku, this.#world.count));
  }

  #known(id: string): { content: Hash64; spread: readonly number[] } | undefined {
    const home = partitionOf(id, this.#world.count);
    const { book } = this.#partition(home);
    const part = book.parts.get(id);
    if (part?.granted === true && isAlone(part.spread, home)) return part;
    return book.homes.get(id);
  }

  #spreadOf(id: string): readonly number[] {
    const known = this.#known(id);
    if (known === undefined) throw new Refusal('not-found', `nothing is known of reservation ${id}`);
    return known.spread;
  }

  #partsHere(id: string, spread: readonly number[]): ReservationPart[] {
    const parts: ReservationPart[] = [];
    for (const number of spread) {
      const part = this.#partition(number).book.parts.get(id);
      if (part?.granted === true) parts.push(part);
    }
    if (parts.length === 0) throw new Refusal('not-found', `nothing is known of reservation ${id}`);
    return parts;
  }

  async #gather(id: string, spread: readonly number[]): Promise<PartAnswer[]> {
    const here = spread.filter((number) => this.#world.partitions.has(number));
    const away = spread.filter((number) => !this.#world.partitions.has(number));
    const parts = here.length === 0 ? [] : this.#partsHere(id, here).map(partAnswer);
    const others = away.map(
      (number) => this.#world.peers.ask(number, 'getPart', { id, spread: [number] }) as Promise<PartAnswer[]>,
    );
    return [...parts, ...(await Promise.all(others)).flat()];
  }

  /** Takes the turn of a reservation (V1). */
  #enter(id: string): Promise<void> {
    const waiting = this.#busy.get(id);
    if (waiting === undefined) {
      this.#busy.set(id, []);
      return Promise.resolve();
    }
    if (waiting.length >= LIMITS.waitingPerReservation)
      return Promise.reject(undecided('too many requests wait for this reservation'));
    return new Promise((resolve) => waiting.push(resolve));
  }

  #leave(id: string): void {
    const next = this.#busy.get(id)?.shift();
    if (next === undefined) this.#busy.delete(id);
    else next();
  }
}

function wantedLines(request: ReservationRequest): WantedLine[] {
  return request.lines.map((line, index) => ({
    index,
    sku: line.sku,
    qty: line.qty,
    locations: line.locations,
    split: line.split,
  }));
}

function spreadOfLines(lines: readonly GrantedLine[]): number[] {
  return [...new Set(lines.map((line) => line.partition))];
}

function spreadOfWanted(lines: readonly WantedLine[], count: number): number[] {
  return [...new Set(lines.map((line) => partitionOf(line.sku, count)))];
}

/** What makes a request the same request: everything in it, defaults filled in. */
function contentOf(request: ReservationRequest): Hash64 {
  const { channel, purpose, ttlSeconds, partial } = request;
  const lines = request.lines.map((line) => [line.sku, line.qty, line.locations ?? null, line.split]);
  return hash64(JSON.stringify([channel, purpose, ttlSeconds, partial, lines]));
}

function conflict(id: string): Refusal {
  return new Refusal('id-conflict', `reservation ${id} was asked for before with other content; use another id`);
}

function shortage(shortages: readonly Shortage[]): Refusal {
  const skus = [...new Set(shortages.map((each) => each.sku))].join(', ');
  return new Refusal('insufficient-stock', `not enough of ${skus}; nothing is held`, { shortages });
}
