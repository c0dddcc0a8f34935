/** Decides which fault strikes, when, and for how long. The seed draws from the enabled faults. `heal` undoes every lasting fault. */

import type { RulesEntry } from '../../actors/idempotency/rules.ts';
import { LIMITS } from '../../config/limits.ts';
import { FACT_STREAM_NAMES, JOURNAL_STREAM, PARKED_STREAM, RULES_METADATA } from '../../config/topology.ts';
import type { StreamFacts } from '../../streams/broker.ts';
import type { Random } from '../../streams/random.ts';
import { forge } from '../callers/stranger.ts';
import type { SimNode } from '../node.ts';
import { type FaultName, SMALL_PAYLOAD_BYTES, SMALL_RECORD_BYTES } from '../options.ts';
import type { World } from '../world.ts';
import { Aim } from './aim.ts';

export class Nemesis {
  /** Number of faults so far, by name. */
  readonly counts = new Map<FaultName, number>();
  readonly #world: World;
  readonly #random: Random;
  readonly #aim: Aim;
  #stopped = false;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random.fork('nemesis');
    this.#aim = new Aim(world, (fault) => this.#count(fault));
    this.#supervise();
    if (world.options.faults.length > 0) this.#next();
    if (world.options.rulesEveryMs > 0) this.#addRules(world.random.fork('added rules'));
  }

  heal(): void {
    this.#stopped = true;
    this.#aim.stop();
    const { server, shelves, nodes } = this.#world;
    server.resume();
    server.start();
    server.maxRecordBytes = this.#world.options.maxRecordBytes;
    server.maxPayloadBytes = this.#world.options.maxPayloadBytes;
    server.makeRoom();
    shelves.away = false;
    shelves.slowMs = 0;
    for (const node of nodes) {
      node.link.heal();
      node.host.wake();
      node.host.offMs = this.#world.options.skewMs(node.name);
      if (!node.running) node.start();
    }
  }

  /** Restarts ended processes after a while. */
  #supervise(): void {
    this.#world.scheduler.after(500, () => {
      this.#supervise();
      if (this.#stopped) {
        for (const node of this.#world.nodes) if (!node.running) node.start();
        return;
      }
      for (const node of this.#world.nodes) if (!node.running && this.#random.chance(0.3)) node.start();
    });
  }

  /**
   * Adds entries to the list of rules while nodes run. The nodes learn of an entry late, so their judgements and snapshots from before that
   * must not count. All horizons judge the facts of this world alike, so the numbers do not change.
   */
  #addRules(random: Random): void {
    const { options, scheduler, server } = this.#world;
    scheduler.after(random.between(0.2, 1.8) * options.rulesEveryMs, () => {
      if (this.#stopped) return;
      const { metadata } = server.log.info(JOURNAL_STREAM) as StreamFacts;
      const entries = JSON.parse(metadata?.[RULES_METADATA] ?? '[]') as RulesEntry[];
      if (entries.length > 0 && entries.length < LIMITS.rulesEntries) {
        const ends = [...server.log.streams].map(([name, { messages }]) => [name, messages.length + 1] as const);
        const horizonMs = (options.settings.horizonMs as number) + entries.length * 1_000;
        const added = { ...(entries.at(-1) as RulesEntry), from: Object.fromEntries(ends), horizonMs };
        server.log.annotate(JOURNAL_STREAM, { ...metadata, [RULES_METADATA]: JSON.stringify([...entries, added]) });
        this.#world.note(`rules ${entries.length + 1}`);
      }
      this.#addRules(random);
    });
  }

  #next(): void {
    const { options, scheduler } = this.#world;
    scheduler.after(this.#random.between(0.2, 1.8) * options.faultEveryMs, () => {
      if (this.#stopped) return;
      const fault = this.#random.pick(options.faults);
      this.#count(fault);
      this.#world.note(`fault ${fault}`);
      this.#strike(fault);
      this.#next();
    });
  }

  #count(fault: FaultName): void {
    this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1);
  }

  #strike(fault: FaultName): void {
    const { server, shelves, scheduler, nodes } = this.#world;
    const random = this.#random;
    const node = random.pick(nodes);
    const later = (ms: number, undo: () => void) => void scheduler.after(ms, undo);
    switch (fault) {
      case 'kill':
        if (node.running) node.kill();
        return;
      case 'leave':
        if (node.running) node.stop();
        return;
      case 'pause':
        this.#pause(node);
        return;
      case 'cut':
        this.#cut(node);
        return;
      case 'slow-link':
        node.link.up.slowMs = random.pick([20, 300]);
        node.link.down.slowMs = random.pick([0, 20, 300]);
        later(random.between(500, 8_000), () => node.link.heal());
        return;
      case 'server-crash':
        if (!server.up) return;
        server.crash();
        later(server.mode === 'cluster' ? random.between(4_000, 7_000) : random.between(300, 3_000), () =>
          server.start(),
        );
        return;
      case 'server-pause':
        server.pause();
        later(random.between(100, 8_000), () => server.resume());
        return;
      case 'stranger':
        forge(this.#world, random);
        return;
      case 'small-records':
        server.maxRecordBytes = SMALL_RECORD_BYTES;
        later(random.between(100, 3_000), () => {
          server.maxRecordBytes = this.#world.options.maxRecordBytes;
        });
        return;
      case 'small-payload':
        server.maxPayloadBytes = SMALL_PAYLOAD_BYTES;
        later(random.between(100, 3_000), () => {
          server.maxPayloadBytes = this.#world.options.maxPayloadBytes;
        });
        return;
      case 'full-stream':
        // Longer than a stopping node waits for what it parks and for its last snapshot.
        server.fill(random.pick([...FACT_STREAM_NAMES, PARKED_STREAM, JOURNAL_STREAM]), random.between(100, 12_000));
        return;
      case 'store-away':
        shelves.away = true;
        later(random.between(500, 6_000), () => {
          shelves.away = false;
        });
        return;
      case 'store-empty':
        shelves.empty();
        return;
      case 'store-older':
        if (random.chance(0.5)) shelves.dump();
        else shelves.restore();
        return;
      case 'store-damage':
        shelves.damage(random);
        return;
      case 'clock-jump':
        node.host.offMs += random.pick([-86_400_000, -3_600_000, 3_600_000, 86_400_000]);
        // The clock is corrected before another process could start with the wrong time.
        later(random.between(100, 400), () => {
          node.host.offMs = this.#world.options.skewMs(node.name);
        });
        return;
    }
  }

  #pause(node: SimNode): void {
    const { host } = node;
    const { leaseTtlMs } = this.#world.options.settings;
    host.sleep();
    const ms = this.#random.pick([0.02, 0.3, 1, 1.2, 2.5]) * leaseTtlMs * this.#random.between(0.5, 1.5);
    this.#world.scheduler.after(ms, () => host.wake());
  }

  #cut(node: SimNode): void {
    const { link } = node;
    const weather = this.#random.pick(['drop', 'clog'] as const);
    const way = this.#random.pick(['up', 'down', 'both'] as const);
    if (way !== 'down') link.up.worsen(weather);
    if (way !== 'up') link.down.worsen(weather);
    const { leaseTtlMs } = this.#world.options.settings;
    // After about one lease another node takes over, and delayed messages arrive in the middle of the take-over.
    const leases = this.#random.pick([0.1, 0.6, this.#random.between(0.9, 1.6), 2]);
    this.#world.scheduler.after(leases * leaseTtlMs, () => link.heal());
  }
}
