/**
 * A storefront's caller. It places, confirms and releases reservations, and repeats each request with the same body until there is a
 * decision, as the contract requires. It remembers every answer and checks it against the witness.
 */
import type { Core } from '../../actors/engine/core.ts';
import { Refusal } from '../../actors/ports/refusal.ts';
import type { ReservationAnswer, ReservationRequest } from '../../streams/contract/stock.ts';
import type { Random } from '../../streams/random.ts';
import { partitionOf } from '../../streams/subjects.ts';
import type { SimNode } from '../node.ts';
import type { Status } from '../witness/witness.ts';
import type { World } from '../world.ts';

const TIMEOUT_MS = 8_000;

/** The outcome of one call. */
type Outcome<T> =
  | { readonly is: 'answered'; readonly value: T }
  | { readonly is: 'refused'; readonly refusal: Refusal }
  | { readonly is: 'unknown' };

/** A reservation as the caller last heard of it. */
export interface Told {
  status: Status;
  readonly lines: ReservationAnswer['lines'];
  readonly expiresAtMs: number;
  /** True if its units were sold to the caller's customer. */
  sold: boolean;
  /** True while a step of it is in progress. */
  busy: boolean;
}

/** The highest version of each SKU that any caller has seen. */
export class Versions {
  readonly #highest = new Map<string, readonly [number, number]>();
  readonly #fail: (what: string) => void;

  constructor(fail: (what: string) => void) {
    this.#fail = fail;
  }

  floor(sku: string): readonly [number, number] {
    return this.#highest.get(sku) ?? [0, 0];
  }

  /** Checks a version that answers a request sent when `floor` was the highest (I7). */
  saw(sku: string, version: string, floor: readonly [number, number]): void {
    const [epoch = 0, seq = 0] = version.split('.').map(Number);
    if (epoch < floor[0] || (epoch === floor[0] && seq < floor[1]))
      this.#fail(`version of ${sku} goes back from ${floor.join('.')} to ${version} (I7)`);
    const highest = this.floor(sku);
    if (epoch > highest[0] || (epoch === highest[0] && seq > highest[1])) this.#highest.set(sku, [epoch, seq]);
  }
}

export class Caller {
  readonly told = new Map<string, Told>();
  /** Reservations refused for lack of stock. */
  readonly refused = new Set<string>();
  decided = 0;
  readonly #name: string;
  readonly #world: World;
  readonly #random: Random;
  readonly #versions: Versions;
  #count = 0;

  constructor(name: string, world: World, versions: Versions) {
    this.#name = name;
    this.#world = world;
    this.#random = world.random.fork(name);
    this.#versions = versions;
  }

  /** Works until `stopped` returns true, and finishes the operation in progress. */
  async work(stopped: () => boolean): Promise<void> {
    while (!stopped()) {
      await this.#pause(this.#random.between(1, 120));
      const turn = this.#random.next();
      if (turn < 0.3) await this.#readAtp();
      else if (turn < 0.75 || this.told.size === 0) await this.#place();
      else await this.#step(this.#random.pick([...this.told.keys()]));
    }
  }

  /** Repeats the call until there is a decision, each time at a random node. */
  async decide<T>(call: (core: Core) => Promise<T>): Promise<{ value: T } | { refusal: Refusal }> {
    for (;;) {
      const outcome = await this.#ask(this.#random.pick(this.#world.nodes), call);
      if (outcome.is === 'answered') return { value: outcome.value };
      if (outcome.is === 'refused' && outcome.refusal.kind !== 'undecided') return { refusal: outcome.refusal };
      await this.#pause(this.#random.between(5, 60));
    }
  }

  #ask<T>(node: SimNode, call: (core: Core) => Promise<T>): Promise<Outcome<T>> {
    const { scheduler } = this.#world;
    return new Promise((resolve) => {
      const cancel = scheduler.after(TIMEOUT_MS, () => resolve({ is: 'unknown' }));
      const answer = (outcome: Outcome<T>) => {
        scheduler.after(this.#random.between(0.05, 1), () => {
          cancel();
          resolve(outcome);
        });
      };
      const { host } = node;
      scheduler.after(this.#random.between(0.05, 1), () => {
        if (!host.alive || node.core === undefined) {
          answer({ is: 'unknown' });
          return;
        }
        const { core } = node;
        host.reach(() => {
          call(core).then(
            (value) => {
              if (host.alive) answer({ is: 'answered', value });
            },
            (error) => {
              if (!(error instanceof Refusal)) this.#world.fail(`a bug at ${host.name}: ${(error as Error).stack}`);
              else if (host.alive) answer({ is: 'refused', refusal: error });
            },
          );
        });
      });
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#world.scheduler.after(ms, resolve));
  }

  async #readAtp(): Promise<void> {
    const { options } = this.#world;
    const sku = this.#random.pick([...options.scarce, ...options.busy]);
    const floor = this.#versions.floor(sku);
    const { freeBounds, witness, scheduler } = this.#world;
    const [since, epoch] = [scheduler.nowMs, witness.epochOf(partitionOf(sku, options.settings.partitions))];
    const outcome = await this.#ask(this.#random.pick(this.#world.nodes), (core) =>
      core.router.atp({ lines: [{ sku }] }),
    );
    if (outcome.is !== 'answered') return;
    const line = outcome.value.lines[0];
    if (line === undefined) return;
    this.#versions.saw(sku, line.version, floor);
    if (line.version !== '0.0' && Number(line.version.split('.')[0]) < epoch)
      this.#world.fail(`${sku} is answered from ${line.version}, when epoch ${epoch} had begun (I9)`);
    // An owner may answer from its folded state while its lease holds, so the answer may be one lease old.
    const most = freeBounds.most(sku, since - options.settings.leaseTtlMs);
    if (sku.startsWith('S') && line.atp > most)
      this.#world.fail(`${sku} is said to have ${line.atp} to promise, and never had more than ${most} (I9)`);
  }

  async #place(): Promise<void> {
    const id = `${this.#name}-${++this.#count}`;
    const request = this.#request(id);
    const floors = request.lines.map(({ sku }) => this.#versions.floor(sku));
    const outcome = await this.decide((core) => core.router.place(request));
    this.decided += 1;
    if ('refusal' in outcome) {
      if (outcome.refusal.kind !== 'insufficient-stock')
        this.#world.fail(`reservation ${id} is refused as ${outcome.refusal.kind}: ${outcome.refusal.message}`);
      this.refused.add(id);
      return;
    }
    const { reservation, fresh } = outcome.value;
    this.#holdAgainst(id, reservation, ['held', 'expired']);
    const expiresAtMs = Date.parse(reservation.expiresAt ?? '');
    if (reservation.status === 'held') {
      this.told.set(id, { status: 'held', lines: reservation.lines, expiresAtMs, sold: false, busy: false });
    }
    for (const line of reservation.lines) {
      const at = request.lines.findIndex(({ sku }) => sku === line.sku);
      if (fresh) this.#versions.saw(line.sku, line.version, floors[at] ?? [0, 0]);
    }
    if (this.#random.chance(0.1)) await this.#again(request);
  }

  /** The same id with the same content returns the same grant. With other content it is a conflict. */
  async #again(request: ReservationRequest): Promise<void> {
    const told = this.told.get(request.id);
    if (this.#random.chance(0.3)) {
      const other = { ...request, lines: request.lines.map((line) => ({ ...line, qty: line.qty + 1 })) };
      const outcome = await this.decide((core) => core.router.place(other));
      if (!('refusal' in outcome) || outcome.refusal.kind !== 'id-conflict')
        this.#world.fail(`other content under id ${request.id} is not a conflict (I6)`);
      return;
    }
    const outcome = await this.decide((core) => core.router.place(request));
    if ('refusal' in outcome) return this.#world.fail(`${request.id} asked for again is ${outcome.refusal.kind}`);
    if (outcome.value.fresh) this.#world.fail(`${request.id} is granted twice`);
    if (told !== undefined && JSON.stringify(outcome.value.reservation.lines) !== JSON.stringify(told.lines))
      this.#world.fail(`${request.id} asked for again has other lines`);
  }

  async #step(id: string): Promise<void> {
    const told = this.told.get(id) as Told;
    if (told.sold) return;
    const confirm = told.status === 'held' && this.#random.chance(0.5);
    told.busy = true;
    const outcome = await this.decide((core) => (confirm ? core.router.confirm(id) : core.router.release(id)));
    told.busy = false;
    this.decided += 1;
    if ('refusal' in outcome) {
      // A hold may expire before its confirmation arrives. A confirmed reservation has no expiry.
      const late = confirm && outcome.refusal.kind === 'already-expired' && told.status === 'held';
      if (!late) this.#world.fail(`${confirm ? 'confirm' : 'release'} of ${id} is ${outcome.refusal.kind}`);
      else told.status = 'expired';
      return;
    }
    const wanted: Status = confirm ? 'allocated' : 'released';
    const allowed: Status[] = confirm
      ? ['allocated']
      : told.status === 'allocated'
        ? ['released']
        : ['released', 'expired'];
    this.#holdAgainst(id, outcome.value, allowed);
    if (outcome.value.status !== wanted && outcome.value.status !== 'expired')
      this.#world.fail(`${id} should be ${wanted} and is ${outcome.value.status}`);
    told.status = outcome.value.status as Status;
  }

  /** Every answer must be in the journal (I3). */
  #holdAgainst(id: string, answer: ReservationAnswer, allowed: readonly Status[]): void {
    const journaled = this.#world.witness.reservation(id);
    if (journaled === undefined) {
      this.#world.fail(`${id} is answered ${answer.status} and is not in the journal (I3)`);
      return;
    }
    if (!allowed.includes(answer.status as Status))
      this.#world.fail(`${id} is answered ${answer.status}, expected ${allowed.join(' or ')}`);
    for (const line of answer.lines) {
      const same = journaled.lines.some(
        ({ sku, location, qty, version }) =>
          sku === line.sku && location === line.location && qty === line.qty && version === line.version,
      );
      if (!same)
        this.#world.fail(`${id} is answered with a line that the journal has not: ${JSON.stringify(line)} (I3)`);
    }
    // A confirmed reservation is confirmed in every part. A released one may have expired parts, because a hold may expire while the answer
    // travels.
    if (answer.status === 'allocated' && [...journaled.statuses].some((status) => status !== 'allocated'))
      this.#world.fail(`${id} is answered allocated, the journal has ${[...journaled.statuses].join()} (I3)`);
    if (answer.status === 'released' && !journaled.statuses.has('released'))
      this.#world.fail(`${id} is answered released, the journal has ${[...journaled.statuses].join()} (I3)`);
  }

  #request(id: string): ReservationRequest {
    const { options } = this.#world;
    const random = this.#random;
    const count = random.chance(0.6) ? 1 : random.whole(2, 3);
    const lines = Array.from({ length: count }, () => ({
      sku: random.pick(random.chance(0.8) ? options.scarce : options.busy),
      qty: random.whole(1, 3),
      split: random.chance(0.2),
      ...(random.chance(0.3) ? { locations: [random.pick(options.locations)] } : {}),
    }));
    return {
      id,
      channel: 'web',
      purpose: 'order',
      ttlSeconds: random.chance(0.4) ? random.whole(1, 20) : 3_600,
      partial: random.chance(0.2),
      lines,
    };
  }
}
