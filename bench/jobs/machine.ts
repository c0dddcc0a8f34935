/** The state machine alone: the throughput of its fold, and the memory of its state. */
import { FactIds } from '../../actors/idempotency/fact-ids.ts';
import { StockBook } from '../../actors/stock/book.ts';
import { applyDecision, applyFact } from '../../actors/stock/evolve.ts';
import { decodeBody, encodeBody, JSON_TYPE } from '../../streams/codec.ts';
import { type ParsedFact, parseFact, type StockFact } from '../../streams/fact/fact.ts';
import { type Hash64, hash64 } from '../../streams/hash.ts';
import { partitionOf } from '../../streams/subjects.ts';
import { skuName } from './requests.ts';

const PARTITIONS = 32;

export interface Shape {
  readonly skus: number;
  readonly locations: number;
}

/** Facts parsed at a time before they are folded, so that they are still in the cache when they are folded, as with a follower. */
const BLOCK = 10_000;

/**
 * Facts per second of processor time through FactIds and applyFact, including the hash of the id and excluding parsing. The figure is per
 * core, and a busy machine gives less than one core, so it uses processor time.
 */
export async function foldFacts(options: Shape & { count: number }): Promise<number> {
  let perSecond = 0;
  // The first pass warms up the compiler. Each pass folds into empty books.
  for (let pass = 0; pass < 3; pass++) {
    const books = freshBooks();
    const factIds = new FactIds();
    let micros = 0;
    for (let from = 0; from < options.count; from += BLOCK) {
      const block = Array.from({ length: BLOCK }, (_, i) => read(sale(from + i, options)));
      const began = process.cpuUsage();
      for (const { fact, content } of block) fold(books, factIds, fact, content);
      const { user, system } = process.cpuUsage(began);
      micros += user + system;
    }
    if (pass > 0) perSecond = Math.max(perSecond, (options.count / micros) * 1e6);
  }
  return perSecond;
}

function fold(books: readonly StockBook[], factIds: FactIds, fact: StockFact, content: Hash64): void {
  const id = hash64(fact.id, 1);
  if (factIds.check(id, content) !== 'new') throw new Error(`${fact.id} is not new`);
  const partition = partitionOf(fact.sku, PARTITIONS);
  factIds.add(partition, id, content, fact.at);
  applyFact(books[partition] as StockBook, fact);
}

/** Facts per second of processor time from bytes to a validated fact with its hashes, as intake parses them. */
export async function parseFacts(options: Shape & { count: number }): Promise<number> {
  const bytes = Array.from({ length: options.count }, (_, number) => encodeBody(sale(number, options), JSON_TYPE));
  let perSecond = 0;
  for (let pass = 0; pass < 3; pass++) {
    const began = process.cpuUsage();
    for (const each of bytes) if (!parseFact(decodeBody(each, undefined)).ok) throw new Error('a fact cannot be read');
    const { user, system } = process.cpuUsage(began);
    perSecond = Math.max(perSecond, (bytes.length / (user + system)) * 1e6);
  }
  return perSecond;
}

export interface Sizes {
  readonly bytesPerActor: number;
  readonly bytesPerSeenId: number;
}

/** Bytes of a stock key with one movement and one count, including all indexes and its strings as decoded from the wire. */
export async function measureActors(options: Shape): Promise<Sizes> {
  const count = options.skus * options.locations;
  const before = used();
  const books = freshBooks();
  for (let number = 0; number < count; number++) {
    for (const value of [sale(number, options), counted(number, options)]) {
      const { fact } = read(value);
      applyFact(books[partitionOf(fact.sku, PARTITIONS)] as StockBook, fact);
    }
  }
  const actors = used() - before;
  const factIds = new FactIds();
  const withoutIds = used();
  for (let number = 0; number < count; number++)
    factIds.add(number % PARTITIONS, hash64(`id-${number}`, 1), hash64(`${number}`), number);
  const ids = used() - withoutIds;
  const keys = books.reduce((sum, book) => sum + book.keyCount, 0);
  if (keys !== count) throw new Error(`${keys} keys, but ${count} were made`);
  return { bytesPerActor: actors / count, bytesPerSeenId: ids / factIds.size };
}

/** Bytes of a live hold of one line, over 1,000 SKUs. */
export async function measureHolds(options: { count: number }): Promise<number> {
  const books = freshBooks();
  for (let number = 0; number < 1000; number++)
    books[partitionOf(skuName(number), PARTITIONS)]?.key(skuName(number), 'dc-1');
  const before = used();
  for (let number = 0; number < options.count; number++) {
    const sku = skuName(number % 1000);
    const id = Buffer.from(`cart-${String(number).padStart(12, '0')}`).toString('utf8');
    const coordinator = partitionOf(id, PARTITIONS);
    const partition = partitionOf(sku, PARTITIONS);
    const parts = [...new Set([partition, coordinator])].map((each) => [each, 1] as const);
    const line = { index: 0, sku, location: 'dc-1', qty: 1, partition, seq: number };
    for (const [each] of parts) {
      applyDecision(books[each] as StockBook, {
        kind: 'granted',
        id,
        content: hash64(id),
        channel: 'web',
        purpose: 'order',
        atMs: 1_800_000_000_000 + number,
        expiresAtMs: 1_800_000_900_000 + number,
        coordinator,
        participants: [partition],
        parts,
        lines: [line],
        shortages: [],
      });
    }
  }
  const bytes = (used() - before) / options.count;
  if (books.reduce((sum, book) => sum + book.parts.size, 0) !== options.count)
    throw new Error('not every hold is there');
  return bytes;
}

export function sale(number: number, { skus, locations }: Shape) {
  return {
    id: `till-${number % 97}-${String(number).padStart(9, '0')}:1`,
    type: 'sale',
    sku: skuName(number % skus),
    location: `store-${Math.floor(number / skus) % locations}`,
    occurredAt: new Date(1_795_000_000_000 + number).toISOString(),
    qty: 1,
    unitPrice: '9.95',
    currency: 'GBP',
    channel: 'store',
  };
}

export function counted(number: number, shape: Shape) {
  const { sku, location } = sale(number, shape);
  return {
    id: `count-${String(number).padStart(9, '0')}`,
    type: 'count',
    sku,
    location,
    occurredAt: '2026-11-01T06:00:00Z',
    counted: 40,
  };
}

/** Encodes and decodes the value, so that its strings are those that a node would hold. */
export function read(value: object): ParsedFact & { readonly fact: StockFact } {
  const parsed = parseFact(decodeBody(encodeBody(value, JSON_TYPE), undefined));
  if (!parsed.ok) throw new Error(parsed.message);
  return { ...parsed, fact: parsed.fact as StockFact };
}

export function freshBooks(): StockBook[] {
  return Array.from({ length: PARTITIONS }, (_, number) => new StockBook(number));
}

function used(): number {
  if (globalThis.gc === undefined) throw new Error('needs --expose-gc');
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
