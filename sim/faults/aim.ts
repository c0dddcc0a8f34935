/**
 * Faults aimed at critical moments. Random timing seldom hits the few milliseconds of a take-over, a fence or a snapshot. This class
 * watches the server and the store for such moments, and strikes during them or shortly after.
 */

import { JOURNAL_STREAM, NODES_BUCKET, OWNERS_BUCKET, PARKED_STREAM } from '../../config/topology.ts';
import { decodeRecord } from '../../streams/journal/record.ts';
import type { Message } from '../../streams/memory/log.ts';
import type { Random } from '../../streams/random.ts';
import type { SimNode } from '../node.ts';
import type { FaultName } from '../options.ts';
import { STRANGER_SUBJECT } from '../witness/witness.ts';
import type { World } from '../world.ts';

/** The moments, and the probability that a watched one is struck. */
const MOMENTS = {
  claim: 0.6,
  fence: 0.6,
  record: 0.02,
  lease: 0.04,
  snapshot: 0.15,
  restored: 0.3,
  bundle: 0.1,
  join: 0.6,
} as const;
type Moment = keyof typeof MOMENTS;
/** Usual time from the first claim of a take-over to its end, in milliseconds. */
const TAKE_OVER_MS = 60;

export class Aim {
  readonly #world: World;
  readonly #random: Random;
  readonly #watched: readonly Moment[];
  readonly #struck: (fault: FaultName) => void;
  /** Writers of the processes that have had a lease. */
  readonly #joined: Set<string>;
  #restUntilMs = 0;
  #stopped = false;

  /** @param struck called with each fault */
  constructor(world: World, struck: (fault: FaultName) => void) {
    this.#world = world;
    this.#random = world.random.fork('aim');
    this.#struck = struck;
    this.#joined = new Set(world.processes.keys());
    const on = this.#random.chance(0.75);
    this.#watched = (Object.keys(MOMENTS) as Moment[]).filter(() => this.#random.chance(0.5) && on);
    this.#watch();
  }

  stop(): void {
    this.#stopped = true;
  }

  #watch(): void {
    const { server, shelves } = this.#world;
    const { onPut } = server.log;
    server.log.hear((stream, message) => {
      if (stream === JOURNAL_STREAM && message.subject !== STRANGER_SUBJECT) this.#record(message);
      else if (message.subject.startsWith('bundle.')) this.#moment('bundle');
    });
    server.log.onPut = (bucket, key, value) => {
      onPut(bucket, key, value);
      if (bucket === OWNERS_BUCKET) this.#moment('claim', (JSON.parse(value) as { node: string }).node);
      if (bucket === NODES_BUCKET) this.#lease(key, (JSON.parse(value) as { writer: string }).writer);
    };
    shelves.onSwapped = () => this.#moment('snapshot');
    shelves.onRead = () => this.#moment('restored');
  }

  /** The first lease of a process makes the others hand partitions over to it. */
  #lease(name: string, writer: string): void {
    const moment = this.#joined.has(writer) ? 'lease' : 'join';
    this.#joined.add(writer);
    this.#moment(moment, name);
  }

  #record({ data }: Message): void {
    const { writer, decisions } = decodeRecord(data);
    const fence = decisions.find(({ kind }) => kind === 'fenced');
    // A writer's name begins with its node's name.
    this.#moment(fence === undefined ? 'record' : 'fence', writer.slice(0, writer.lastIndexOf('-')));
  }

  /** Nodes whose messages are held up. Their late arrival within a take-over is the most dangerous. */
  get #held(): SimNode[] {
    return this.#world.nodes.filter(({ link }) => link.clogged);
  }

  /** @param name the node concerned, if the moment concerns one */
  #moment(moment: Moment, name?: string): void {
    const { scheduler, options } = this.#world;
    if (this.#stopped || scheduler.nowMs < this.#restUntilMs || !this.#watched.includes(moment)) return;
    const isLate = moment === 'claim' && this.#held.length > 0;
    if (!this.#random.chance(isLate ? 0.9 : MOMENTS[moment])) return;
    this.#restUntilMs = scheduler.nowMs + this.#random.between(0, 0.5) * options.faultEveryMs;
    const within = isLate ? TAKE_OVER_MS : this.#random.pick([0, 3, 40, 400]);
    scheduler.after(this.#random.between(0, within), () => {
      if (!this.#stopped) this.#strike(moment, name);
    });
  }

  #strike(moment: Moment, name: string | undefined): void {
    const { options, nodes } = this.#world;
    const held = this.#held;
    if (held.length > 0 && this.#random.chance(0.7)) {
      this.#struck('cut');
      this.#world.note(`aimed at a ${moment}: what was held up on its way arrives`);
      for (const { link } of held) link.heal();
      return;
    }
    const fits = STRIKES.filter(([fault]) => options.faults.includes(fault));
    if (fits.length === 0) return;
    const [fault, title, strike] = this.#random.pick(fits);
    const concerned = nodes.find((each) => each.name === name);
    const node = concerned !== undefined && this.#random.chance(0.5) ? concerned : this.#random.pick(nodes);
    this.#struck(fault);
    this.#world.note(`aimed at a ${moment}: ${title} ${node.name}`);
    strike(this.#world, node, this.#random);
  }
}

type Strike = (world: World, node: SimNode, random: Random) => void;

/** Possible strikes, each with the fault from options.ts that it belongs to. */
const STRIKES: readonly (readonly [FaultName, string, Strike])[] = [
  [
    'cut',
    'what is said is held up, from',
    ({ scheduler, options }, { link }, random) => {
      link.up.worsen('clog');
      scheduler.after(random.pick([0.02, 0.5, 1, 1.5]) * options.settings.leaseTtlMs, () => link.heal());
    },
  ],
  [
    'cut',
    'what is answered is held up, to',
    ({ scheduler, options }, { link }, random) => {
      link.down.worsen('clog');
      scheduler.after(random.pick([0.02, 0.5, 1, 1.5]) * options.settings.leaseTtlMs, () => link.heal());
    },
  ],
  [
    'pause',
    'a pause of',
    ({ scheduler, options }, { host }, random) => {
      host.sleep();
      scheduler.after(random.pick([0.01, 0.3, 1.1, 1.5]) * options.settings.leaseTtlMs, () => host.wake());
    },
  ],
  [
    'kill',
    'the end of',
    (_, node) => {
      if (node.running) node.kill();
    },
  ],
  [
    'leave',
    'the leave of',
    (_, node) => {
      if (node.running) node.stop();
    },
  ],
  [
    // Messages already sent still arrive after their process has ended.
    'kill',
    'slow ways, then the end of',
    ({ scheduler }, node, random) => {
      const { host } = node;
      node.link.up.slowMs = 400;
      scheduler.after(random.between(0, 300), () => {
        if (node.host === host && node.running) node.kill();
      });
    },
  ],
  [
    // The others know that it is dead and hear nothing of its successor.
    'kill',
    'late answers to all others, and the end of',
    ({ scheduler, nodes }, node, random) => {
      if (node.running) node.kill();
      for (const { name, link } of nodes) {
        if (name === node.name) continue;
        link.down.worsen('clog');
        scheduler.after(random.between(300, 2_500), () => link.heal());
      }
    },
  ],
  [
    // A renewal is sent late, within the lease, and arrives when others may have taken over.
    'pause',
    'a pause across the next renewal, which is held up, of',
    ({ scheduler, options }, { host, link }, random) => {
      const { leaseTtlMs } = options.settings;
      link.up.worsen('clog');
      host.sleep();
      scheduler.after(0.4 * leaseTtlMs, () => host.wake());
      scheduler.after(random.between(1, 1.07) * leaseTtlMs, () => link.heal());
    },
  ],
  [
    'slow-link',
    'slow ways of',
    ({ scheduler }, { link }, random) => {
      link.up.slowMs = random.pick([0, 30, 500]);
      link.down.slowMs = random.pick([0, 30, 500]);
      scheduler.after(random.between(50, 3_000), () => link.heal());
    },
  ],
  ['store-older', 'an older store before', ({ shelves }) => shelves.restore()],
  ['store-older', 'a copy of the store before', ({ shelves }) => shelves.dump()],
  ['store-damage', 'damage in the store before', ({ shelves }, _, random) => shelves.damage(random)],
  ['store-empty', 'an empty store before', ({ shelves }) => shelves.empty()],
  [
    'store-away',
    'no store before',
    ({ shelves, scheduler }, _, random) => {
      shelves.away = true;
      scheduler.after(random.between(20, 3_000), () => {
        shelves.away = false;
      });
    },
  ],
  [
    'full-stream',
    'no room for what is decided or parked before',
    ({ server }, _, random) => server.fill(random.pick([JOURNAL_STREAM, PARKED_STREAM]), random.between(20, 12_000)),
  ],
  [
    'server-pause',
    'a pause of the server before',
    ({ server, scheduler }, _, random) => {
      server.pause();
      scheduler.after(random.between(10, 3_000), () => server.resume());
    },
  ],
];
