/** A stranger that may publish to JOURNAL. It never owned a partition, so its records must not count and must not stop any writer. */

import { JOURNAL_STREAM } from '../../config/topology.ts';
import { fence } from '../../streams/journal/decision.ts';
import { encodeRecord } from '../../streams/journal/record.ts';
import type { Random } from '../../streams/random.ts';
import { partitionOf } from '../../streams/subjects.ts';
import { STRANGER, STRANGER_SUBJECT } from '../witness/witness.ts';
import type { World } from '../world.ts';

/** Stores one of three messages: bytes that are not a record, a fence of every partition, or a hold that an owner could have granted. */
export function forge({ server, options, nowMs }: World, random: Random): void {
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
