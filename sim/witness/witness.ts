/**
 * The witness sees each message at the moment it is stored, before any node does, and checks it against a model of its own. It knows the
 * wire format of facts and records, and shares no code with the fold.
 *
 * Invariants that it checks at every message:
 *  I2 A scarce SKU at a location is never promised beyond what its facts have brought.
 *  I8 A writer's records are dense and chained. After a fence against the writer, or a decision of a later epoch, no decision of an earlier
 *     epoch follows.
 *  I10 No hold expires before its time, except for clock skew.
 *  I15 Attempts at a reservation stand in their order, an end is final, nothing is placed twice, and nothing is confirmed or allocated that
 *     was not.
 */

import { createHash } from 'node:crypto';
import { JOURNAL_STREAM, PARKED_STREAM } from '../../config/topology.ts';
import { decodeBody } from '../../streams/codec.ts';
import type { Decision } from '../../streams/journal/decision.ts';
import { decodeRecord } from '../../streams/journal/record.ts';
import {
  type Attempt,
  isAboutStock,
  type Standing,
  type StockDecision,
} from '../../streams/journal/stock-decisions.ts';
import type { Message } from '../../streams/memory/log.ts';
import { EPOCH_MS } from '../host.ts';
import { Ledger, type SentFact } from './ledger.ts';
import { factsIn } from './stored-facts.ts';

/** The name of a writer that never owned a partition (sim/callers/stranger.ts). */
export const STRANGER = 'stranger';
export const STRANGER_SUBJECT = `journal.${STRANGER}`;

export type Status = 'held' | 'allocated' | 'released' | 'expired';
/** What a partition has folded of a reservation. */
interface Part {
  latest: Attempt;
  standing: Standing | undefined;
  /** An attempt that has grown here, beside the lines that stand. */
  next: Standing | undefined;
}

/** Largest difference between the clocks of two nodes. */
const SKEW_MS = 4_000;

/** One day older than the horizon of every world, because clocks differ. */
const OLD_MS = 8 * 86_400_000;

/** True if the fact is so old that it counts only when a person resubmits it. */
export function isOld({ occurredAt }: SentFact, nowMs: number): boolean {
  return EPOCH_MS + nowMs - Date.parse(occurredAt) >= OLD_MS;
}

export class Witness {
  /** By reservation id, then by partition. */
  readonly parts = new Map<string, Map<number, Part>>();
  /** How each reservation stands according to its home. */
  readonly homes = new Map<string, Standing>();
  readonly ledger = new Ledger();
  /** Where the facts in PARKED came from: stream, sequence and place; or `http` and the id of a fact that was never stored. */
  readonly parked: string[] = [];
  /** Sequence of the latest entry in PARKED of each id. */
  readonly parkedAt = new Map<string, number>();
  /** Where facts that must be parked came from: their id has other content, they are too old, or they cannot be read. */
  readonly uncounted: string[] = [];
  /** Hash and nonce of each mark, by the mark's sequence. */
  readonly #marks = new Map<string, string>();
  decisions = 0;
  /** Latest epoch of each partition in the journal. */
  readonly #epochs = new Map<number, number>();
  /** Epoch of the latest decision, by partition, and of the latest fence, by writer and partition. */
  readonly #decided = new Map<number, number>();
  readonly #fences = new Map<string, number>();
  readonly #chains = new Map<string, { n: number; hash: string }>();
  readonly #partitions: number;
  readonly #fail: (what: string) => void;
  readonly #nowMs: () => number;
  /** Called whenever the free units of a SKU may have changed. */
  onChange: (sku: string) => void = () => undefined;

  constructor(partitions: number, fail: (what: string) => void, nowMs: () => number) {
    this.#partitions = partitions;
    this.#fail = fail;
    this.#nowMs = nowMs;
  }

  stored(stream: string, message: Message): void {
    if (message.subject === STRANGER_SUBJECT) return;
    if (stream === JOURNAL_STREAM) this.#record(message);
    else if (stream === PARKED_STREAM) this.#aside(message);
    else {
      for (const { fact, storedMs, place } of factsIn(message, this.#partitions)) {
        const old = fact !== undefined && isOld(fact, this.#nowMs()) && !this.#isMarked(message);
        if (fact === undefined || old || !this.ledger.take(fact, storedMs))
          this.uncounted.push([stream, message.seq, ...place].join('.'));
        if (fact !== undefined) this.onChange(fact.sku);
      }
    }
  }

  #aside({ subject, seq, data, headers }: Message): void {
    const [kind, ...rest] = subject.split('.');
    if (kind === 'parked') {
      const isReadable = headers['Holdfast-Reason'] !== 'unreadable';
      const { id } = (isReadable ? decodeBody(data, headers['Content-Type']) : { id: 'unreadable' }) as SentFact;
      this.parked.push(rest[0] === 'http' ? `http.${id}` : rest.join('.'));
      this.parkedAt.set(id, seq);
    } else if (rest[0] === 'again') this.#marks.set(String(seq), rest.slice(2).join('.'));
  }

  /** Whether a node stored a mark for these bytes before they were submitted again. */
  #isMarked({ subject, headers, data }: Message): boolean {
    const [mark = '', nonce] = (headers['Holdfast-Mark'] ?? '').split('.');
    const hash = createHash('sha256').update(data).digest('hex');
    return subject.startsWith('again.') && this.#marks.get(mark) === `${hash}.${nonce}`;
  }

  /** The partition's latest epoch in the journal. */
  epochOf(partition: number): number {
    return this.#epochs.get(partition) ?? 0;
  }

  /** Units of live claims that are not sold yet, by status, as the partitions have folded them. */
  claims(sku: string, location: string): { held: number; allocated: number } {
    const claims = { held: 0, allocated: 0 };
    for (const parts of this.parts.values()) {
      for (const { standing, next } of parts.values()) {
        const units = Math.max(this.#openAt(standing, sku, location), this.#openAt(next, sku, location));
        claims[(standing?.confirmedAtMs ?? 0) > 0 ? 'allocated' : 'held'] += units;
      }
    }
    return claims;
  }

  /** The same according to the homes. At rest, both are equal. */
  claimsByHomes(sku: string, location: string): { held: number; allocated: number } {
    const claims = { held: 0, allocated: 0 };
    for (const standing of this.homes.values())
      claims[standing.confirmedAtMs > 0 ? 'allocated' : 'held'] += this.#openAt(standing, sku, location);
    return claims;
  }

  /** Units that a standing claims at a place: each unit of its lines by itself, after the sales and returns that it does not include. */
  #openAt(standing: Standing | undefined, sku: string, location: string): number {
    if (standing === undefined || standing.releasedAtMs > 0 || standing.expiredAtMs > 0) return 0;
    return this.units(standing, sku).filter((unit) => unit.location === location && !unit.fulfilled).length;
  }

  units(standing: Standing, sku: string): { location: string; fulfilled: boolean }[] {
    const units = standing.lines
      .filter((line) => line.sku === sku)
      .flatMap(({ qty, fulfilled, location }) =>
        Array.from({ length: qty }, (_, i) => ({ location, fulfilled: i < fulfilled })),
      );
    // An end is final.
    if (!isLive(standing)) return units;
    const moved = this.ledger.movedFor(standing.id, sku);
    const counted = standing.counted.filter((each) => each.sku === sku);
    const later = (places: string[], of: 'sold' | 'reopened') => {
      for (const each of counted)
        for (let i = 0; i < each[of]; i++) {
          const at = places.indexOf(each.location);
          if (at >= 0) places.splice(at, 1);
        }
      return places;
    };
    const open = (place?: string) =>
      units.find((unit) => !unit.fulfilled && (place ?? unit.location) === unit.location);
    const elsewhere = later(moved.sold, 'sold').filter((place) => !fulfil(open(place)));
    const over = elsewhere.filter(() => !fulfil(open()));
    for (const place of later(moved.reopened, 'reopened').filter((each) => !without(over, each))) {
      if (over.length > 0) over.pop();
      else {
        const gone = units.filter((unit) => unit.fulfilled);
        const unit = gone.find((each) => each.location === place) ?? gone[0];
        if (unit !== undefined) Object.assign(unit, { location: place, fulfilled: false });
      }
    }
    return units;
  }

  free(sku: string, location: string): number {
    const { held, allocated } = this.claims(sku, location);
    return this.ledger.sellable(sku, location) - held - allocated;
  }

  /** The reservation according to its home, or undefined if it does not stand. */
  reservation(id: string): { status: Status; lines: Standing['lines'] } | undefined {
    const home = this.homes.get(id);
    if (home === undefined) return undefined;
    const ended = home.expiredAtMs > 0 ? 'expired' : home.releasedAtMs > 0 ? 'released' : undefined;
    return { status: ended ?? (home.confirmedAtMs > 0 ? 'allocated' : 'held'), lines: home.lines };
  }

  /** Attempts that some partition has not heard the end of. At rest there are none. */
  get unfinished(): string[] {
    return [...this.parts].flatMap(([id, parts]) => {
      const home = this.homes.get(id);
      return [...parts].flatMap(([partition, { standing, next }]) => {
        if (next !== undefined) return [`reservation ${id} is still growing in partition ${partition}`];
        if (standing === undefined || standing.lines.every((line) => line.partition !== partition)) return [];
        if (home?.participants.includes(partition) === true) return [];
        return [`partition ${partition} holds lines of ${id}, and its home does not know`];
      });
    });
  }

  #record(message: Message): void {
    const record = decodeRecord(message.data);
    if (message.subject !== `journal.${record.writer}`)
      this.#fail(`a record of ${record.writer} on ${message.subject}`);
    const chain = this.#chains.get(record.writer) ?? { n: 0, hash: '' };
    if (record.n !== chain.n + 1 || record.before !== chain.hash)
      this.#fail(`record ${record.n} of ${record.writer} does not follow record ${chain.n} (I8)`);
    const hash = createHash('sha256').update(message.data).digest('hex').slice(0, 32);
    this.#chains.set(record.writer, { n: record.n, hash });
    for (const decision of record.decisions) {
      this.#inEpoch(record.writer, decision);
      if (!isAboutStock(decision)) continue;
      this.decisions += 1;
      this.#reserved(decision);
    }
  }

  /**
   * After a fence on a writer, or a decision of a later epoch, no decision of an earlier epoch may follow. A node may lose a partition and
   * claim it again while decisions are in flight. They may still arrive, unless another node has fenced it or decided in between.
   */
  #inEpoch(writer: string, { kind, parts }: Decision): void {
    for (const [partition, epoch] of parts) {
      this.#epochs.set(partition, Math.max(this.epochOf(partition), epoch));
      const fences = `${writer} ${partition}`;
      if (kind === 'fenced') {
        this.#fences.set(fences, Math.max(this.#fences.get(fences) ?? 0, epoch));
        continue;
      }
      const ended = Math.max(this.#fences.get(fences) ?? 0, this.#decided.get(partition) ?? 0);
      if (epoch < ended)
        this.#fail(`${writer} decides for partition ${partition} in epoch ${epoch}, which ${ended} ended (I8)`);
      this.#decided.set(partition, epoch);
    }
  }

  #reserved(decision: StockDecision): void {
    const { id } = decision;
    // A change may also leave SKUs out.
    const changed = this.#skusOf(id);
    if (decision.kind === 'grown' || decision.kind === 'stands') this.#stands(decision);
    else if (decision.kind === 'undone') {
      for (const [partition] of decision.parts) {
        const part = this.#part(id, partition);
        const { standing, next } = part;
        part.latest = later(part.latest, decision.attempt);
        if (next !== undefined && same(next.attempt, decision.attempt)) part.next = undefined;
        else if (standing !== undefined && same(standing.attempt, decision.attempt)) part.standing = undefined;
      }
    }
    for (const sku of new Set([...changed, ...this.#skusOf(id)])) this.onChange(sku);
  }

  #stands(standing: Standing): void {
    const { id, kind, attempt, home, parts } = standing;
    for (const [partition] of parts) {
      if (kind === 'stands' && partition === home) this.#atHome(standing);
      const part = this.#part(id, partition);
      if (isEarlier(attempt, part.latest)) continue;
      part.latest = attempt;
      const lines = standing.lines.filter((line) => line.partition === partition);
      if (lines.some((line) => line.partition < 0 || line.partition >= this.#partitions))
        this.#fail(`a partition that does not exist is in a decision on ${id}`);
      const here = { ...standing, lines };
      const live = part.standing !== undefined && part.standing.lines.length > 0 && isLive(part.standing);
      if (kind === 'grown' && live) part.next = here;
      else Object.assign(part, { standing: here, next: undefined });
    }
    for (const { sku, location } of standing.lines) {
      if (sku.startsWith('S') && this.free(sku, location) < 0)
        this.#fail(`${sku} at ${location} is promised beyond what is there: ${this.free(sku, location)} (I2)`);
    }
  }

  #atHome(standing: Standing): void {
    const { id, attempt, atMs, expiredAtMs } = standing;
    const before = this.homes.get(id);
    this.homes.set(id, standing);
    if (before === undefined) return;
    if (!isEarlier(before.attempt, attempt)) this.#fail(`an earlier attempt at ${id} stands after a later one (I15)`);
    if (before.releasedAtMs > 0 || before.expiredAtMs > 0)
      this.#fail(`reservation ${id} has ended and is decided on again (I15)`);
    if (before.confirmedAtMs > 0 && standing.confirmedAtMs === 0)
      this.#fail(`reservation ${id} is no longer confirmed (I15)`);
    if (before.grantedAtMs !== standing.grantedAtMs) this.#fail(`reservation ${id} is placed again (I15)`);
    if (expiredAtMs === 0) return;
    if (before.confirmedAtMs > 0) this.#fail(`reservation ${id} expires though it is confirmed`);
    if (atMs < before.expiresAtMs || EPOCH_MS + this.#nowMs() < before.expiresAtMs - SKEW_MS)
      this.#fail(`reservation ${id} expires at ${atMs}, before ${before.expiresAtMs} (I10)`);
  }

  #part(id: string, partition: number): Part {
    const parts = this.parts.get(id) ?? new Map<number, Part>();
    this.parts.set(id, parts);
    const part = parts.get(partition) ?? { latest: [0, 0] as const, standing: undefined, next: undefined };
    parts.set(partition, part);
    return part;
  }

  #skusOf(id: string): string[] {
    const parts = [...(this.parts.get(id)?.values() ?? [])];
    const lines = parts.flatMap(({ standing, next }) => [...(standing?.lines ?? []), ...(next?.lines ?? [])]);
    return lines.map(({ sku }) => sku);
  }
}

function isLive({ releasedAtMs, expiredAtMs }: Standing): boolean {
  return releasedAtMs === 0 && expiredAtMs === 0;
}

function isEarlier(a: Attempt, b: Attempt): boolean {
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);
}

function same(a: Attempt, b: Attempt): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

function later(a: Attempt, b: Attempt): Attempt {
  return isEarlier(a, b) ? b : a;
}

function fulfil(unit: { fulfilled: boolean } | undefined): boolean {
  if (unit !== undefined) unit.fulfilled = true;
  return unit !== undefined;
}

/** Removes one occurrence of a place, if there is one. */
function without(places: string[], place: string): boolean {
  const at = places.indexOf(place);
  if (at >= 0) places.splice(at, 1);
  return at >= 0;
}
