/**
 * Runs one seed in two phases. In the safety phase faults occur all the time, and the invariants must hold after every event. Then
 * everything heals and the world must come to rest. Every partition is served, every caller is answered, and the numbers equal the sum of
 * what was stored.
 */

import { varianceOf } from '../actors/stock/movements.ts';
import { JOURNAL_STREAM } from '../config/topology.ts';
import { decodeRecord } from '../streams/journal/record.ts';
import { isAboutStock } from '../streams/journal/stock-decisions.ts';
import { Random } from '../streams/random.ts';
import { partitionOf } from '../streams/subjects.ts';
import { Caller, placesOf, Versions } from './callers/caller.ts';
import { Device } from './callers/device.ts';
import { Nemesis } from './faults/nemesis.ts';
import { FreeBounds } from './free-bounds.ts';
import { describe, draw, type FaultName, type Options } from './options.ts';
import { STRANGER_SUBJECT } from './witness/witness.ts';
import { Violation, World } from './world.ts';

export interface Result {
  readonly seed: number;
  readonly failure: string | undefined;
  readonly options: string;
  readonly virtualMs: number;
  readonly events: number;
  readonly faults: number;
  /** Decisions in the journal and facts in the streams, to show how much the run covered. */
  readonly decisions: number;
  readonly facts: number;
  /** The newest notes of the run, for people to read. */
  readonly notes: readonly string[];
  /** A fingerprint of the run. Two runs of one seed must have the same one. */
  readonly trace: string;
}

/** Longest time from the healing until every partition is served, in addition to one lease. */
const SETTLE_MS = 10_000;
const FINISH_MS = 60_000;
/** Time for the owners that take over to end the holds whose time ran out while nobody served them. */
const EXPIRE_MS = 2_000;

export async function runSeed(seed: number, chosen?: readonly FaultName[]): Promise<Result> {
  const random = new Random(seed);
  const options = draw(random.fork('options'), chosen);
  const world = new World(random, options);
  const versions = new Versions((what) => world.fail(what));
  const callers = Array.from({ length: options.callers }, (_, i) => new Caller(`c${i + 1}`, world, versions));
  const devices = Array.from({ length: options.devices }, (_, i) => new Device(`d${i + 1}`, world, callers));
  world.freeBounds = new FreeBounds(world.witness, options.locations, () => world.scheduler.nowMs);
  let nemesis: Nemesis | undefined;
  let failure: string | undefined;
  try {
    nemesis = await live(world, options, callers, devices);
    await rest(world, options, nemesis, callers, devices);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    failure = error.message;
  }
  const { scheduler, witness } = world;
  return {
    seed,
    failure,
    options: describe(options),
    virtualMs: scheduler.nowMs,
    events: scheduler.events,
    faults: nemesis === undefined ? 0 : [...nemesis.counts.values()].reduce((sum, count) => sum + count, 0),
    decisions: witness.decisions,
    facts: witness.ledger.facts.size,
    notes: [...world.notes.slice(-80), ...historyOf(world, failure), ...world.standing],
    trace: `${scheduler.events}/${witness.decisions}/${witness.ledger.facts.size}/${scheduler.nowMs.toFixed(4)}`,
  };
}

/** The journal's decisions on the reservation that the failure names, and its fences. */
function historyOf(world: World, failure: string | undefined): string[] {
  if (failure === undefined) return [];
  const id = /\b(c\d+-\d+)\b/.exec(failure)?.[1];
  const { messages } = world.server.log.streams.get(JOURNAL_STREAM) ?? { messages: [] };
  return messages.flatMap(({ seq, subject, data, recordedAt }) => {
    if (subject === STRANGER_SUBJECT) return [];
    const { writer, decisions } = decodeRecord(data);
    return decisions
      .filter((decision) => !isAboutStock(decision) || decision.id === id)
      .map((decision) => `${(recordedAt / 1e6).toFixed(3)} JOURNAL.${seq} ${writer} ${JSON.stringify(decision)}`);
  });
}

/** The safety phase, up to the point where every caller is answered. */
async function live(
  world: World,
  options: Options,
  callers: readonly Caller[],
  devices: readonly Device[],
): Promise<Nemesis> {
  const { scheduler, check } = world;
  for (const node of world.nodes) node.start();
  let stocked = false;
  const failed = (error: Error) => world.fail(`a caller fails: ${error.stack}`);
  devices[0]?.stock().then(() => {
    stocked = true;
  }, failed);
  await scheduler.run(60_000, check, () => stocked && world.settled);
  if (!stocked || !world.settled) throw new Violation('nodes do not come up in a world without faults');
  const nemesis = new Nemesis(world);
  const until = scheduler.nowMs + options.safetyMs;
  const stopped = () => scheduler.nowMs >= until;
  let working = callers.length + devices.length;
  for (const each of [...callers, ...devices]) {
    each.work(stopped).then(() => {
      working -= 1;
    }, failed);
  }
  await scheduler.run(until, check);
  nemesis.heal();
  const healed = scheduler.nowMs;
  await scheduler.run(healed + options.settings.leaseTtlMs + SETTLE_MS, check, () => world.settled);
  if (!world.settled)
    throw new Violation(`not every partition is served ${SETTLE_MS} ms and a lease after all is well`);
  await scheduler.run(scheduler.nowMs + FINISH_MS, check, () => working === 0);
  if (working > 0) throw new Violation(`${working} callers are not answered ${FINISH_MS} ms after all is well`);
  return nemesis;
}

/** Checks the state at rest, and checks it again after every process was killed and restarted. */
async function rest(
  world: World,
  options: Options,
  nemesis: Nemesis,
  callers: readonly Caller[],
  devices: readonly Device[],
): Promise<void> {
  const { scheduler, check, random } = world;
  // Lets the short holds expire and every follower reach the end of its stream.
  await scheduler.run(scheduler.nowMs + 25_000, check);
  await audit(world, callers, devices);
  for (const node of world.nodes) node.kill();
  if (random.fork('rest').chance(0.5)) world.shelves.empty();
  nemesis.heal();
  await scheduler.run(scheduler.nowMs + 2 * options.settings.leaseTtlMs + SETTLE_MS, check, () => world.settled);
  if (!world.settled) throw new Violation('nodes that were all killed do not come up again');
  await scheduler.run(scheduler.nowMs + EXPIRE_MS, check);
  await audit(world, callers, devices);
}

async function audit(world: World, callers: readonly Caller[], devices: readonly Device[]): Promise<void> {
  const { scheduler, check } = world;
  let done = false;
  const wrong: string[] = [];
  void (async () => {
    wrong.push(...auditFacts(world, devices), ...world.witness.unfinished);
    wrong.push(...(await auditParked(world, callers[0] as Caller)));
    for (const caller of callers) wrong.push(...(await auditCaller(world, caller)));
    wrong.push(...(await auditStock(world, callers[0] as Caller)));
    done = true;
  })().catch((error: Error) => world.fail(`the audit fails: ${error.stack}`));
  await scheduler.run(scheduler.nowMs + FINISH_MS, check, () => done);
  if (!done) throw new Violation('the audit gets no answers');
  if (wrong.length > 0) throw new Violation(wrong.slice(0, 5).join('; '));
}

/** Every acknowledged fact is stored. Every fact that cannot count is parked exactly once. */
function auditFacts(world: World, devices: readonly Device[]): string[] {
  const { ledger, parked, uncounted } = world.witness;
  const wrong: string[] = [];
  for (const device of devices) {
    for (const id of device.acknowledged.keys()) if (!ledger.facts.has(id)) wrong.push(`fact ${id} is lost`);
  }
  const [expected, found] = [uncounted.toSorted(), parked.toSorted()];
  if (JSON.stringify(expected) !== JSON.stringify(found))
    wrong.push(`parked are ${found.join()}, should be ${expected.join()} (I14)`);
  return wrong;
}

/** A parked fact counts if, and only if, a person had it sent again. Nothing that was begun is left. */
async function auditParked(world: World, caller: Caller): Promise<string[]> {
  const outcome = await caller.decide((core) => core.parked.list({ reason: 'too-old' }, 0, 1_000));
  if ('refusal' in outcome) return [`parked facts are ${outcome.refusal.kind}`];
  const { facts } = world.witness.ledger;
  const left = world.nodes.filter(({ core }) => (core?.parked.index.table.unfinished.size ?? 0) > 0);
  return [
    ...outcome.value.parked
      .filter(({ id, state }) => facts.has(id ?? '') !== (state === 'resubmitted'))
      .map(
        ({ id, state }) =>
          `the parked fact ${id} is ${state} and ${facts.has(id ?? '') ? 'counts' : 'does not count'} (PD1)`,
      ),
    ...left.map(({ name }) => `${name} knows of a resubmission that nobody has finished (SG2)`),
  ];
}

async function auditCaller(world: World, caller: Caller): Promise<string[]> {
  const wrong: string[] = [];
  for (const [id, told] of caller.told) {
    const outcome = await caller.decide((core) => core.router.reservation(id));
    if ('refusal' in outcome) {
      wrong.push(`reservation ${id} was ${told.status} and is ${outcome.refusal.kind} (I3)`);
      continue;
    }
    const { status, lines } = outcome.value;
    const left = told.status === 'held' ? told.expiresAtMs - world.nowMs : Number.POSITIVE_INFINITY;
    const expected = told.sold ? 'fulfilled' : left < 0 ? 'expired' : told.status;
    const journaled = world.witness.homes.get(id);
    if (journaled === undefined) {
      wrong.push(`reservation ${id} is in no decision`);
      continue;
    }
    // What a caller does not know for sure is compared with the journal only.
    const units = [...new Set(journaled.lines.map(({ sku }) => sku))].flatMap((sku) =>
      world.witness.units(journaled, sku).map((unit) => `${sku} ${unit.location} ${unit.fulfilled}`),
    );
    const found = lines.flatMap(({ sku, location, qty, fulfilled }) =>
      Array.from({ length: qty }, (_, i) => `${sku} ${location} ${i < fulfilled}`),
    );
    if (JSON.stringify(units.sort()) !== JSON.stringify(found.sort()))
      wrong.push(`reservation ${id} has ${found.join()}, should have ${units.join()}`);
    if (told.unsure || told.returned) continue;
    // Around its expiry a hold may be in either state because clocks differ.
    if (status !== expected && Math.abs(left) > 5_000)
      wrong.push(`reservation ${id} should be ${expected} and is ${status}`);
    if (placesOf(lines) !== placesOf(told.lines)) wrong.push(`reservation ${id} has other lines`);
  }
  for (const id of caller.cancelled) {
    const outcome = await caller.decide((core) => core.router.reservation(id));
    if ('refusal' in outcome || outcome.value.status !== 'released')
      wrong.push(`reservation ${id} is no longer cancelled`);
  }
  return wrong;
}

async function auditStock(world: World, caller: Caller): Promise<string[]> {
  const { ledger } = world.witness;
  const wrong: string[] = [];
  for (const sku of [...world.options.scarce, ...world.options.busy]) {
    for (const location of world.options.locations) {
      const stored = () =>
        JSON.stringify({
          sellable: ledger.sellable(sku, location),
          inTransit: ledger.inTransit(sku, location),
          onOrder: ledger.onOrder(sku, location),
          ...world.witness.claimsByHomes(sku, location),
          variance: ledger.variance(sku, location),
        });
      // A hold may expire while its owner answers, so what was stored before the question is right, too.
      const before = stored();
      const outcome = await caller.decide((core) => core.router.stock(sku, location));
      if ('refusal' in outcome) {
        if (ledger.known(sku, location)) wrong.push(`${sku} at ${location} is ${outcome.refusal.kind}`);
        continue;
      }
      const { sellable, held, allocated, inTransit, onOrder } = outcome.value;
      const found = JSON.stringify({
        sellable,
        inTransit,
        onOrder,
        held,
        allocated,
        variance: varianceIn(world, sku, location),
      });
      if (found !== before && found !== stored())
        wrong.push(`${sku} at ${location} is ${found}, should be ${stored()}`);
    }
  }
  return wrong;
}

/** The variance of the last count in the book of the owner, which no answer shows. */
function varianceIn(world: World, sku: string, location: string): readonly [counted: number, book: number] | undefined {
  const number = partitionOf(sku, world.options.settings.partitions);
  const owned = world.nodes.flatMap((node) => node.core?.engine.partitions.get(number) ?? []);
  const key = owned.find(({ state }) => state === 'serving')?.book.findKey(sku, location);
  const variance = key && varianceOf(key);
  return variance && [variance.counted, variance.book];
}
