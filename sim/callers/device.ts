/**
 * A store device. Its clock may be days wrong. It publishes facts late, twice and out of order, and sends unacknowledged facts again. It submits others to nodes,
 * many in a request. Some facts are older than the horizon and are parked. A caller resubmits some of these, and the device forges other resubmissions.
 */

import { sentAsJson } from '../../streams/fact/sent-body.ts';
import type { Random } from '../../streams/random.ts';
import { againSubject, factSubject, partitionOf } from '../../streams/subjects.ts';
import { EPOCH_MS, Host } from '../host.ts';
import { Connection, SimBroker } from '../servers/broker.ts';
import { Link } from '../servers/link.ts';
import type { SentFact } from '../witness/ledger.ts';
import type { World } from '../world.ts';
import type { Caller } from './caller.ts';
import { Submission } from './submission.ts';

export class Device {
  readonly host: Host;
  readonly link: Link;
  /** Facts whose storage was acknowledged. */
  readonly acknowledged = new Map<string, SentFact>();
  readonly #name: string;
  readonly #world: World;
  readonly #random: Random;
  readonly #broker: SimBroker;
  readonly #callers: readonly Caller[];
  readonly #old: Random;
  readonly #requests: Random;
  /** How far its clock is off, in milliseconds. Above 0 it is ahead. */
  readonly #clockMs: number;
  #sent: SentFact[] = [];
  #note: string | undefined;
  #count = 0;

  constructor(name: string, world: World, callers: readonly Caller[]) {
    this.#name = name;
    this.#world = world;
    this.#callers = callers;
    this.#random = world.random.fork(name);
    this.#old = this.#random.fork('old');
    this.#requests = this.#random.fork('requests');
    this.#clockMs = this.#random
      .fork('clock')
      .pick([0, 0, 100_000, 7_200_000, 2 * 86_400_000, -5_000, -3 * 86_400_000]);
    this.host = new Host(name, world.scheduler, 0, 0);
    this.link = new Link(this.host, world.scheduler, this.#random.fork('link'));
    this.#broker = new SimBroker(new Connection(this.host, this.link, world.server));
  }

  /** Delivers the first units of every SKU, so that there is something to promise. */
  async stock(): Promise<void> {
    const { scarce, busy, locations } = this.#world.options;
    for (const sku of [...scarce, ...busy]) {
      for (const location of locations) {
        await this.#publish(this.#fact('receipt', sku, location, { qty: this.#random.whole(5, 60) }));
      }
    }
  }

  async work(stopped: () => boolean): Promise<void> {
    while (!stopped()) {
      await new Promise<void>((resolve) => void this.#world.scheduler.after(this.#random.between(5, 250), resolve));
      const submits = this.#requests.chance(this.#world.options.submitted);
      if (this.#old.chance(0.04)) await this.#late(submits);
      else if (submits) await this.#submit([]);
      else await this.#publish(this.#kept(this.#next()));
    }
  }

  /** Submits facts in one request, with others before them. Sometimes two copies of the request are on their way at once. */
  async #submit(facts: readonly SentFact[]): Promise<void> {
    const random = this.#requests;
    const isLarge = random.chance(0.08);
    // Several such facts do not fit into one bundle.
    if (isLarge) this.#note = 'x'.repeat(60_000);
    const count = isLarge ? 12 : random.pick([1, 1, 3, 12]);
    const before = Array.from({ length: count }, () => this.#kept(this.#next()));
    this.#note = undefined;
    const submission = new Submission([...before, ...facts], this.acknowledged, this.#world, random);
    await submission.send(this.#callers.slice(0, random.chance(0.3) ? 2 : 1));
    for (const fact of submission.counted) this.acknowledged.set(fact.id, fact);
  }

  #kept(fact: SentFact): SentFact {
    this.#sent.push(fact);
    return fact;
  }

  /** Sends a fact older than the horizon. */
  async #late(submits: boolean): Promise<void> {
    const { busy, locations, settings } = this.#world.options;
    const { witness } = this.#world;
    const old = this.#old;
    const occurredAt = new Date(this.#world.nowMs - 9 * 86_400_000).toISOString();
    const [sku, location] = [old.pick(busy), old.pick(locations)];
    const fact = { ...this.#fact('receipt', sku, location, { qty: old.whole(1, 9) }), occurredAt };
    if (submits) {
      await this.#submit([fact]);
      return;
    }
    const pretends = old.chance(0.4);
    const subject = pretends
      ? againSubject('receipt', partitionOf(sku, settings.partitions), location, sku)
      : factSubject('receipt', location, sku);
    // The guessed mark may exist for other bytes, or may come to exist later.
    const headers = pretends ? { 'Holdfast-Mark': `${old.whole(1, 2 * witness.parked.length + 4)}.guess` } : {};
    const bytes = sentAsJson(fact).bytes;
    await this.#broker.publish(subject, bytes, { headers, timeoutMs: 1_000 }).catch(() => undefined);
    const caller = this.#callers[0];
    const seq = witness.parkedAt.get(old.pick([...witness.parkedAt.keys(), fact.id]));
    if (caller === undefined || seq === undefined || old.chance(0.5)) return;
    const decider = { by: this.#name, why: 'it was late' };
    // Sometimes two people decide at once.
    const steps = old.pick([['resubmit'], ['resubmit'], ['dismiss'], ['resubmit', 'dismiss'], ['dismiss', 'resubmit']]);
    const outcomes = await Promise.all(
      (steps as ('resubmit' | 'dismiss')[]).map((step) =>
        caller.decide((core) => core.parked[step]({ seqs: [seq] }, decider)),
      ),
    );
    const decided = outcomes.reduce((sum, outcome) => sum + ('value' in outcome ? outcome.value.facts : 0), 0);
    if (decided > 1) this.#world.fail(`${decided} people have decided about the fact parked at ${seq} (PD1)`);
  }

  async #publish(fact: SentFact): Promise<void> {
    for (;;) {
      try {
        const bytes = Buffer.from(JSON.stringify(fact));
        await this.#broker.publish(factSubject(fact.type, fact.location, fact.sku), bytes, { timeoutMs: 1_000 });
        this.acknowledged.set(fact.id, fact);
        return;
      } catch {
        // Storage is not confirmed, so send it again.
      }
    }
  }

  #next(): SentFact {
    const { scarce, busy, locations } = this.#world.options;
    const random = this.#random;
    const turn = random.next();
    if (turn < 0.15 && this.#sent.length > 0) return random.pick(this.#sent);
    // A different fact under a used id, in the same stream, must be parked.
    if (turn < 0.18 && this.#sent.length > 0) {
      const known = random.pick(this.#sent);
      if (known.type === 'receipt' || known.type === 'sale') return { ...known, qty: (known.qty ?? 0) + 1 };
      return known;
    }
    if (turn < 0.3)
      return this.#fact('receipt', random.pick(scarce), random.pick(locations), { qty: random.whole(1, 9) });
    if (turn < 0.42) return this.#sold() ?? this.#any(random.pick(busy));
    if (turn < 0.44) return this.#stopped() ?? this.#any(random.pick(busy));
    if (turn < 0.47) return this.#soldAfterEnd() ?? this.#any(random.pick(busy));
    return this.#any(random.pick(busy));
  }

  /** A sale of a reservation that a caller has confirmed. */
  #sold(): SentFact | undefined {
    const all = this.#callers.flatMap((caller) => [...caller.told].map(([id, told]) => ({ id, told })));
    const confirmed = all.filter(
      ({ told }) => told.status === 'allocated' && !told.sold && !told.busy && told.lines.length === 1,
    );
    if (confirmed.length === 0) return undefined;
    const { id, told } = this.#random.pick(confirmed);
    const line = told.lines[0];
    if (line === undefined) return undefined;
    told.sold = true;
    return this.#fact('sale', line.sku, line.location, { qty: line.qty, reservation: id });
  }

  /** A sale that names a reservation that is released already. Only of a SKU of which there may be too few. */
  #soldAfterEnd(): SentFact | undefined {
    const released = this.#callers
      .flatMap((caller) => [...caller.told].map(([id, told]) => ({ id, told })))
      .filter(({ told }) => told.status === 'released' && told.lines[0]?.sku.startsWith('B') === true);
    if (released.length === 0) return undefined;
    const { id, told } = this.#random.pick(released);
    const line = told.lines[0];
    return line && this.#fact('sale', line.sku, line.location, { qty: 1, reservation: id });
  }

  /** The return of a parcel that was stopped, at any location. Its reservation needs the units again. */
  #stopped(): SentFact | undefined {
    const sold = this.#callers
      .flatMap((caller) => [...caller.told].map(([id, told]) => ({ id, told })))
      .filter(({ told }) => told.sold);
    if (sold.length === 0) return undefined;
    const { id, told } = this.#random.pick(sold);
    const line = told.lines[0];
    if (line === undefined) return undefined;
    told.returned = true;
    const more = { qty: this.#random.whole(1, 2), disposition: 'restock', reservation: id };
    return this.#fact('return', line.sku, this.#random.pick(this.#world.options.locations), more);
  }

  #any(sku: string): SentFact {
    const random = this.#random;
    const location = random.pick(this.#world.options.locations);
    switch (random.whole(0, 7)) {
      case 0:
        return this.#fact('count', sku, location, { counted: random.whole(0, 50) });
      case 1:
        return this.#fact('adjustment', sku, location, { delta: random.pick([-3, -1, 2]), reason: 'shrink' });
      case 2:
        return this.#fact('return', sku, location, { qty: 1, disposition: random.pick(['restock', 'inspect']) });
      case 3:
        return this.#transfer(sku);
      case 4: {
        const units = { qty: random.whole(1, 9), damaged: random.whole(0, 2) };
        return this.#fact('receipt', sku, location, random.chance(0.5) ? { ...units, ...this.#order() } : units);
      }
      case 5: {
        const promisedAt = new Date(EPOCH_MS + random.whole(0, 5) * 86_400_000).toISOString();
        const line = random.chance(0.5) ? {} : { line: '2' };
        return this.#fact('purchase', sku, location, {
          ...this.#order(),
          ...line,
          qty: random.whole(0, 20),
          promisedAt,
        });
      }
      default:
        return this.#fact('sale', sku, location, { qty: random.whole(1, 4) });
    }
  }

  #order() {
    return { purchaseOrder: `p${this.#random.whole(1, 4)}` };
  }

  #transfer(sku: string): SentFact {
    const random = this.#random;
    const { locations } = this.#world.options;
    const [from, to] = [random.pick(locations), random.pick(locations)];
    const end = random.pick(['shipped', 'shipped', 'received', 'lost', 'corrected'] as const);
    const isClosed = end === 'lost' || end === 'corrected';
    const more = { qty: random.whole(1, 5), transfer: `t${random.whole(1, 12)}`, from, to };
    const phase = isClosed ? { phase: 'closed' as const, reason: end } : { phase: end };
    // Goods may arrive, and be missed, anywhere.
    const location = end === 'shipped' || end === 'corrected' ? from : random.pick(locations);
    return this.#fact('transfer', sku, location, { ...more, ...phase });
  }

  #fact(type: SentFact['type'], sku: string, location: string, more: Partial<SentFact>): SentFact {
    const late = this.#random.chance(0.2) ? this.#random.whole(0, 86_400_000) : 0;
    const occurredAt = new Date(
      EPOCH_MS + Math.floor(this.#world.scheduler.nowMs) - late + this.#clockMs,
    ).toISOString();
    const note = this.#note === undefined ? {} : { note: this.#note };
    return { id: `${this.#name}-${++this.#count}`, type, sku, location, occurredAt, ...more, ...note };
  }
}
