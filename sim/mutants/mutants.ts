// biome-ignore-all lint/suspicious/noTemplateCurlyInString: edits quote the text of the program
/**
 * Bugs that the simulation must catch: each an edit of the program's own text, in a copy of it. `find` must stand in the file exactly once.
 * Most of them are what a first version gets wrong; some were here once.
 */
import type { FaultName } from '../options.ts';

export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly put: string;
}
export interface Mutant {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** It is rare: what brings it out stands in few seeds in a thousand. It is looked for with these faults alone, all on, and need not be found. */
  readonly faults?: readonly FaultName[];
}

/** A bug that needs these faults, and luck. */
const rare = (faults: readonly FaultName[], bug: Mutant): Mutant => ({ ...bug, faults });
const edit = (file: string, find: string, put: string): Edit => ({ file, find, put });
const mutant = (name: string, file: string, find: string, put: string): Mutant => ({
  name,
  edits: [edit(file, find, put)],
});

const JOURNAL = 'streams/journal/journal.ts';
const FOLLOWER = 'streams/read/follower.ts';
const ENGINE = 'actors/engine/engine.ts';
const TAKE_OVER = 'actors/recovery/take-over.ts';
const GRANTS = 'actors/reservation/participant.ts';
const RESERVATIONS = 'actors/reservation/coordinator.ts';
const OWNERSHIP = 'actors/ownership/ownership.ts';
const INTAKE = 'actors/ingest/intake.ts';
const SNAPSHOTTER = 'actors/snapshot/snapshotter.ts';
const SNAPSHOT = 'actors/snapshot/format.ts';
const PAGES = 'actors/book/pages.ts';
const EVOLVE = 'actors/stock/evolve.ts';

export const MUTANTS: readonly Mutant[] = [
  mutant(
    'the answer comes before the append',
    GRANTS,
    '    return new Promise((resolve, reject) => {\n      log.append(',
    `    return new Promise((resolve, reject) => {
      for (const [number] of decision.parts) {
        const partition = partitions.get(number);
        if (partition !== undefined) foldDecision(partition, decision);
      }
      settle();
      resolve();
      if (log.inFlight >= 0) return log.append(decision, () => undefined, reject);
      log.append(`,
  ),
  mutant(
    'a time-out of the append counts as not stored',
    JOURNAL,
    '        const outcome = await this.#outcome(bytes, n, error as Error);',
    `        if ((error as BrokerError).kind === 'unknown') {
          for (const each of this.#batch.splice(0)) {
            each.dropped('timed out');
            this.#settle(1);
          }
          return undefined;
        }
        const outcome = await this.#outcome(bytes, n, error as Error);`,
  ),
  mutant('the append has no expectation', JOURNAL, '{ expectLast: this.#lastSeq }', '{}'),
  {
    name: 'it serves before the fence is in',
    edits: [
      edit(TAKE_OVER, 'await this.#fence(checked);', ''),
      edit(
        TAKE_OVER,
        '      partitions.serve(recovered.partitions);\n',
        '      partitions.serve(recovered.partitions);\n      void this.#fence(claims).catch(() => undefined);\n',
      ),
    ],
  },
  mutant('nobody is fenced', TAKE_OVER, 'await this.#fence(checked);', ''),
  {
    name: 'what the streams hold is read before the fence',
    edits: [
      edit(
        TAKE_OVER,
        'const claims = await this.#fenced(won);',
        'const early = await this.#recoveryWorld();\n    const claims = await this.#fenced(won);',
      ),
      edit(TAKE_OVER, 'const world = await this.#recoveryWorld();', 'const world = early;'),
    ],
  },
  mutant('a fence drops no decision', JOURNAL, '        this.#dropFor(fence.parts);\n', ''),
  mutant('a fence takes no partition', JOURNAL, '        this.#events.fenced(fence.parts);\n', ''),
  mutant('a fence is taken for all that is held', JOURNAL, 'this.#dropFor(fence.parts);', 'this.#dropFor([]);'),
  mutant(
    'a record that the server does not take is tried again and again',
    JOURNAL,
    "(error.kind === 'too-large' || error.kind === 'refused');",
    "error.kind === 'refused';",
  ),
  rare(
    ['small-records', 'cut', 'slow-link', 'server-crash'],
    mutant(
      'a refused batch is formed anew while it may still be stored',
      JOURNAL,
      'return open ? this.#close(bytes, n, error) : error;',
      'return error;',
    ),
  ),
  mutant(
    'a record of an unknown writer counts',
    'actors/log/admission.ts',
    'return seq <= this.#foundedAt || this.#subjects.has(subject);',
    'return seq !== this.#foundedAt || this.#subjects.has(subject);',
  ),
  mutant(
    'a node appends before it is enrolled',
    ENGINE,
    '    await this.writers.enrol(this.journal.writer, ownership.name);\n',
    '',
  ),
  mutant(
    'the journal is not replayed',
    'actors/recovery/recover-partitions.ts',
    'tips, world.lastSeqs[JOURNAL_STREAM] ?? 0);',
    'tips, 0);',
  ),
  rare(
    ['kill', 'leave', 'cut', 'slow-link'],
    mutant('own decisions of an earlier time are not waited for', TAKE_OVER, '      await journal.drained();\n', ''),
  ),
  mutant(
    'positions of a snapshot are those of when it is written',
    SNAPSHOTTER,
    'positions: { ...positions },',
    'positions,',
  ),
  rare(
    ['pause', 'cut', 'store-older'],
    mutant(
      'pages of a snapshot that a newer one refused count as written',
      SNAPSHOTTER,
      "      if (outcome === 'older') {\n        unwritten();\n",
      "      if (outcome === 'older') {\n",
    ),
  ),
  rare(
    ['leave', 'cut', 'slow-link'],
    mutant(
      'what is handed back with decisions in flight is not fenced',
      OWNERSHIP,
      'const left = drained || fence.includes(writer) ? fence : [...fence, writer];',
      'const left = drained || fence.length >= 0 ? fence : [...fence, writer];',
    ),
  ),
  rare(
    ['kill', 'cut', 'slow-link'],
    mutant(
      'a claim whose answer was lost stays',
      OWNERSHIP,
      'if (owner?.writer === this.#self.writer) await this.#leave(',
      'if (owner?.writer === this.#self.writer && partition < 0) await this.#leave(',
    ),
  ),
  {
    name: 'who lives is read before who owns',
    edits: [
      edit(
        OWNERSHIP,
        '    const owners = new Map((await this.#owners.all()).map((entry) => [entry.key, entry]));\n    const live = await this.live();\n',
        '    const live = await this.live();\n    const owners = new Map((await this.#owners.all()).map((entry) => [entry.key, entry]));\n',
      ),
    ],
  },
  rare(
    ['pause', 'cut'],
    mutant(
      'whoever waited for a turn needs no lease',
      RESERVATIONS,
      'if (!this.#world.lease.leased) throw undecided(UNDECIDED.lease);',
      'if (this.#world.leased === undefined) throw undecided(UNDECIDED.lease);',
    ),
  ),
  mutant(
    'a lease that runs out while it is renewed counts on',
    OWNERSHIP,
    '    const lapsed = !this.leased;\n    if (lapsed) {',
    '    const lapsed = this.#leasedUntil < sent;\n    if (lapsed) {',
  ),
  mutant('a snapshot does not wait for what is parked', SNAPSHOTTER, '      await Promise.all(parking);\n', ''),
  mutant(
    'whoever publishes where nodes resubmit is believed',
    'actors/idempotency/verdict.ts',
    'if (again) return marks.allows(message);',
    'if (again) return marks.allows(message) || true;',
  ),
  mutant(
    'a mark that was not read yet is no mark',
    'actors/ingest/followers.ts',
    'if (!intake.marks.covers(stream, message)) {',
    'if (!intake.marks.covers(stream, message) && message.seq < 0) {',
  ),
  mutant(
    'what was not parked when a node stopped counts as parked',
    'actors/ingest/parking.ts',
    '    throw undecided(UNDECIDED.stopped)',
    '    if (parking === undefined) throw undecided(UNDECIDED.stopped)',
  ),
  mutant(
    'a changed page is not dirty',
    PAGES,
    '    if (page.awaited) this.beforeAwaited?.(index);\n    page.dirty = true;',
    '    if (page.awaited) this.beforeAwaited?.(index);',
  ),
  rare(
    ['kill'],
    mutant(
      'a page in a snapshot may change before it is written',
      PAGES,
      '    if (page.awaited) this.beforeAwaited?.(index);\n    page.dirty = true;',
      '    page.dirty = true;',
    ),
  ),
  mutant('a damaged page is used', SNAPSHOT, 'if (!isBlob(ref, bytes)) throw', 'if (bytes.length < 0) throw'),
  mutant(
    'a damaged manifest is used',
    SNAPSHOT,
    'bytes.length < 8 || crc32(bytes.subarray(4)) !== bytes.readUInt32BE(0)',
    'bytes.length < 0',
  ),
  mutant('copies of a fact count', INTAKE, "if (known === 'duplicate') {", "if (String(known) === 'never') {"),
  mutant(
    'ids are not in the snapshot',
    SNAPSHOT,
    '    seen.load(manifest.partition, idWords(whole[manifest.pages.length + i] as Buffer), ref.latest);\n',
    '',
  ),
  mutant(
    'a connection that was lost is taken for whole',
    FOLLOWER,
    "          if (generation === this.#generation) this.#again('the connection broke');\n",
    '',
  ),
  rare(
    ['cut', 'slow-link'],
    mutant(
      'an attempt that comes late is granted what was ended',
      GRANTS,
      'part.expiresAtMs > ask.expiresAtMs || isOver(part, ask)',
      'part.expiresAtMs < 0',
    ),
  ),
  mutant('another fact under a used id counts', INTAKE, "if (known === 'conflict' || ", 'if ('),
  mutant(
    'a gap in delivery is passed over',
    FOLLOWER,
    "if (message.deliverySeq !== this.#expected) return this.#again('a gap in delivery');",
    '',
  ),
  mutant(
    'a silent follower waits for ever',
    FOLLOWER,
    "> LIMITS.followerSilenceMs) this.#again('silence');",
    "> 1e12) this.#again('silence');",
  ),
  mutant(
    'the clock follows the system at once',
    'src/process/steady-clock.ts',
    'return Math.floor(this.#anchorMs + this.#system.monoMs());',
    'return Math.floor(this.#system.wallMs());',
  ),
  {
    name: 'what is confirmed expires',
    edits: [
      edit(
        'actors/partition/expiry.ts',
        'return part.granted && part.confirmedAtMs === 0 && !hasEnded(part);',
        'return part.granted && !hasEnded(part);',
      ),
      edit(
        GRANTS,
        "if (part.confirmedAtMs > 0 || !needsStep([part], 'expired')) return false;",
        "if (!needsStep([part], 'expired')) return false;",
      ),
      edit(
        'actors/stock/decide.ts',
        "return step === 'released' || parts.some((part) => part.confirmedAtMs === 0);",
        "return step !== 'confirmed' || parts.some((part) => part.confirmedAtMs === 0);",
      ),
    ],
  },
  mutant(
    'an expiry is not journaled',
    GRANTS,
    "    await this.#store({ kind: 'expired', id: part.id, atMs, parts: [[partition.number, partition.book.epoch]] });",
    "    foldDecision(partition, { kind: 'expired', id: part.id, atMs, parts: [[partition.number, partition.book.epoch]] });",
  ),
  mutant(
    'holds of the owner before do not expire',
    'actors/partition/expiry.ts',
    '        for (const part of book.parts.values()) this.add(part);\n',
    '',
  ),
  rare(
    ['leave', 'cut', 'slow-link'],
    mutant(
      'a leave that comes late ends the lease of the next process',
      OWNERSHIP,
      'return await this.#nodes.delete(name, entry.revision);',
      'return await this.#nodes.delete(name);',
    ),
  ),
  mutant(
    'a lease never ends',
    OWNERSHIP,
    'return this.#clock.monoMs() < this.#leasedUntil;',
    'return this.#leasedUntil > 0;',
  ),
  rare(
    ['cut', 'slow-link'],
    mutant(
      'a lease counts from its answer',
      OWNERSHIP,
      'this.#leasedUntil = sent + this.#leaseMs;',
      'this.#leasedUntil = this.#clock.monoMs() + sent * 0 + this.#leaseMs;',
    ),
  ),
  rare(
    ['kill', 'cut', 'slow-link'],
    mutant(
      'what a dead process said late counts',
      OWNERSHIP,
      'JSON.stringify({ ...this.#self, rules: RULES_VERSION } satisfies NodeInfo),\n          this.#told,',
      'JSON.stringify({ ...this.#self, rules: RULES_VERSION } satisfies NodeInfo),',
    ),
  ),
  mutant(
    'a lease that ran out counts again at once',
    OWNERSHIP,
    '    if (lapsed) {\n',
    '    if (lapsed && sent < 0) {\n',
  ),
  mutant(
    'partitions are taken from owners that live',
    OWNERSHIP,
    '        continue;\n      const claim = await',
    '        await Promise.resolve();\n      const claim = await',
  ),
  rare(
    ['kill', 'pause', 'slow-link'],
    mutant(
      'an owner key is written without comparing',
      OWNERSHIP,
      'const epoch = await this.#put(partition, info, revision);',
      'const epoch = await this.#owners.put(`p.${partition}`, JSON.stringify(info)).catch(() => revision * 0 || undefined);',
    ),
  ),
  rare(
    ['kill', 'cut', 'slow-link'],
    mutant('writers that an earlier claim left unfenced are forgotten', OWNERSHIP, '...(owner?.fence ?? []), ', ''),
  ),
  rare(
    ['leave', 'slow-link'],
    mutant(
      'a partition that leaves takes decisions',
      GRANTS,
      "if (decision.parts.some(([number]) => partitions.get(number)?.state !== 'serving')) {",
      'if (decision.parts.length < 0) {',
    ),
  ),
  mutant(
    'a partition is handed over with decisions in flight',
    ENGINE,
    '    partitions.leave(numbers);\n    await this.#drained();',
    '    partitions.leave(numbers);',
  ),
  mutant(
    'what is on its way to the journal is promised again',
    'actors/stock/availability.ts',
    'return available(key) - key.pending;',
    'return available(key);',
  ),
  rare(
    ['cut', 'slow-link'],
    mutant('an attempt undoes what a later one was granted', GRANTS, 'part.expiresAtMs === expiresAtMs && ', ''),
  ),
  mutant(
    'a part at home passes for the whole',
    EVOLVE,
    'return lines.length === 0 || spread.every(',
    'return lines.length >= 0 || spread.every(',
  ),
  mutant(
    'an id is granted again',
    RESERVATIONS,
    '    if (known !== undefined) {\n      if (known.content.hi',
    '    if (known !== undefined && known.spread.length < 0) {\n      if (known.content.hi',
  ),
  mutant(
    'other content under an id gets the grant of the first',
    RESERVATIONS,
    '      if (known.content.hi !== content.hi || known.content.lo !== content.lo) throw conflict(id);\n',
    '',
  ),
  mutant(
    'a released line is still claimed',
    'actors/stock/reservation.ts',
    '    line.key[part.bucket] -= line.claimed;\n    line.key[bucket] += claim;',
    '    line.key[bucket] += claim;',
  ),
  mutant(
    'the last count to arrive holds',
    'actors/stock/movements.ts',
    'if (count.at !== than.at) return count.at > than.at;',
    'if (count.at !== than.at) return true;',
  ),
  mutant(
    'a version has no epoch',
    'actors/request/router.ts',
    'version: `${book.epoch}.${book.seq}`',
    'version: `1.${book.seq}`',
  ),
  rare(
    ['pause', 'cut'],
    mutant(
      'a node without its lease answers for its parts',
      'actors/engine/core.ts',
      '?.serving === true && ownership.leased;',
      '?.serving === true;',
    ),
  ),
  mutant(
    'an ended hold can be confirmed',
    GRANTS,
    "const refusal = step === 'confirmed' ? confirmRefusal(parts, this.#world.clock.nowMs()) : undefined;",
    'const refusal = undefined;',
  ),
];
