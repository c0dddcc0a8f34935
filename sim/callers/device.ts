/**
 * A store device. It publishes facts late, twice and out of order, and sends unacknowledged facts again. Some facts are older than the
 * horizon and are parked. A caller resubmits some of these, and the device forges other resubmissions.
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
  #sent: SentFact[] = [];
  #count = 0;

  constructor(name: string, world: World, callers: readonly Caller[]) {
    this.#name = name;
    this.#world = world;
    this.#callers = callers;
    this.#random = world.random.fork(name);
    this.#old = this.#random.fork('old');
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
      if (this.#old.chance(0.04)) await this.#late();
      else await this.#publish(this.#next());
    }
  }

  /** Publishes a fact older than the horizon. */
  async #late(): Promise<void> {
    const { busy, locations, settings } = this.#world.options;
    const { witness } = this.#world;
    const old = this.#old;
    const occurredAt = new Date(this.#world.nowMs - 9 * 86_400_000).toISOString();
    const [sku, location] = [old.pick(busy), old.pick(locations)];
    const fact = { ...this.#fact('receipt', sku, location, { qty: old.whole(1, 9) }), occurredAt };
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
    this.#sent.push(fact);
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
    if (turn < 0.45) return this.#sold() ?? this.#any(random.pick(busy));
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

  #any(sku: string): SentFact {
    const random = this.#random;
    const location = random.pick(this.#world.options.locations);
    switch (random.whole(0, 6)) {
      case 0:
        return this.#fact('count', sku, location, { counted: random.whole(0, 50) });
      case 1:
        return this.#fact('adjustment', sku, location, { delta: random.pick([-3, -1, 2]), reason: 'shrink' });
      case 2:
        return this.#fact('return', sku, location, { qty: 1, disposition: random.pick(['restock', 'inspect']) });
      case 3:
        return this.#transfer(sku);
      case 4:
        return this.#fact('receipt', sku, location, { qty: random.whole(1, 9) });
      default:
        return this.#fact('sale', sku, location, { qty: random.whole(1, 4) });
    }
  }

  #transfer(sku: string): SentFact {
    const random = this.#random;
    const { locations } = this.#world.options;
    const [from, to] = [locations[0] as string, locations.at(-1) as string];
    const transfer = `t${random.whole(1, 12)}`;
    const phase = random.pick(['shipped', 'received'] as const);
    const more = { qty: random.whole(1, 5), phase, transfer, from, to };
    return this.#fact('transfer', sku, phase === 'shipped' ? from : to, more);
  }

  #fact(type: SentFact['type'], sku: string, location: string, more: Partial<SentFact>): SentFact {
    const late = this.#random.chance(0.2) ? this.#random.whole(0, 86_400_000) : 0;
    const occurredAt = new Date(EPOCH_MS + Math.floor(this.#world.scheduler.nowMs) - late).toISOString();
    return { id: `${this.#name}-${++this.#count}`, type, sku, location, occurredAt, ...more };
  }
}
