/**
 * A stranger that may publish. It never owned a partition, so its records in JOURNAL must not count and must not stop any writer. Its
 * bundles of facts count like those of a node, but it may lie about their moments.
 */

import { BUNDLE_LANES, JOURNAL_STREAM } from '../../config/topology.ts';
import { JSON_TYPE } from '../../streams/codec.ts';
import { encodeBundle } from '../../streams/fact/bundle.ts';
import { sentAsJson } from '../../streams/fact/sent-body.ts';
import { fence } from '../../streams/journal/decision.ts';
import { encodeRecord } from '../../streams/journal/record.ts';
import type { Random } from '../../streams/random.ts';
import { bundleSubject, hashOfToken, partitionOf } from '../../streams/subjects.ts';
import { STRANGER, STRANGER_SUBJECT } from '../witness/witness.ts';
import type { World } from '../world.ts';

const DAY_MS = 86_400_000;

/** Stores one of four messages: a bundle, bytes that are not a record, a fence of every partition, or a hold that an owner could have granted. */
export function forge(world: World, random: Random): void {
  const { server, options, nowMs } = world;
  if (random.chance(0.5)) {
    forgeBundle(world, random);
    return;
  }
  const store = (data: Uint8Array) => server.log.store(JOURNAL_STREAM, STRANGER_SUBJECT, data, {});
  if (random.chance(0.3)) {
    store(Buffer.from('hello'));
    return;
  }
  const { partitions } = options.settings;
  const head = { writer: STRANGER, n: 1, before: '' };
  if (random.chance(0.3)) {
    const parts = Array.from({ length: partitions }, (_, number) => [number, 1_000_000] as const);
    store(encodeRecord({ ...head, decisions: [fence(STRANGER, parts)] }));
    return;
  }
  const sku = random.pick(options.scarce);
  const partition = partitionOf(sku, partitions);
  const line = { index: 0, sku, location: random.pick(options.locations), qty: 1, partition, seq: 1 };
  const granted = {
    kind: 'granted',
    id: `stolen-${server.log.info(JOURNAL_STREAM)?.lastSeq}`,
    content: { hi: 1, lo: 1 },
    channel: 'web',
    purpose: 'order',
    atMs: nowMs,
    expiresAtMs: nowMs + 86_400_000,
    coordinator: partition,
    participants: [partition],
    parts: [[partition, 1]],
    lines: [line],
    shortages: [],
  } as const;
  store(encodeRecord({ ...head, decisions: [granted] }));
}

/** Stores a bundle of counts or adjustments from ahead of time, accepted when the stranger says so. Sometimes the bytes are no bundle. */
function forgeBundle({ server, options, nowMs }: World, random: Random): void {
  const [sku, type] = [random.pick(options.busy), random.pick(['count', 'adjustment'] as const)];
  const hash = hashOfToken(sku);
  const lane = (partitionOf(sku, options.settings.partitions) + (random.chance(0.2) ? 1 : 0)) % BUNDLE_LANES;
  const { stream, stored } = server.log.route(bundleSubject(type, lane));
  const facts = Array.from({ length: random.whole(1, 3) }, (_, place) => {
    const id = `${STRANGER}-${server.log.info(stream)?.lastSeq}-${place}`;
    const occurredAt = new Date(nowMs + random.whole(1, 3) * DAY_MS).toISOString();
    const more = type === 'count' ? { counted: random.whole(0, 50) } : { delta: 1, reason: 'found' };
    const { bytes } = sentAsJson({ id, type, sku, location: random.pick(options.locations), occurredAt, ...more });
    const lieMs = random.pick([0, -60_000, -400_000, -DAY_MS, 5_000, DAY_MS]);
    return { hash, acceptedAt: Math.floor(nowMs + lieMs) * 1000, bytes, type: JSON_TYPE } as const;
  });
  const bytes = encodeBundle(facts);
  server.log.store(stream, stored, random.chance(0.2) ? bytes.subarray(0, -1) : bytes, {});
}
