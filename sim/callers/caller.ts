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
  readonly request: ReservationRequest;
  status: Status;
  lines: ReservationAnswer['lines'];
  expiresAtMs: number;
  etag: string;
  /** True if a request may have been carried out after its refusal was heard, because an earlier copy of it was still on its way. */
  unsure: boolean;
  /** True if its units were sold to the caller's customer. */
  sold: boolean;
  /** True if some of them came back. */
  returned: boolean;
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
  /** Ids that were cancelled before they were placed. */
  readonly cancelled = new Set<string>();
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
  async decide<T>(
    call: (core: Core) => Promise<T>,
  ): Promise<({ value: T } | { refusal: Refusal }) & { readonly tries: number }> {
    for (let tries = 1; ; tries++) {
      const outcome = await this.#ask(this.#random.pick(this.#world.nodes), call);
      if (outcome.is === 'answered') return { value: outcome.value, tries };
      if (outcome.is === 'refused' && outcome.refusal.kind !== 'undecided') return { refusal: outcome.refusal, tries };
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
    if (this.#random.chance(0.05)) return this.#cancel(request);
    const floors = request.lines.map(({ sku }) => this.#versions.floor(sku));
    const outcome = await this.decide((core) => core.router.place(request));
    this.decided += 1;
    if ('refusal' in outcome) {
      // The answer to an earlier try was lost, and the hold has expired since.
      if (outcome.refusal.kind === 'already-expired' && outcome.tries > 1) return;
      if (outcome.refusal.kind !== 'insufficient-stock')
        this.#world.fail(`reservation ${id} is refused as ${outcome.refusal.kind}: ${outcome.refusal.message}`);
      this.refused.add(id);
      return;
    }
    const { reservation, fresh } = outcome.value;
    this.#holdAgainst(id, reservation, request.confirm === true ? ['allocated'] : ['held', 'expired']);
    const { status, lines, etag } = reservation;
    const expiresAtMs = Date.parse(reservation.expiresAt ?? '');
    if (status === 'held' || status === 'allocated') {
      this.told.set(id, {
        request,
        status,
        lines,
        expiresAtMs,
        etag,
        unsure: false,
        sold: false,
        returned: false,
        busy: false,
      });
    }
    for (const line of reservation.lines) {
      const at = request.lines.findIndex(({ sku }) => sku === line.sku);
      if (fresh) this.#versions.saw(line.sku, line.version, floors[at] ?? [0, 0]);
    }
    if (this.#random.chance(0.1)) await this.#again(request);
  }

  /** A cancellation that comes before its placement is remembered. */
  async #cancel(request: ReservationRequest): Promise<void> {
    const { id } = request;
    const outcome = await this.decide((core) => core.router.release(id));
    if ('refusal' in outcome || outcome.value.status !== 'released' || outcome.value.known !== false)
      return this.#world.fail(`the cancellation of ${id} before its placement is ${JSON.stringify(outcome)}`);
    this.cancelled.add(id);
    const placed = await this.decide((core) => core.router.place(request));
    if (!('refusal' in placed) || placed.refusal.kind !== 'already-released')
      this.#world.fail(`reservation ${id} was cancelled, and its placement is ${JSON.stringify(placed)}`);
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
    if ('refusal' in outcome) {
      if (outcome.refusal.kind === 'already-expired' && told?.status !== 'allocated') return;
      return this.#world.fail(`${request.id} asked for again is ${outcome.refusal.kind}`);
    }
    if (outcome.value.fresh) this.#world.fail(`${request.id} is granted twice`);
    if (told !== undefined && !told.sold && placesOf(outcome.value.reservation.lines) !== placesOf(told.lines))
      this.#world.fail(`${request.id} asked for again has other lines`);
  }

  async #step(id: string): Promise<void> {
    const told = this.told.get(id) as Told;
    if (told.sold) return;
    const turn = this.#random.next();
    if (turn < 0.3 && told.status !== 'released' && told.status !== 'expired') return this.#amend(id, told);
    if (turn < 0.45 && told.status !== 'released' && told.status !== 'expired') return this.#releaseSome(id, told);
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
    told.etag = outcome.value.etag;
  }

  /** Changes quantities, locations or time. The whole change is made, or nothing of it. */
  async #amend(id: string, told: Told): Promise<void> {
    const random = this.#random;
    const { ttlSeconds: _ttl, confirm: _confirm, ...request } = told.request;
    const lines = request.lines
      .filter((_, index) => index === 0 || random.chance(0.8))
      .map(({ locations, ...line }) => ({
        ...line,
        qty: Math.max(1, line.qty + random.whole(-1, 2)),
        ...(random.chance(0.5) && locations !== undefined ? { locations } : {}),
      }));
    const extended = told.status === 'held' && random.chance(0.5);
    const amended = { ...request, lines, ...(extended ? { ttlSeconds: random.whole(2, 60) } : {}) };
    const ifMatch = random.chance(0.5) ? told.etag : undefined;
    told.busy = true;
    const outcome = await this.decide((core) => core.router.amend({ ...amended, ifMatch }));
    told.busy = false;
    this.decided += 1;
    if (outcome.tries > 1) told.unsure = true;
    if ('refusal' in outcome) {
      const { kind } = outcome.refusal;
      const late = kind === 'already-expired' && told.status === 'held';
      const again = kind === 'changed' && (told.unsure || ifMatch === undefined);
      if (late) told.status = 'expired';
      else if (kind !== 'insufficient-stock' && !again) this.#world.fail(`a change of ${id} is ${kind}`);
      return;
    }
    this.#holdAgainst(id, outcome.value, told.status === 'held' ? ['held', 'expired'] : [told.status]);
    const { status, etag, expiresAt } = outcome.value;
    const wanted = lines.reduce((sum, { qty }) => sum + qty, 0);
    const has = outcome.value.lines.reduce((sum, { qty }) => sum + qty, 0);
    if (status !== 'expired' && (request.partial ? has > wanted : has !== wanted))
      this.#world.fail(`${id} was changed to ${wanted} units and has ${has}`);
    Object.assign(told, { status, etag, lines: outcome.value.lines, expiresAtMs: Date.parse(expiresAt ?? '') });
    if (ifMatch === undefined || random.chance(0.5)) return;
    // The version of before the change is no longer the reservation's.
    const stale = await this.decide((core) => core.router.amend({ ...amended, ifMatch }));
    if (!('refusal' in stale) || (stale.refusal.kind !== 'changed' && stale.refusal.kind !== 'already-expired'))
      this.#world.fail(`${id} was changed, though it is not at version ${ifMatch} any more`);
  }

  async #releaseSome(id: string, told: Told): Promise<void> {
    const line = this.#random.pick(told.lines);
    const part = { id: `${id}-r${++this.#count}`, lines: [{ sku: line.sku, location: line.location, qty: 1 }] };
    const before = unitsOf(told.lines);
    told.busy = true;
    const outcome = await this.decide((core) => core.router.releaseSome(id, part));
    const again = await this.decide((core) => core.router.releaseSome(id, part));
    told.busy = false;
    this.decided += 1;
    if ('refusal' in outcome) {
      const { kind } = outcome.refusal;
      if (kind === 'already-expired' && told.status === 'held') told.status = 'expired';
      else if (!told.unsure) this.#world.fail(`a partial release of ${id} is ${kind}`);
      return;
    }
    if ('refusal' in again) return this.#world.fail(`a partial release of ${id} again is ${again.refusal.kind}`);
    const { status, etag, lines } = again.value;
    // The last unit ends the reservation, whose lines stay.
    if (!told.unsure && status !== 'released' && status !== 'expired' && unitsOf(lines) !== before - 1)
      this.#world.fail(`${id} had ${before} units, one was released, and it has ${unitsOf(lines)}`);
    this.#holdAgainst(id, again.value, [
      told.status,
      'released',
      ...(told.status === 'held' ? ['expired' as const] : []),
    ]);
    Object.assign(told, { status, etag, lines });
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
        ({ sku, location, qty, epoch, seq }) =>
          sku === line.sku && location === line.location && qty === line.qty && `${epoch}.${seq}` === line.version,
      );
      if (!same)
        this.#world.fail(`${id} is answered with a line that the journal has not: ${JSON.stringify(line)} (I3)`);
    }
    // A hold may expire while the answer travels.
    const since: Status[] = answer.status === 'held' ? ['held', 'expired'] : [answer.status as Status];
    if (!since.includes(journaled.status))
      this.#world.fail(`${id} is answered ${answer.status}, the journal has ${journaled.status} (I3)`);
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
      ...(random.chance(0.15) ? { confirm: true } : { ttlSeconds: random.chance(0.4) ? random.whole(1, 20) : 3_600 }),
      partial: random.chance(0.2),
      lines,
    };
  }
}

function unitsOf(lines: ReservationAnswer['lines']): number {
  return lines.reduce((sum, { qty }) => sum + qty, 0);
}

/** The lines without what sales have fulfilled of them. */
export function placesOf(lines: ReservationAnswer['lines']): string {
  return JSON.stringify(lines.map(({ sku, location, qty, version }) => [sku, location, qty, version]));
}
