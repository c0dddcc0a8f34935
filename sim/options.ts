/** The options that a seed draws: the size of its world, its delays and its faults. */
import type { EngineSettings } from '../actors/engine/parts.ts';
import type { Random } from '../streams/random.ts';

export const FAULTS = [
  'kill',
  'pause',
  'leave',
  'cut',
  'slow-link',
  'server-crash',
  'server-pause',
  'store-away',
  'store-empty',
  'store-older',
  'store-damage',
  'clock-jump',
  'stranger',
  'small-records',
  'small-payload',
  'full-stream',
] as const;
export type FaultName = (typeof FAULTS)[number];

export interface Options {
  readonly mode: 'single' | 'cluster';
  readonly nodes: number;
  readonly callers: number;
  readonly devices: number;
  readonly safetyMs: number;
  /** Longest additional delay of a snapshot store call, in milliseconds. Events within a snapshot need this time to happen. */
  readonly storeMs: number;
  /** Work per turn of a node's event loop, in milliseconds. Other nodes are served between turns. */
  readonly turnMs: number;
  /** Approximate time between two faults, in milliseconds. */
  readonly faultEveryMs: number;
  /** Largest record that the server accepts, in bytes. It is either the product's limit or less than a busy moment produces. */
  readonly maxRecordBytes: number;
  /** Largest message that the server accepts, in bytes. Nodes know it, and it changes while they run. */
  readonly maxPayloadBytes: number;
  /** Share of the facts that devices submit to nodes. They publish the others themselves. */
  readonly submitted: number;
  /** Whether nodes share a key that seals snapshots. Without one, checksums alone show damage. */
  readonly sealed: boolean;
  /** Approximate time between two entries added to the list of rules while nodes run, in milliseconds. 0 adds none. */
  readonly rulesEveryMs: number;
  readonly faults: readonly FaultName[];
  /** Whether a node can detect that another node's process is dead. */
  readonly oneMachine: boolean;
  readonly skewMs: (node: string) => number;
  /** SKUs that get only receipts and sales of confirmed reservations, so every promised unit must be there. */
  readonly scarce: readonly string[];
  readonly busy: readonly string[];
  readonly locations: readonly string[];
  readonly settings: EngineSettings & { readonly laneTimeMs: number };
}

const DAY_MS = 86_400_000;
/** Takes any single decision, and fewer decisions than a busy moment produces. */
export const SMALL_RECORD_BYTES = 500;
/** Takes the smallest bundle, and fewer facts than a busy moment produces. */
export const SMALL_PAYLOAD_BYTES = 128 * 1024;

export function draw(random: Random, chosen: readonly FaultName[] | undefined): Options {
  const skew = random.fork('skew');
  const skews = new Map<string, number>();
  const names = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`);
  return {
    mode: random.chance(0.5) ? 'single' : 'cluster',
    nodes: random.whole(1, 3),
    callers: random.whole(2, 6),
    devices: random.whole(1, 2),
    safetyMs: random.pick([5_000, 15_000, 40_000]),
    turnMs: random.fork('turn').pick([0, 0.3, 4]),
    storeMs: random.fork('store').pick([0, 0, 20, 200]),
    rulesEveryMs: random.fork('rules').pick([0, 0, 2_000, 8_000]),
    faultEveryMs: random.pick([400, 1_500, 5_000]),
    maxRecordBytes: random.fork('record bytes').pick([8 * 1024 * 1024, SMALL_RECORD_BYTES]),
    maxPayloadBytes: random.fork('payload').pick([8 * 1024 * 1024, SMALL_PAYLOAD_BYTES]),
    submitted: random.fork('submitted').pick([0, 0.3, 0.8]),
    sealed: random.fork('sealed').chance(0.5),
    faults: chosen ?? FAULTS.filter(() => random.chance(0.4)),
    oneMachine: random.chance(0.5),
    skewMs: (node) => {
      if (!skews.has(node)) skews.set(node, Math.round(skew.between(-1_500, 1_500)));
      return skews.get(node) as number;
    },
    scarce: names('S', random.pick([1, 3, 6])),
    busy: names('B', random.pick([1, 4])),
    locations: names('L', random.whole(1, 2)),
    settings: {
      partitions: random.pick([1, 4, 8]),
      horizonMs: 7 * DAY_MS,
      leaseTtlMs: random.pick([3_000, 15_000]),
      snapshotIntervalMs: random.pick([300, 3_000]),
      reservationMemoryMs: 7 * DAY_MS,
      laneTimeMs: 3 * DAY_MS,
      // So short that a snapshot takes many turns, with changes between them.
      snapshotTurnMs: 0,
      itemsPerPage: random.pick([1, 4, 256]),
    },
  };
}

/** Everything that was drawn, for people to read. */
export function describe({ settings, ...options }: Options): string {
  // JSON omits functions.
  return JSON.stringify({ ...options, ...settings });
}
