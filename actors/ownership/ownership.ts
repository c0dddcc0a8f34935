/**
 * Ownership: which node decides for which partition.
 *
 * A node is alive while it renews its key in the nodes' bucket. Rendezvous hashing over the live nodes determines which node should own a
 * partition. The partition's key in the owners' bucket, changed by compare-and-set, says which node does. Its revision is the epoch.
 *
 * Invariants:
 *  OW1 A partition is served only after every writer that may still write for it is fenced.
 *  OW2 The lease counts from the moment the renewal was sent, by the monotonic clock, and ends before other nodes take over.
 *  OW3 A lease that ran out counts again only after the owner keys of all held partitions have been written again.
 *  OW4 A lease that begins, or that ran out, counts only after what the node follows was read to its end as of the renewal.
 */
import { RULES_VERSION } from '../../config/rules.ts';
import { NODES_BUCKET, OWNERS_BUCKET } from '../../config/topology.ts';
import type { KeyEntry, Keys } from '../../streams/broker.ts';
import type { Clock } from '../../streams/clock.ts';
import { hash64 } from '../../streams/hash.ts';

export interface NodeInfo {
  readonly name: string;
  readonly writer: string;
  readonly http: string;
  /** Lets another process on this machine check whether this one is still alive; undefined where that is impossible. */
  readonly process: string | undefined;
  /** Newest version of the rules that the node knows. Version 0.1 leaves it out and knows 1. */
  readonly rules?: number;
}
interface OwnerInfo {
  /** Writer that decides for the partition; '' if there is none. */
  readonly writer: string;
  readonly node: string;
  /** Writers that must be fenced before any node serves the partition. */
  readonly fence: readonly string[];
}
export interface Claim {
  readonly partition: number;
  readonly epoch: number;
  readonly fence: readonly string[];
}

/** Returns the live node that should own a partition, which is the one with the highest hash (Thaler and Ravishankar, 1996). */
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

/** The bucket's file is damaged, so nats-server accepts a write but does not return it on a read. */
function unkept(bucket: string): Error {
  return new Error(
    `bucket ${bucket} does not keep what is written to it: its file is damaged; end all nodes, delete the bucket (stream KV_${bucket}) and start them again`,
  );
}

/** Returns the nodes whose keys have not expired, without those whose process is certainly gone. */
export async function liveNodes(keys: Pick<Keys, 'all'>, isDead: (process: string) => boolean): Promise<NodeInfo[]> {
  return livingOf(await keys.all(), isDead);
}

function livingOf(entries: readonly KeyEntry[], isDead: (process: string) => boolean): NodeInfo[] {
  const nodes = entries.map((entry) => JSON.parse(entry.value) as NodeInfo);
  return nodes.filter((node) => node.process === undefined || !isDead(node.process));
}

/** What a node must follow to answer, such as the policies. */
export interface Followed {
  /** Throws if it is out of reach for too long. The lease is then not renewed. */
  mustFollow(): void;
  /** Resolves when all that is there now was read. Rejects if nothing comes for `stallMs` before that. */
  sync(stallMs: number): Promise<void>;
}
const NOTHING_FOLLOWED: Followed = { mustFollow: () => undefined, sync: async () => undefined };

export class Ownership {
  readonly #nodes: Keys;
  readonly #owners: Keys;
  readonly #clock: Clock;
  readonly #selfNow: () => NodeInfo;
  readonly #leaseMs: number;
  readonly #isDead: (process: string) => boolean;
  readonly #followed: Followed;
  #leasedUntil = Number.NEGATIVE_INFINITY;
  #living: ReadonlyMap<string, string> = new Map();
  /** Revision of this node's key after its last write. */
  #told: number | undefined;
  /** When that write was sent and answered, by this node's wall clock. */
  #toldAtMs: readonly [sent: number, answered: number] = [0, 0];
  #aheadMs = 0;

  /** @param isDead whether a process of this machine is certainly gone, so its lease need not run out first */
  constructor(
    nodes: Keys,
    owners: Keys,
    clock: Clock,
    self: () => NodeInfo,
    ttlMs: number,
    isDead: (process: string) => boolean,
    followed = NOTHING_FOLLOWED,
  ) {
    this.#followed = followed;
    this.#nodes = nodes;
    this.#owners = owners;
    this.#clock = clock;
    this.#selfNow = self;
    // Two thirds of the time after which other nodes may take over (OW2).
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
   * Renews the key that shows that this node is alive. If the lease has run out, after a pause or a network cut, other nodes may have taken
   * over or be about to. Then the lease counts again only after `reconfirm` has settled who owns each partition.
   * @param reconfirm settles the owners; it calls `held` between partitions, which keeps the key renewed
   */
  async renew(reconfirm: (held: () => Promise<void>) => Promise<void>): Promise<void> {
    this.#followed.mustFollow();
    let sent = this.#clock.monoMs();
    await this.#tell();
    // This includes a lease that ran out during the renewal, which may have been stored after others saw this node as gone.
    // mutant: lapsed-during-renewal
    const lapsed = !this.leased;
    // Other nodes may own the partitions by now (OW3).
    // mutant: lapsed-lease-counts
    if (lapsed) {
      // Others may have changed it without waiting for this node (OW4).
      await this.#followed.sync(this.#leaseMs / 3);
      // On a slow disk this may take longer than a lease, so the node's key is renewed in between, without a gap.
      await reconfirm(async () => {
        const now = this.#clock.monoMs();
        if (now - sent < this.#leaseMs / 3) return;
        await this.#tell();
        if (this.#clock.monoMs() - sent > this.#leaseMs)
          throw new Error('the lease ran out while it was confirmed again');
        sent = now;
      });
    }
    // The renewal may have been stored at any moment since it was sent, so the lease counts from the sending (OW2).
    // mutant: lease-from-answer
    this.#leasedUntil = sent + this.#leaseMs;
  }

  /**
   * Writes this node's key over its own last write, by compare-and-set. So a late write, such as one that a dead process still had in
   * flight, cannot replace the key of its successor.
   */
  async #tell(): Promise<void> {
    const { name, writer } = this.#self;
    for (;;) {
      this.#told ??= (await this.#nodes.get(name))?.revision ?? 0;
      try {
        const sent = this.#clock.nowMs();
        this.#told = await this.#nodes.put(
          name,
          JSON.stringify({ ...this.#self, rules: RULES_VERSION } satisfies NodeInfo),
          // mutant: dead-process-counts
          this.#told,
        );
        this.#toldAtMs = [sent, this.#clock.nowMs()];
        return;
      } catch (error) {
        if ((error as { kind?: string }).kind !== 'conflict') throw error;
        const entry = await this.#nodes.get(name);
        // The key has expired, or an answer was lost. Before the first lease it may be a late write of the previous process.
        const first = this.#leasedUntil === Number.NEGATIVE_INFINITY;
        if (!first && entry !== undefined && (JSON.parse(entry.value) as NodeInfo).writer !== writer)
          throw new Error(`another process has taken the name of this node, ${name}`, { cause: error });
        this.#told = entry?.revision ?? 0;
      }
    }
  }

  /**
   * Whether this node still owns a partition. It writes the owner key again by compare-and-set, so any node that was about to claim the
   * partition on an older view of the nodes fails.
   */
  async reconfirm(partition: number): Promise<boolean> {
    const entry = await this.#owners.get(`p.${partition}`);
    if (entry === undefined) return false;
    const info = JSON.parse(entry.value) as OwnerInfo;
    if (info.writer !== this.#self.writer) return false;
    return (await this.#put(partition, info, entry.revision)) !== undefined;
  }

  /** Returns another live process with this node's name. Starting beside it would make two owners with one name. */
  async namesake(): Promise<(NodeInfo & { readonly renewed: number }) | undefined> {
    const entry = await this.#nodes.get(this.#self.name);
    const node = entry === undefined ? undefined : (JSON.parse(entry.value) as NodeInfo);
    if (node === undefined || node.writer === this.#self.writer) return undefined;
    if (node.process !== undefined && this.#isDead(node.process)) return undefined;
    return { ...node, renewed: entry?.revision ?? 0 };
  }

  async live(): Promise<NodeInfo[]> {
    const entries = await this.#nodes.all();
    this.#compareClocks(entries);
    const living = livingOf(entries, this.#isDead);
    this.#living = new Map(living.map(({ writer, name }) => [writer, name]));
    return living;
  }

  /**
   * How far this node's wall clock is at most ahead of the server's, in milliseconds; 0 unless it certainly is. A renewal is stored after it
   * was sent and before it was answered, so the server's stamp of it bounds the difference on both sides.
   */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  #compareClocks(entries: readonly KeyEntry[]): void {
    const own = entries.find(({ key, revision }) => key === this.name && revision === this.#told);
    if (own === undefined) return;
    const [sent, answered] = this.#toldAtMs;
    // A renewal that was long under way says little, so the bound rises slowly.
    const least = this.#aheadMs === 0 ? Number.POSITIVE_INFINITY : this.#aheadMs + 1;
    this.#aheadMs = sent <= own.createdMs ? 0 : Math.min(least, answered - own.createdMs);
  }

  /** Names of the live nodes by their current writer, as last read, about once a second. */
  get living(): ReadonlyMap<string, string> {
    return this.#living;
  }

  /**
   * Claims the partitions that this node should own and that no live node holds.
   * Returns the claims won, and the partitions of `mine` that should go to another live node.
   * @param mine partitions that this node already holds
   */
  async assign(partitions: number, mine: ReadonlySet<number>): Promise<{ claims: Claim[]; surplus: number[] }> {
    // Owners are read before the live nodes. Otherwise a node that started and claimed in between would look dead. A node that claims after
    // the owners are read makes the claim here fail.
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
        // The answer to this claim was lost. This node does not serve the partition, and the node that should own it waits for it.
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
   * Raises the epoch of a claim above every epoch known to be used. A bucket whose file was damaged may have lost its last revisions, and
   * would assign them again. Undefined if another node was faster.
   * @param used highest epoch known to be used
   */
  async above(claim: Claim, used: number): Promise<Claim | undefined> {
    const info: OwnerInfo = { writer: this.#self.writer, node: this.#self.name, fence: claim.fence };
    let epoch: number | undefined = claim.epoch;
    while (epoch !== undefined && epoch <= used) epoch = await this.#put(claim.partition, info, epoch);
    return epoch === undefined ? undefined : { ...claim, epoch };
  }

  /**
   * Records that the fences of a claim are written, so no other writer can append for it (OW1). The epoch stays that of the claim. Returns
   * false if another node was faster.
   * @throws if the bucket has not kept the claim and holds nothing newer either
   */
  async cleared(claim: Claim): Promise<boolean> {
    const info: OwnerInfo = { writer: this.#self.writer, node: this.#self.name, fence: [] };
    if ((await this.#put(claim.partition, info, claim.epoch)) !== undefined) return true;
    if (((await this.#owners.get(`p.${claim.partition}`))?.revision ?? 0) <= claim.epoch) throw unkept(OWNERS_BUCKET);
    return false;
  }

  /**
   * Hands partitions back. Writers that this node has not fenced stay in the list, because a failed take-over must not forget them.
   * @param drained whether every decision of this node for them is stored and folded; otherwise its own writer must be fenced too
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
   * Deletes this node's key, but only if this process wrote it last. A leave may arrive late, when the next process with this name is
   * already alive.
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
        // A renewal of this process came in between.
        if ((error as { kind?: string }).kind !== 'conflict') throw error;
      }
    }
  }

  /** Maps each partition to the node that owns it. */
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

  /** Returns the new revision; undefined if another node was faster. */
  async #put(partition: number, info: OwnerInfo, expected: number): Promise<number | undefined> {
    try {
      return await this.#owners.put(`p.${partition}`, JSON.stringify(info), expected);
    } catch (error) {
      if ((error as { kind?: string }).kind === 'conflict') return undefined;
      throw error;
    }
  }
}
