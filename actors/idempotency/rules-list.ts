/**
 * Keeps the list of rules in the metadata of JOURNAL, and takes over the list that Holdfast 0.1 kept in a bucket.
 *
 * 0.1 stored `[{from: moment, horizonMs}]` under the key LIST. It reads that list when it starts, at every take-over and when it renews
 * its lease. While a node of 0.1 is alive, nodes of this version judge by that list. When none is, the first node that notices (at its
 * start or at a lease renewal) replaces it with a text that is not JSON. 0.1 then refuses to start and shows that text as the reason.
 *
 * Invariants:
 *  RL1 An entry of a new version is added only while no node of an older version is alive. An older program that starts later finds a
 *      version that it does not know, and judges nothing.
 *  RL2 The old list is copied before it is overwritten, and 0.1 is locked out before live nodes of 0.1 are looked for. So none can start
 *      unseen in between, and any node that finds the work half done continues it.
 *  RL3 The form of entries changes only when moments become sequences. Each entry keeps its place, so a copy by 0.1 that records how
 *      many entries it knows keeps its meaning.
 */
import { LIMITS } from '../../config/limits.ts';
import { CLOCK_SLACK_MS, DEFAULT_HORIZON_MS, ONE_PIECE, RULES_VERSION } from '../../config/rules.ts';
import { FACT_STREAM_NAMES, JOURNAL_STREAM, RULES_METADATA } from '../../config/topology.ts';
import { present } from '../../streams/assert.ts';
import { type Broker, BrokerError, type KeyEntry, type StreamFacts } from '../../streams/broker.ts';
import { readStreams } from '../../streams/journal/floors.ts';
import { changeMetadata, type Metadata, type MetadataDeps } from '../../streams/journal/metadata.ts';
import type { NodeInfo } from '../ownership/ownership.ts';
import type { ChangedRule, RulesEntry } from './rules.ts';

/** Keys of the bucket in which 0.1 kept its list. */
const LIST = 'list';
const COPY = 'list-0.1';
/** Must be short, because V8 quotes text that is not JSON in its error message only up to 20 characters. */
const CLOSED = 'needs holdfast 0.2';

export interface RulesDeps extends MetadataDeps {
  readonly broker: Pick<Broker, 'stream' | 'message' | 'annotate'>;
  readonly live: () => Promise<readonly NodeInfo[]>;
  /** Horizon of the first entry. Null means off, undefined means the default. */
  readonly firstHorizonMs: number | null | undefined;
  /** What a unit may say from the first entry of version 3 on; undefined means ONE_PIECE. */
  readonly firstPieces: readonly string[] | undefined;
}

export class RulesList {
  readonly #deps: RulesDeps;

  constructor(deps: RulesDeps) {
    this.#deps = deps;
  }

  /**
   * Reads the recorded list, or that of 0.1 if JOURNAL has none. It is empty before the first node has started. Throws if the list has a
   * version that this program does not know.
   */
  async read(): Promise<readonly RulesEntry[]> {
    const journal = await this.#deps.broker.stream(JOURNAL_STREAM);
    return recorded(journal?.metadata) ?? (await this.#ofOld());
  }

  /** Returns the list that this program must judge by, after upgrading it to its own version unless an older node is alive. */
  async current(): Promise<readonly RulesEntry[]> {
    const found = await this.read();
    if (isCurrent(found)) return found;
    // While an older node is alive, the list stays as that node knows it (RL1).
    const older = await this.#olderNodes();
    if (older.length > 0 && found.length > 0) return found;
    let entries = found;
    await changeMetadata(this.#deps, async (metadata) => {
      entries = recorded(metadata) ?? (await this.#closeToOld());
      if (isCurrent(entries)) return undefined;
      const started = await this.#olderNodes();
      if (started.length > 0) {
        await this.#openToOld();
        return undefined;
      }
      const last = entries.at(-1);
      const { firstHorizonMs = DEFAULT_HORIZON_MS, firstPieces } = this.#deps;
      const horizonMs = last === undefined ? firstHorizonMs : last.horizonMs;
      entries = await this.#added(entries, horizonMs, (last?.version ?? 0) < 3 ? firstPieces : last?.pieces);
      return written(entries);
    });
    if (entries.length === 0)
      throw new Error('a node of an older version is starting; wait until it serves, or end it');
    return entries;
  }

  /** Adds an entry with the change, which holds from the next stored message on. Call it only while no node is alive. */
  async add(change: ChangedRule): Promise<readonly RulesEntry[]> {
    await this.current();
    let entries: readonly RulesEntry[] = [];
    await changeMetadata(this.#deps, async (metadata) => {
      entries = recorded(metadata) ?? [];
      const last = present(entries.at(-1));
      const { horizonMs, pieces } = { ...last, ...change };
      if (last.horizonMs === horizonMs && String(last.pieces ?? ONE_PIECE) === String(pieces ?? ONE_PIECE))
        return undefined;
      entries = await this.#added(entries, horizonMs, pieces);
      return written(entries);
    });
    return entries;
  }

  async #olderNodes(): Promise<readonly NodeInfo[]> {
    return (await this.#deps.live()).filter(({ rules }) => (rules ?? 1) < RULES_VERSION);
  }

  /** @param pieces an entry is kept small, so it names them only if they are not ONE_PIECE */
  async #added(
    entries: readonly RulesEntry[],
    horizonMs: number | null,
    pieces: readonly string[] = ONE_PIECE,
  ): Promise<readonly RulesEntry[]> {
    if (entries.length >= LIMITS.rulesEntries)
      throw new Error(`the list of rules has ${entries.length} entries, and no more fit into the metadata of JOURNAL`);
    const streams = await readStreams(this.#deps.broker);
    const ends = Object.fromEntries([...streams].map(([name, { lastSeq }]) => [name, lastSeq + 1]));
    const before: RulesEntry[] = [];
    for (const entry of entries) {
      const { from } = entry;
      // An entry of 0.1 gets sequences instead of its moment, and keeps its place (RL3).
      before.push(typeof from === 'number' ? { ...entry, from: await this.#sequencesFrom(from, streams) } : entry);
    }
    const from = entries.length === 0 ? {} : ends;
    const own = String(pieces) === String(ONE_PIECE) ? {} : { pieces };
    const sinceMs = Math.floor(this.#deps.clock.nowMs());
    return [...before, { from, horizonMs, slackMs: CLOCK_SLACK_MS, version: RULES_VERSION, sinceMs, ...own }];
  }

  /** The first sequence of each fact stream that was stored at a moment or later. Trimmed messages are never judged again. */
  async #sequencesFrom(micros: number, streams: ReadonlyMap<string, StreamFacts>): Promise<Record<string, number>> {
    const from: Record<string, number> = {};
    if (micros === 0) return from;
    for (const name of FACT_STREAM_NAMES) {
      const stream = streams.get(name);
      if (stream !== undefined) from[name] = await this.#firstFrom(micros, name, stream);
    }
    return from;
  }

  async #firstFrom(micros: number, name: string, { firstSeq, lastSeq }: StreamFacts): Promise<number> {
    let [low, high] = [Math.max(1, firstSeq), lastSeq + 1];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      let at = middle;
      let message = await this.#deps.broker.message(name, at);
      while (message === undefined && at + 1 < high) {
        at += 1;
        message = await this.#deps.broker.message(name, at);
      }
      if (message === undefined || message.recordedAt >= micros) high = middle;
      else low = at + 1;
    }
    return low;
  }

  /** Reads the list of 0.1, or its copy if the list has been overwritten. */
  async #ofOld(): Promise<readonly RulesEntry[]> {
    const list = await this.#deps.keys.get(LIST);
    return ofOld(list?.value === CLOSED ? await this.#deps.keys.get(COPY) : list);
  }

  async #closeToOld(): Promise<readonly RulesEntry[]> {
    const { keys } = this.#deps;
    for (;;) {
      const list = await keys.get(LIST);
      if (list?.value === CLOSED) return this.#ofOld();
      // Copy the list before overwriting it (RL2).
      if (list !== undefined) await keys.put(COPY, list.value);
      try {
        await keys.put(LIST, CLOSED, list?.revision ?? 0);
      } catch (error) {
        // A node of 0.1 wrote first. The next round copies its list.
        if (!(error instanceof BrokerError) || error.kind !== 'conflict') throw error;
      }
    }
  }

  /** Restores the list of 0.1, because a node of 0.1 has started in between. */
  async #openToOld(): Promise<void> {
    const { keys } = this.#deps;
    const list = await keys.get(LIST);
    const copy = await keys.get(COPY);
    if (list?.value !== CLOSED) return;
    if (copy === undefined) await keys.delete(LIST, list.revision);
    else await keys.put(LIST, copy.value, list.revision);
  }
}

function isCurrent(entries: readonly RulesEntry[]): boolean {
  return entries.at(-1)?.version === RULES_VERSION;
}

function written(entries: readonly RulesEntry[]): Metadata {
  return { [RULES_METADATA]: JSON.stringify(entries) };
}

function recorded(metadata: Metadata | undefined): readonly RulesEntry[] | undefined {
  const text = metadata?.[RULES_METADATA];
  if (text === undefined) return undefined;
  const entries = JSON.parse(text) as readonly RulesEntry[];
  const newest = Math.max(...entries.map(({ version }) => version));
  if (newest > RULES_VERSION)
    throw new Error(
      `the streams are judged by rules version ${newest}, and this program knows ${RULES_VERSION}: run the newer program`,
    );
  return entries;
}

function ofOld(list: KeyEntry | undefined): readonly RulesEntry[] {
  const entries = list === undefined ? [] : (JSON.parse(list.value) as { from: number; horizonMs: number | null }[]);
  return entries.map(({ from, horizonMs }) => ({ from, horizonMs, slackMs: CLOCK_SLACK_MS, version: 1 }));
}
