/**
 * Frozen wire formats. Bytes that an earlier version wrote must stay readable in every later version, and this version must write the same
 * bytes.
 *
 * A file here changes only together with a new version of its format and code that still reads the old one. Hex files hold bytes, 32 a
 * line. Content hashes are frozen too, because snapshots hold them and they distinguish a resend from a conflict.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { RULES_VERSION } from '../../config/rules.ts';
import { decodeBody, encodeBody, JSON_TYPE, MSGPACK_TYPE } from '../../streams/codec.ts';
import { parseFact } from '../../streams/fact/fact.ts';
import { hash64 } from '../../streams/hash.ts';
import type { Decision, Fenced } from '../../streams/journal/decision.ts';
import { decodeRecord, encodeRecord, type JournalRecord, recordHash } from '../../streams/journal/record.ts';
import type { StockDecision } from '../../streams/journal/stock-decisions.ts';
import {
  againSubject,
  bundleSubject,
  decodeToken,
  encodeToken,
  FACT_TYPES,
  factSubject,
  journalSubject,
  ownerSubject,
  partitionOf,
  storedBundleSubject,
  storedFactSubject,
} from '../../streams/subjects.ts';
import { RESERVATION_DECISIONS } from './golden-decisions.ts';
import { FACTS } from './golden-facts.ts';

const FOLDER = new URL('golden/', import.meta.url);

function bytesOf(name: string): Buffer {
  return Buffer.from(readFileSync(new URL(name, FOLDER), 'utf8').replace(/\s/g, ''), 'hex');
}

function textOf(name: string): string {
  return readFileSync(new URL(name, FOLDER), 'utf8').trimEnd();
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

const DECISIONS = {
  granted: {
    kind: 'granted',
    id: 'cart-77 ✓',
    content: { hi: 4_294_967_295, lo: 1 },
    channel: 'web',
    purpose: 'order',
    atMs: 1_795_511_700_123,
    expiresAtMs: 1_795_512_600_123,
    coordinator: 31,
    participants: [3, 17],
    parts: [
      [3, 5],
      [17, 4_000_000_000],
      [31, 9],
    ],
    lines: [
      { index: 0, sku: '85123A', location: 'store-12', qty: 2, partition: 3, seq: 18_244 },
      {
        index: 1,
        sku: 'Teekanne grün',
        location: '東京 1',
        qty: 1_000_000_000,
        partition: 17,
        seq: 9_007_199_254_740_991,
      },
    ],
    shortages: [{ sku: '71053', requested: 3, available: 0 }],
  },
  confirmed: {
    kind: 'confirmed',
    id: 'cart-77 ✓',
    atMs: 1_795_511_701_000,
    parts: [
      [3, 5],
      [31, 9],
    ],
  },
  released: { kind: 'released', id: 'cart-77 ✓', atMs: 1_795_511_702_000, parts: [[3, 5]] },
  expired: { kind: 'expired', id: 'cart-77 ✓', atMs: 1_795_512_600_124, parts: [[17, 65_536]] },
  fenced: {
    kind: 'fenced',
    by: 'node-b.x7',
    parts: [
      [0, 12],
      [31, 70_000],
    ],
  },
} satisfies Readonly<Record<string, StockDecision | Fenced>>;

const recordOf = (...decisions: Decision[]): JournalRecord => ({
  writer: 'node-a.k3',
  n: 42,
  before: '00112233445566778899aabbccddeeff',
  decisions,
});
const RECORDS: Readonly<Record<string, { record: JournalRecord; hash: string }>> = {
  granted: { record: recordOf(DECISIONS.granted), hash: '59635046eec2466c2d217f786e357dee' },
  confirmed: { record: recordOf(DECISIONS.confirmed), hash: '2af536a23b40c0e3d68efdf4fd347552' },
  released: { record: recordOf(DECISIONS.released), hash: '3c9c6735e3bd4beca2bd4288dc685a2b' },
  expired: { record: recordOf(DECISIONS.expired), hash: 'a83096411cae64312923e865d080acdc' },
  fenced: { record: recordOf(DECISIONS.fenced), hash: '46300a2b4280ee033f66e0b069e52911' },
  first: { record: { writer: 'node-a.k3', n: 1, before: '', decisions: [] }, hash: '59c4d8a945bd107ab8c7883f7c1bf249' },
  batch: {
    record: { ...recordOf(...Object.values(DECISIONS)), n: 4_294_967_296 },
    hash: 'db3812750c46d2d7f85a3070d84e4056',
  },
  begun: { record: recordOf(RESERVATION_DECISIONS.begun), hash: '03561c6fe668e1ae27f2d687f704d139' },
  grown: { record: recordOf(RESERVATION_DECISIONS.grown), hash: '975555298472663fde70ead9508bffd8' },
  stands: { record: recordOf(RESERVATION_DECISIONS.stands), hash: '42b0a3f6b95dcce2a169100de8f3160c' },
  undone: { record: recordOf(RESERVATION_DECISIONS.undone), hash: '5f4b17ec74ce7ad1068d947f950f3d78' },
  settled: { record: recordOf(RESERVATION_DECISIONS.settled), hash: '8538727bd12567f0042d1da492db5413' },
};

describe('a journal record', () => {
  it.each(Object.entries(RECORDS))('%s is written as the golden bytes', (name, { record }) => {
    expect(hex(encodeRecord(record))).toBe(hex(bytesOf(`record-${name}.hex`)));
  });

  it.each(Object.entries(RECORDS))('%s is read from the golden bytes', (name, { record }) => {
    expect(decodeRecord(bytesOf(`record-${name}.hex`))).toEqual(record);
  });

  it.each(Object.entries(RECORDS))('%s has the golden hash, which the next record carries', (name, { hash }) => {
    expect(recordHash(bytesOf(`record-${name}.hex`))).toBe(hash);
  });

  it('of another version, of unknown decisions or of broken bytes is refused, not misread', () => {
    const golden = bytesOf('record-confirmed.hex');
    const other = (at: number, byte: number) => Buffer.from(golden.map((old, i) => (i === at ? byte : old)));
    const kindAt = golden.indexOf(Buffer.from('\u0002\u{ab}cart-77', 'latin1'));
    expect(kindAt).toBeGreaterThan(0);
    expect(() => decodeRecord(other(1, 2))).toThrow('its version is not 1');
    expect(() => decodeRecord(other(kindAt, 99))).toThrow('unknown kind 99');
    expect(() => decodeRecord(golden.subarray(0, -1))).toThrow('no MessagePack');
    expect(() => decodeRecord(Buffer.concat([golden, golden]))).toThrow('no MessagePack');
    expect(() => decodeRecord(Buffer.from('{}'))).toThrow();
  });
});

const hashText = ({ hi, lo }: { hi: number; lo: number }) =>
  [hi, lo].map((word) => word.toString(16).padStart(8, '0')).join('');

describe('a fact', () => {
  it.each(Object.entries(FACTS))('%s is written as the golden bytes, in JSON and in MessagePack', (name, { sent }) => {
    expect(Buffer.from(encodeBody(sent, JSON_TYPE)).toString()).toBe(textOf(`fact-${name}.json`));
    expect(hex(encodeBody(sent, MSGPACK_TYPE))).toBe(hex(bytesOf(`fact-${name}.msgpack.hex`)));
  });

  it.each(Object.entries(FACTS))(
    '%s is read from the golden bytes, with the golden content',
    (name, { fact, content, since = 1 }) => {
      const json = parseFact(decodeBody(Buffer.from(textOf(`fact-${name}.json`)), JSON_TYPE));
      const msgpack = parseFact(decodeBody(bytesOf(`fact-${name}.msgpack.hex`), MSGPACK_TYPE));
      expect(json.ok && { fact: json.fact, content: hashText(json.content) }).toEqual({ fact, content });
      expect(msgpack).toEqual(json);
      for (let version = since; version <= RULES_VERSION; version++)
        expect(parseFact(decodeBody(Buffer.from(textOf(`fact-${name}.json`)), JSON_TYPE), { version })).toEqual(json);
    },
  );

  it('of every type has its golden file', () => {
    expect(new Set(Object.values(FACTS).map(({ fact }) => fact.type))).toEqual(new Set(FACT_TYPES));
  });
});

describe('subjects', () => {
  const shown = (name: string) => ({
    name,
    token: encodeToken(name),
    partition: partitionOf(name, 32),
    sale: factSubject('sale', name, 'mug'),
    stored: storedFactSubject('count', 7, 'mug', name),
    id: hashText(hash64(name, 1)),
  });
  const golden = JSON.parse(textOf('subjects.json')) as ReturnType<typeof shown>[];

  it.each(golden.map((row) => [row.name, row] as const))('of %j are the golden ones', (name, row) => {
    expect(shown(name)).toEqual(row);
    expect(decodeToken(row.token)).toBe(name);
  });

  it('of odd names are all here', () => {
    expect(golden.map((row) => row.name)).toEqual([
      '85123A',
      'a.b',
      '*',
      '>',
      'a b',
      '%2E',
      "!~'()",
      'é',
      '東京 1',
      '😀',
      '$JS',
      'x_-9',
      '#/+?',
      '\u00a0x',
    ]);
  });

  it('of items name the SKU alone, and are stored in the shape of all facts', () => {
    expect([
      factSubject('item', undefined, 'a.b'),
      storedFactSubject('item', 7, undefined, 'a.b'),
      againSubject('item', 7, undefined, 'a.b'),
      bundleSubject('item', 3),
      storedBundleSubject('item', 3),
    ]).toEqual(['item.a%2Eb', 'item.7.-.a%2Eb', 'again.7.item.-.a%2Eb', 'bundle.item.3', 'bundle.item.3']);
  });

  it('of journals and owners are the golden ones', () => {
    expect([journalSubject('node-a.k3'), ownerSubject(31)]).toEqual(['journal.node-a%2Ek3', 'holdfast.owner.31']);
  });
});

it('no golden file is left unread', () => {
  const read = [
    ...Object.keys(RECORDS).map((name) => `record-${name}.hex`),
    ...Object.keys(FACTS).flatMap((name) => [`fact-${name}.json`, `fact-${name}.msgpack.hex`]),
    'subjects.json',
  ];
  const files = readdirSync(FOLDER, { withFileTypes: true }).filter((each) => each.isFile());
  expect(files.map(({ name }) => name).sort()).toEqual(read.sort());
});
