/** The verdict on a stored message, by the rules that apply to its sequence, and how long its id is remembered. */

import { describe, expect, it } from 'vitest';
import { CHUNK_IDS, FactIds } from '../../../actors/idempotency/fact-ids.ts';
import { Rules } from '../../../actors/idempotency/rules.ts';
import { readStored } from '../../../actors/idempotency/stored-fact.ts';
import { Intake } from '../../../actors/ingest/intake.ts';
import { maintain } from '../../../actors/partition/forgetting.ts';
import { Partition } from '../../../actors/partition/partition.ts';
import { decodeManifest, encodeManifest, type Manifest } from '../../../actors/snapshot/format.ts';
import { SteadyClock } from '../../../src/process/steady-clock.ts';
import type { FollowedMessage } from '../../../streams/broker.ts';
import { encodeBody, JSON_TYPE, MSGPACK_TYPE } from '../../../streams/codec.ts';
import { ParkMarks } from '../../../streams/fact/parked/park-marks.ts';
import type { FactType } from '../../../streams/subjects.ts';
import { factSubject, storedFact } from '../../../streams/subjects.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = Date.parse('2026-11-29T12:00:00Z');
const rule = (version: number, horizonMs: number | null = HOUR_MS) => ({ horizonMs, slackMs: 0, version });
const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

function receipt(more: object = {}) {
  return {
    id: 'r',
    type: 'receipt',
    sku: 'A',
    location: 'x',
    occurredAt: new Date(NOW_MS).toISOString(),
    qty: 1,
    ...more,
  };
}
function stored(
  fact: { type: string; location: string; sku: string },
  {
    seq = 1,
    headers = {},
    data = encodeBody(fact, JSON_TYPE),
  }: { seq?: number; headers?: Record<string, string>; data?: Uint8Array } = {},
): FollowedMessage {
  const [type, location, sku] = factSubject(fact.type as FactType, fact.location, fact.sku).split('.');
  const subject = `${type}.0.${location}.${sku}`;
  return {
    seq,
    subject,
    data,
    recordedAt: NOW_MS * 1000,
    pending: 0,
    deliverySeq: seq,
    header: (name) => headers[name],
  };
}
const read = (version: number, message: FollowedMessage) =>
  readStored(rule(version), message, storedFact(message.subject, 1), new ParkMarks());
const reason = (version: number, message: FollowedMessage) => {
  const found = read(version, message);
  return found.ok ? 'counts' : `${found.reason}: ${found.message}`;
};

describe('a stored message counts by version 1, and by version 2', () => {
  const unseen = [
    'A\u200bB',
    'A\u202eB',
    'A\u2066B',
    'A\u{e0041}',
    'A\ufe0f',
    'A\u3164',
    'A\u2028B',
    'A\ufffdB',
    'A\u00adB',
    '.',
    '..',
  ];
  it.each(unseen.map((name) => [JSON.stringify(name), name]))('not, when its SKU or its location is %s', (_, name) => {
    for (const field of ['sku', 'location']) {
      const message = stored(receipt({ [field]: name }) as ReturnType<typeof receipt>);
      expect(reason(1, message)).toBe('counts');
      expect(reason(2, message)).toMatch(new RegExp(`^invalid: ${field} must be .*invisible`));
    }
    const moved = {
      ...receipt({ location: 'x', from: 'x', to: name }),
      type: 'transfer',
      phase: 'shipped',
      transfer: 'T',
    };
    expect([reason(1, stored(moved)), reason(2, stored(moved))]).toEqual([
      'counts',
      expect.stringMatching(/^invalid: to must be/),
    ]);
    // A count may correct what stored facts have caused.
    const count = { ...receipt({ sku: name, counted: 0 }), type: 'count' };
    expect([reason(1, stored(count)), reason(2, stored(count))]).toEqual(['counts', 'counts']);
  });

  it('with letters of any script, and signs that are seen', () => {
    for (const sku of ['Größe M', '靴', 'حذاء', 'A/B.c', 'a..b', '½"', '🧦'])
      expect(reason(2, stored(receipt({ sku })))).toBe('counts');
  });

  it('not, when a field that nobody knows is nested too deep, or MessagePack is more than a value', () => {
    expect(reason(2, stored(receipt({ note: nested(63) })))).toBe('counts');
    expect([
      reason(1, stored(receipt({ note: nested(64) }))),
      reason(2, stored(receipt({ note: nested(64) }))),
    ]).toEqual(['counts', 'invalid: the fact is nested too deep']);
    const headers = { 'Content-Type': MSGPACK_TYPE };
    const packed = encodeBody(receipt(), MSGPACK_TYPE);
    expect(reason(2, stored(receipt(), { headers, data: packed }))).toBe('counts');
    const deep = Buffer.concat([Buffer.from([0x81, 0xa1, 0x61]), Buffer.alloc(100_000, 0x91), Buffer.from([0xc0])]);
    expect(reason(2, stored(receipt(), { headers, data: deep }))).toMatch(/^unreadable: .*nested/);
  });

  it('not, when it is a transfer that ends otherwise than by arriving, before version 3', () => {
    const moved = { ...receipt(), type: 'transfer', transfer: 'T', from: 'x', to: 'y' };
    const rows = [
      [{ phase: 'closed', reason: 'lost' }, 'phase must be shipped or received'],
      [{ phase: 'closed', reason: 'corrected' }, 'phase must be shipped or received'],
      [{ phase: 'received' }, 'location must equal to when phase is received'],
    ] as const;
    for (const [more, why] of rows) {
      const message = stored({ ...moved, ...more });
      expect([1, 2, 3].map((version) => reason(version, message))).toEqual([
        `invalid: ${why}`,
        `invalid: ${why}`,
        'counts',
      ]);
    }
    // Any other phase may always have had a reason of any form.
    for (const version of [1, 2, 3])
      expect(reason(version, stored({ ...moved, phase: 'shipped', reason: 7 } as typeof moved))).toBe('counts');
  });

  it('not, when it happened before the horizon and its sender has set a header', () => {
    const old = receipt({ occurredAt: new Date(NOW_MS - 2 * HOUR_MS).toISOString() });
    const headers = { 'Holdfast-Resubmit': 'yes' };
    expect([1, 2].map((version) => reason(version, stored(old)).slice(0, 7))).toEqual(['too-old', 'too-old']);
    expect([1, 2].map((version) => reason(version, stored(old, { headers })).slice(0, 7))).toEqual([
      'counts',
      'too-old',
    ]);
  });
});

describe('an id', () => {
  const none = () => undefined;
  function intakeOf(factIds: FactIds, partition: Partition, version = 1) {
    const rules = new Rules([{ from: {}, ...rule(version) }]);
    const events = { applied: none, duplicate: none, parked: none, inDoubt: none };
    const stored = { marks: new ParkMarks(), partitions: 1 };
    return new Intake(
      new SteadyClock(),
      new Map([[0, partition]]),
      factIds,
      async () => undefined,
      events,
      rules,
      stored,
    );
  }
  const forget = (factIds: FactIds, partition: Partition, nowMs: number) =>
    maintain(partition, factIds, {
      nowMs,
      horizonMs: HOUR_MS,
      reservationMemoryMs: Number.POSITIVE_INFINITY,
      caughtUp: true,
    });

  it('is remembered for the horizon from when its message was stored: old facts that are submitted again count once', async () => {
    const [factIds, partition] = [new FactIds(), new Partition(0)];
    const intake = intakeOf(factIds, partition);
    const month = new Date(NOW_MS - 30 * 24 * HOUR_MS).toISOString();
    const send = (from: number) => {
      for (let i = 0; i < CHUNK_IDS; i++)
        intake.take(
          'RECEIPTS',
          stored(receipt({ id: `old-${i}`, occurredAt: month }), {
            seq: from + i,
            headers: { 'Holdfast-Resubmit': 'yes' },
          }),
        );
    };
    send(1);
    forget(factIds, partition, NOW_MS);
    expect(factIds.size).toBe(CHUNK_IDS);
    send(CHUNK_IDS + 1);
    expect(partition.book.findKey('A', 'x')?.sellable).toBe(CHUNK_IDS);
    expect(await intake.outcomes('RECEIPTS', CHUNK_IDS + 1, [undefined], 0, 0)).toEqual(['duplicate']);
    forget(factIds, partition, NOW_MS + 3 * HOUR_MS);
    expect(factIds.size).toBe(0);
  });

  it('of a fact that is dated ahead is remembered while a copy could still come, but for two horizons at most', () => {
    const kept = (occurredAt: string, afterMs: number) => {
      const [factIds, partition] = [new FactIds(), new Partition(0)];
      const intake = intakeOf(factIds, partition);
      for (let i = 0; i < CHUNK_IDS; i++)
        intake.take('RECEIPTS', stored(receipt({ id: `ahead-${i}`, occurredAt }), { seq: i + 1 }));
      forget(factIds, partition, NOW_MS + afterMs);
      return factIds.size > 0;
    };
    const ahead = new Date(NOW_MS + HOUR_MS / 2).toISOString();
    expect([kept(ahead, 2.4 * HOUR_MS), kept(ahead, 2.6 * HOUR_MS)]).toEqual([true, false]);
    expect([kept('2199-12-31T00:00:00Z', 2.9 * HOUR_MS), kept('2199-12-31T00:00:00Z', 3.1 * HOUR_MS)]).toEqual([
      true,
      false,
    ]);
  });
});

describe('a snapshot of 0.1, or of before a stream was there', () => {
  const manifest = {
    positions: { SALES: 7 },
    created: { SALES: 's' },
    atMs: NOW_MS,
    pages: [],
    partition: 0,
    journalSeq: 1,
  };
  const ids = [{ name: 'i', crc: 0, bytes: 0, latest: 5 }];
  const decoded = (more: object) =>
    decodeManifest(encodeManifest({ ...manifest, ids, ...more } as unknown as Manifest));

  it('has folded nothing of that stream', () => {
    expect(decoded({}).positions).toEqual({ SALES: 7, RECEIPTS: 0, TRANSFERS: 0, RETURNS: 0, COUNTS: 0, ITEMS: 0 });
  });

  it('keeps its ids for the horizon from when it was written, since it does not say when they were stored', () => {
    expect(decoded({}).ids[0]?.latest).toBeGreaterThanOrEqual(NOW_MS * 1000);
    expect(decoded({ idsBy: 'stored' }).ids[0]?.latest).toBe(5);
  });
});
