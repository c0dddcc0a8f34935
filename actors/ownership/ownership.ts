/**
 * Ownership: which node decides for which partition.
 *
 * A node is alive while its key in the nodes' bucket is renewed. Rendezvous hashing over the live nodes says who should own a
 * partition; its key in the owners' bucket, changed by compare-and-set, says who does. The epoch is that key's revision.
 *
 * Invariants:
 *  OW1 A partition is served only after every writer that may still write for it is fenced.
 *  OW2 The lease counts from the moment a renewal was sent, by the monotonic clock, and ends before others take over.
 *  OW3 A lease that ran out counts again only after the owner keys of all partitions held have been written anew.
 */
import { RULES_VERSION } from '../../config/rules.ts';
import { NODES_BUCKET, OWNERS_BUCKET } from '../../config/topology.ts';
import type { Keys } from '../../streams/broker.ts';
import type { Clock } from '../../streams/clock.ts';
import { hash64 } from '../../streams/hash.ts';

export interface NodeInfo {
  readonly name: string;
  readonly writer: string;
  readonly http: string;
  /** Tells another process of this machine whether this one still lives; undefined where that cannot be known. */
  readonly process: string | undefined;
  /** The newest version of rules that it knows; 0.1 does not say, and knows 1. */
  readonly rules?: number;
}
interface OwnerInfo {
  /** Writer that decides for it; '' if nobody does. */
  readonly writer: string;
  readonly node: string;
  /** Writers that must be fenced before anybody serves. */
  readonly fence: readonly string[];
}
export interface Claim {
  readonly partition: number;
  readonly epoch: number;
  readonly fence: readonly string[];
}

/** Who of the live nodes should own a partition: the highest hash (Thaler and Ravishankar, 1996). */
export function rendezvous(partition: number, nodes: readonly string[]): string | undefined {
  let best: string | undefined;
  let most = -1;
  for (const node of nodes) {
    const { hi, lo } = hash64(`${node} ${partition}`, 7);
    const weight = hi * 2 ** 21 + (lo >>> 11);
    if (weight > most || (weight === most && best !== undefined && node < best)) {
      most = weight;
      best = node;
    }
  }
  return best;
}

/** A damaged file: nats-server takes what is written, and does not give it back. */
function unkept(bucket: string): Error {
  return new Error(
    `bucket ${bucket} does not keep what is written to it: its file is damaged; end all nodes, delete the bucket (stream KV_${bucket}) and start them again`,
  );
}

/** Nodes whose keys stand, without those that are certainly gone. */
export async function liveNodes(keys: Pick<Keys, 'all'>, isDead: (process: string) => boolean): Promise<NodeInfo[]> {
  const nodes = (await keys.all()).map((entry) => JSON.parse(entry.value) as NodeInfo);
  return nodes.filter((node) => node.process === undefined || !isDead(node.process));
}

export class Ownership {
  readonly #nodes: Keys;
  readonly #owners: Keys;
  readonly #clock: Clock;
  readonly #selfNow: () => NodeInfo;
  readonly #leaseMs: number;
  readonly #isDead: (process: string) => boolean;
  #leasedUntil = Number.NEGATIVE_INFINITY;
  #living: ReadonlyMap<string, string> = new Map();
  /** Revision of this node's key as it wrote it last. */
  #told: number | undefined;

  /** @param isDead whether a process of this machine is certainly gone: its lease need not be waited for */
  constructor(
    nodes: Keys,
    owners: Keys,
    clock: Clock,
    self: () => NodeInfo,
    ttlMs: number,
    isDead: (process: string) => boolean,
  ) {
    this.#nodes = nodes;
    this.#owners = owners;
    this.#clock = clock;
    this.#selfNow = self;
    // Two thirds of the time after which others may take over.
    this.#leaseMs = (ttlMs * 2) / 3;
    this.#isDead = isDead;
  }

  get #self(): NodeInfo {
    return this.#selfNow();
  }

  get name(): string {
    return this.#self.name;
  }

  get leased(): boolean {
    // mutant: lease-never-ends
    return this.#clock.monoMs() < this.#leasedUntil;
  }

  /**
   * Renews the key that says this node lives. After a lease that ran out (a pause, a cut) others may have taken over, or be about to:
   * then `reconfirm` must have settled for every partition who owns it before the lease counts again. It calls `held` between partitions.
   */
  async renew(reconfirm: (held: () => Promise<void>) => Promise<void>): Promise<void> {
    let sent = this.#clock.monoMs();
    await this.#tell();
    // Also one that ran out while the renewal was on its way: it may have been stored after others saw this node as gone.
    // mutant: lapsed-during-renewal
    const lapsed = !this.leased;
    // OW3.
    // mutant: lapsed-lease-counts
    if (lapsed) {
      // On a slow disk it may take longer than a lease lasts: the node's key is renewed meanwhile, without a gap.
      await reconfirm(async () => {
        const now = this.#clock.monoMs();
        if (now - sent < this.#leaseMs / 3) return;
        await this.#tell();
        if (this.#clock.monoMs() - sent > this.#leaseMs)
          throw new Error('the lease ran out while it was confirmed again');
        sent = now;
      });
    }
    // OW2.
    // mutant: lease-from-answer
    this.#leasedUntil = sent + this.#leaseMs;
  }

  /**
   * Says that this node lives, over what it said last: what a process that has died had on its way, and what arrives late, must not
   * stand in place of what its successor said.
   */
  async #tell(): Promise<void> {
    const { name, writer } = this.#self;
    for (;;) {
      this.#told ??= (await this.#nodes.get(name))?.revision ?? 0;
      try {
        this.#told = await this.#nodes.put(
          name,
          JSON.stringify({ ...this.#self, rules: RULES_VERSION } satisfies NodeInfo),
          // mutant: dead-process-counts
          this.#told,
        );
        return;
      } catch (error) {
        if ((error as { kind?: string }).kind !== 'conflict') throw error;
        const entry = await this.#nodes.get(name);
        // It has expired, or an answer was lost. At the first time it may be what a process before this one had on its way.
        const first = this.#leasedUntil === Number.NEGATIVE_INFINITY;
        if (!first && entry !== undefined && (JSON.parse(entry.value) as NodeInfo).writer !== writer)
          throw new Error(`another process has taken the name of this node, ${name}`, { cause: error });
        this.#told = entry?.revision ?? 0;
      }
    }
  }

  /**
   * Whether a partition is still this node's. It writes the owner key anew by compare-and-set, so that whoever was about to claim it on
   * an older view of the nodes fails.
   */
  async reconfirm(partition: number): Promise<boolean> {
    const entry = await this.#owners.get(`p.${partition}`);
    if (entry === undefined) return false;
    const info = JSON.parse(entry.value) as OwnerInfo;
    if (info.writer !== this.#self.writer) return false;
    return (await this.#put(partition, info, entry.revision)) !== undefined;
  }

  /** Another live process under this node's name; starting beside it would be two owners under one name. */
  async namesake(): Promise<(NodeInfo & { readonly renewed: number }) | undefined> {
    const entry = await this.#nodes.get(this.#self.name);
    const node = entry === undefined ? undefined : (JSON.parse(entry.value) as NodeInfo);
    if (node === undefined || node.writer === this.#self.writer) return undefined;
    if (node.process !== undefined && this.#isDead(node.process)) return undefined;
    return { ...node, renewed: entry?.revision ?? 0 };
  }

  async live(): Promise<NodeInfo[]> {
    const living = await liveNodes(this.#nodes, this.#isDead);
    this.#living = new Map(living.map(({ writer, name }) => [writer, name]));
    return living;
  }

  /** Names of the living by the writer of their present start, as they were read last: about once a second. */
  get living(): ReadonlyMap<string, string> {
    return this.#living;
  }

  /**
   * Claims the partitions that this node should own and that nobody alive holds. `mine` are held already.
   * Returns the claims won, and the partitions of `mine` that should go to another live node.
   */
  async assign(partitions: number, mine: ReadonlySet<number>): Promise<{ claims: Claim[]; surplus: number[] }> {
    // Owners first: one that claimed after a list of the living was read would be taken for dead. One that claims later makes a claim fail.
    // mutant: live-read-before-owners
    const owners = new Map((await this.#owners.all()).map((entry) => [entry.key, entry]));
    const live = await this.live();
    const names = live.map((node) => node.name);
    if (this.leased && !names.includes(this.#self.name)) throw unkept(NODES_BUCKET);
    const writers = new Set(live.map((node) => node.writer));
    const claims: Claim[] = [];
    const surplus: number[] = [];
    for (let partition = 0; partition < partitions; partition++) {
      const should = rendezvous(partition, names) === this.#self.name;
      if (mine.has(partition)) {
        if (!should && names.includes(this.#self.name)) surplus.push(partition);
        continue;
      }
      const entry = owners.get(`p.${partition}`);
      const owner = entry === undefined ? undefined : (JSON.parse(entry.value) as OwnerInfo);
      if (!should) {
        // A claim whose answer was lost: nobody decides for it here, and whoever should own it waits for that.
        // mutant: lost-claim-stays
        if (owner?.writer === this.#self.writer) await this.#leave(partition, owner, entry?.revision ?? 0, false);
        continue;
      }
      // mutant: taken-from-live-owner
      if (owner !== undefined && owner.writer !== '' && owner.writer !== this.#self.writer && writers.has(owner.writer))
        continue;
      const claim = await this.#claim(partition, entry?.revision ?? 0, owner);
      if (claim !== undefined) claims.push(claim);
    }
    return { claims, surplus };
  }

  /**
   * The claim with an epoch above one that is known to have been used: a bucket whose file was damaged may have forgotten its last
   * revisions, and would give them again. Undefined if somebody else was quicker.
   */
  async above(claim: Claim, used: number): Promise<Claim | undefined> {
    const info: OwnerInfo = { writer: this.#self.writer, node: this.#self.name, fence: claim.fence };
    let epoch: number | undefined = claim.epoch;
    while (epoch !== undefined && epoch <= used) epoch = await this.#put(claim.partition, info, epoch);
    return epoch === undefined ? undefined : { ...claim, epoch };
  }

  /**
   * The fences of a claim are in: nobody else can write for it. Its epoch stays that of the claim (OW1).
   * @throws if the bucket has not kept the claim, and has nothing newer either
   */
  async cleared(claim: Claim): Promise<boolean> {
    const info: OwnerInfo = { writer: this.#self.writer, node: this.#self.name, fence: [] };
    if ((await this.#put(claim.partition, info, claim.epoch)) !== undefined) return true;
    if (((await this.#owners.get(`p.${claim.partition}`))?.revision ?? 0) <= claim.epoch) throw unkept(OWNERS_BUCKET);
    return false;
  }

  /**
   * Hands partitions back. What this node has not come to fence stays in the list: a take-over that failed half-way must not forget it.
   * @param drained whether everything that this node decided for them is folded and stored; else it is to be fenced itself
   */
  async handBack(partitions: readonly number[], drained: boolean): Promise<void> {
    for (const partition of partitions) {
      const entry = await this.#owners.get(`p.${partition}`);
      const info = entry === undefined ? undefined : (JSON.parse(entry.value) as OwnerInfo);
      if (entry === undefined || info?.writer !== this.#self.writer) continue;
      await this.#leave(partition, info, entry.revision, drained);
    }
  }

  /**
   * Says that this node is gone, if what stands there is still its own word: a leave may arrive late, when the next process under this
   * name lives already.
   */
  async leave(): Promise<void> {
    this.#leasedUntil = Number.NEGATIVE_INFINITY;
    const { name, writer } = this.#self;
    for (;;) {
      const entry = await this.#nodes.get(name);
      if (entry === undefined || (JSON.parse(entry.value) as NodeInfo).writer !== writer) return;
      try {
        // mutant: late-leave
        return await this.#nodes.delete(name, entry.revision);
      } catch (error) {
        // A renewal of its own came in between.
        if ((error as { kind?: string }).kind !== 'conflict') throw error;
      }
    }
  }

  /** Partition to the node that owns it. */
  async table(): Promise<Map<number, { node: string; epoch: number }>> {
    const table = new Map<number, { node: string; epoch: number }>();
    for (const entry of await this.#owners.all()) {
      const owner = JSON.parse(entry.value) as OwnerInfo;
      table.set(Number(entry.key.slice(2)), { node: owner.node, epoch: entry.revision });
    }
    return table;
  }

  async #leave(partition: number, { fence }: OwnerInfo, revision: number, drained: boolean): Promise<void> {
    const { writer } = this.#self;
    // mutant: handed-back-unfenced
    const left = drained || fence.includes(writer) ? fence : [...fence, writer];
    await this.#put(partition, { writer: '', node: '', fence: left }, revision);
  }

  async #claim(partition: number, revision: number, owner: OwnerInfo | undefined): Promise<Claim | undefined> {
    // mutant: unfenced-writers-forgotten
    const fence = [
      ...new Set([...(owner?.fence ?? []), ...(owner === undefined || owner.writer === '' ? [] : [owner.writer])]),
    ];
    const info: OwnerInfo = {
      writer: this.#self.writer,
      node: this.#self.name,
      fence: fence.filter((writer) => writer !== this.#self.writer),
    };
    // mutant: owner-not-compared
    const epoch = await this.#put(partition, info, revision);
    return epoch === undefined ? undefined : { partition, epoch, fence: info.fence };
  }

  /** The new revision, or undefined if somebody else was quicker. */
  async #put(partition: number, info: OwnerInfo, expected: number): Promise<number | undefined> {
    try {
      return await this.#owners.put(`p.${partition}`, JSON.stringify(info), expected);
    } catch (error) {
      if ((error as { kind?: string }).kind === 'conflict') return undefined;
      throw error;
    }
  }
}
