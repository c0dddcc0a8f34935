/**
 * The one table of operations that a node asks of the owner of a partition, each with the schemas of its request and its answer.
 * src/node/peers.ts assembles the handlers; the types allow no operation without one.
 *
 * Invariants:
 *  PO1 A request that does not fit its schema is refused before anything acts on it. An answer that does not fit is never used.
 *  PO2 Quantities are whole numbers within bounds. A requested, claimed or counted quantity from another node is never negative, a fraction
 *      or NaN.
 */

import { z } from 'zod';
import { LIMITS } from '../../config/limits.ts';
import { FACT_STREAM_NAMES } from '../../config/topology.ts';
import { explainAnswer, explainStep } from '../../streams/contract/operator.ts';
import { supplyEntry, supplyPlace } from '../../streams/contract/promise/supply.ts';
import {
  amendRequest,
  atpAnswer,
  atpRequest,
  partialRelease,
  reservationAnswer,
  reservationId,
  reservationRequest,
  skuStockAnswer,
  stockAnswer,
  stocksAnswer,
  stocksRequest,
} from '../../streams/contract/stock.ts';
import { anomaly } from '../../streams/contract/stored-anomaly.ts';
import { MAX_QTY } from '../../streams/fact/fields.ts';
import { PARK_REASONS } from '../../streams/fact/parked/parked.ts';
import { listOf, type Read } from '../../streams/messages.ts';

/** The name of a SKU or location. It admits every name of a stored fact, up to 64 characters of two UTF-16 units each. */
export const peerName = z.string().min(1).max(128);
/** A partition number. There are at most 1,024 partitions. */
export const peerPartition = z.int().min(0).max(1023);
// Counts and quantities that must not be negative use these two (PO2).
const natural = z.int().min(0);
const qty = z.int().min(1).max(MAX_QTY);
const hash = z.object({ hi: natural.max(0xffff_ffff), lo: natural.max(0xffff_ffff) });
const shortage = z.object({
  sku: peerName,
  requested: natural,
  available: z.int(),
  earliest: natural.nullable().optional(),
  substitutes: listOf(z.object({ sku: peerName, available: natural.optional() }), LIMITS.policySubstitutes).optional(),
});
export const shortages = listOf(shortage, 100_000);
const text = (most: number) => z.string().max(most);
const id = z.object({ id: reservationId });
/** An item as its owner knows it. */
export const knownItem = z.object({
  sku: peerName,
  name: text(400),
  attributes: listOf(z.tuple([text(128), text(LIMITS.itemAttributeBytes)]).readonly(), LIMITS.itemAttributes),
  at: z.number(),
});

const attempt = z.tuple([natural, natural]).readonly();
const standingDate = z.object({
  wanted: natural,
  due: natural,
  changes: natural,
  last: z.object({ was: natural, cause: text(300) }).optional(),
});
const standingLine = z.object({
  index: natural,
  name: text(64).optional(),
  sku: peerName,
  location: peerName,
  qty,
  fulfilled: natural,
  partition: peerPartition,
  epoch: natural,
  seq: natural,
  date: standingDate.optional(),
});
const standingLines = listOf(standingLine.transform((line) => ({ ...line, name: line.name })));
const factUnits = listOf(z.object({ sku: peerName, location: peerName, sold: natural, reopened: natural }), 100_000);
const terms = {
  id: reservationId,
  attempt,
  content: hash,
  channel: text(64),
  purpose: text(64),
  grantedAtMs: natural,
  expiresAtMs: natural,
  confirmedAtMs: natural,
  releasedAtMs: natural,
  expiredAtMs: natural,
  home: peerPartition,
  releases: listOf(reservationId, LIMITS.releasesPerReservation),
};
/** Lines as an owner plans them, or as they stand. */
const planned = { lines: standingLines, counted: factUnits, shortages };
const outcome = z.object({
  ...terms,
  ...planned,
  atMs: natural,
  participants: listOf(peerPartition, 1024),
  following: listOf(peerPartition, 1024),
  parts: listOf(z.tuple([peerPartition, natural]).readonly(), 1024),
});
const wantedLine = z
  .object({
    index: natural,
    sku: peerName,
    qty,
    locations: listOf(peerName, 1000).optional(),
    split: z.boolean(),
    name: text(64).optional(),
    by: text(64).optional(),
    backorder: z.boolean().optional(),
  })
  // A line for any location arrives without the field `locations`.
  .transform((line) => ({ ...line, locations: line.locations }));
const partView = z.object({
  channel: text(64),
  purpose: text(64),
  grantedAtMs: natural,
  releasedAtMs: natural,
  expiredAtMs: natural,
  lines: standingLines,
  counted: factUnits,
  moved: natural,
  // An earlier version does not say it, so nothing that is fulfilled ends there.
  soldAtMs: natural.default(Number.MAX_SAFE_INTEGER),
});

/** What is wanted of one owner. */
const wish = z.object({
  lines: listOf(wantedLine, 500),
  size: natural,
  partial: z.boolean(),
  // An earlier version does not say for whom the units are.
  channel: text(64).default(''),
  purpose: text(64).default(''),
});

const verdict = z.union([
  z.enum(['applied', 'duplicate', 'unknown']),
  z.object({ parked: z.enum(PARK_REASONS), message: text(10_000) }),
]);

const heard = z.object({
  location: peerName,
  device: text(256).optional(),
  facts: natural,
  late: natural,
  lateness: z.number(),
  minutes: listOf(z.int(), 2_000),
  at: z.number(),
  lag: z.number(),
  recordedAt: z.number(),
  clock: z.object({ ahead: z.number(), lag: z.number(), recordedAt: z.number() }).optional(),
});

/** The place of a step among all steps of its key: moment, rank, id, number (actors/ports/explain-page.ts). */
const place = z.tuple([z.number(), natural, text(256), natural]).readonly();
/** The page of older steps lies before `next`, which is null if this page begins with the oldest step. */
const explanation = explainAnswer.extend({
  sku: peerName,
  location: peerName,
  steps: listOf(explainStep),
  notes: listOf(z.string()),
  next: place.nullable().default(null),
});
/** The facts and decisions behind the figures of a stock key, in order, with running totals. */
export type ExplainAnswer = Read<z.output<typeof explanation>>;

const topic = z.tuple([z.enum(['atp', 'stock']), peerName]);
/** A SKU's value, with the version of the book that it was computed from. */
const valued = { v: z.literal(1).optional(), sku: peerName, atMs: z.number(), version: z.tuple([natural, natural]) };
export const skuValue = z.discriminatedUnion('kind', [
  z.object({
    ...valued,
    kind: z.literal('atp'),
    data: z.object({ asOf: text(40), ...atpAnswer.shape.lines.element.shape }),
  }),
  z.object({ ...valued, kind: z.literal('stock'), data: skuStockAnswer }),
]);
export type SkuValue = Read<z.output<typeof skuValue>>;

export const PEER_OPERATIONS = {
  atp: { request: atpRequest, answer: atpAnswer },
  stock: { request: z.object({ sku: peerName, location: peerName }), answer: stockAnswer },
  skuStock: { request: z.object({ sku: peerName }), answer: skuStockAnswer },
  stocks: { request: stocksRequest, answer: stocksAnswer },
  /** A page of the supply on its way. A list goes on after `next`. */
  supply: {
    request: z.object({
      sku: peerName,
      location: peerName.optional(),
      limit: z.int().min(1).max(LIMITS.supplyListed),
      after: supplyPlace.optional(),
    }),
    answer: z.object({ supply: listOf(supplyEntry, LIMITS.supplyListed), next: supplyPlace.nullable() }),
  },
  /** The items of SKUs. Those that have none are left out. */
  items: {
    request: z.object({ skus: listOf(peerName, LIMITS.itemsListed) }),
    answer: z.object({ items: listOf(knownItem, LIMITS.itemsListed) }),
  },
  explain: {
    request: z.object({
      sku: peerName,
      location: peerName,
      // A node on 0.1 sends no limit, and its answer names no next page.
      limit: z.int().min(1).max(LIMITS.explainSteps).default(LIMITS.explainStepsUsual),
      before: place.optional(),
    }),
    answer: explanation,
  },
  place: {
    request: reservationRequest,
    answer: z.object({ fresh: z.boolean(), reservation: reservationAnswer }),
  },
  confirm: { request: id, answer: reservationAnswer },
  release: { request: id, answer: reservationAnswer },
  amend: { request: amendRequest, answer: reservationAnswer },
  releaseSome: {
    request: z.object({ id: reservationId, part: partialRelease }),
    answer: reservationAnswer,
  },
  reservation: { request: id, answer: reservationAnswer },
  /** Ids of reservations with lines of a SKU, in order, after an id. */
  reservationIds: {
    request: z.object({
      sku: peerName,
      location: peerName.optional(),
      after: reservationId.optional(),
      limit: z.int().min(1).max(LIMITS.reservationsSearched),
    }),
    answer: z.object({ ids: listOf(reservationId, LIMITS.reservationsSearched) }),
  },
  /** A home asks a participant to claim what an attempt needs. */
  growPart: {
    request: z.object({ terms: z.object(terms), wish }),
    answer: z.object({ ...planned, had: z.boolean() }),
  },
  /** A home asks a participant what it is short of. */
  planPart: { request: id.extend({ wish }), answer: z.object({ shortages }) },
  /** A home makes a participant follow an outcome, or drop an attempt. */
  followPart: { request: z.object({ outcome }), answer: z.object({}) },
  undoPart: { request: z.object({ id: reservationId, attempt }), answer: z.object({}) },
  viewPart: { request: id, answer: z.object({ views: listOf(partView, 1) }) },
  /** A participant asks a home to end a reservation whose time is over. */
  expireHold: { request: id, answer: z.object({ state: z.enum(['gone', 'early', 'settled']) }) },
  /** How far the owner has folded the streams, for commands that read them. */
  point: {
    request: z.object({}),
    answer: z.object({
      writer: text(128),
      epoch: natural,
      positions: z.record(z.enum(FACT_STREAM_NAMES), natural),
      journalSeq: natural,
      reservationMemoryMs: natural,
    }),
  },
  /** The outcome of a fact that is a message of its own, or those of the facts at places of a bundle. */
  verdict: {
    request: z.object({
      stream: z.enum(FACT_STREAM_NAMES),
      seq: z.int().min(1),
      places: listOf(natural, LIMITS.bundleFacts, 1).optional(),
    }),
    answer: z.object({ verdict: verdict.nullish(), verdicts: listOf(verdict, LIMITS.bundleFacts).optional() }),
  },
  'anomaly.heard': { request: listOf(heard, 10_000), answer: z.object({}) },
  /** Which of these reservations their home knows. */
  'anomaly.known': {
    request: listOf(reservationId, LIMITS.reservationsAsked),
    answer: listOf(reservationId, LIMITS.reservationsAsked),
  },
  'anomaly.step': {
    request: z.object({
      id: text(128),
      step: z.enum(['acknowledge', 'resolve']),
      person: z.object({ by: text(1_000), why: text(10_000) }),
    }),
    answer: anomaly,
  },
  /** One question to several partitions of a node. dashboards/query/scatter-gather.ts defines the questions and their schemas. */
  gather: {
    request: z.object({
      operation: text(40),
      body: z.unknown().optional(),
      partitions: listOf(peerPartition, 1024, 1),
    }),
    answer: z.object({ values: listOf(z.tuple([peerPartition, z.unknown()]), 1024) }),
  },
  /** Subscribes readers on another node to these SKUs. Answers with the current values. */
  'live-want': {
    request: z.object({ reader: text(128).min(1), topics: listOf(topic, 1_000) }),
    answer: listOf(skuValue, 1_000),
  },
} as const;

export type PeerOperationName = keyof typeof PEER_OPERATIONS;
type Operation<N extends PeerOperationName> = (typeof PEER_OPERATIONS)[N];

/** A request and its answer as they are before sending. */
export type PeerRequest<N extends PeerOperationName> = Read<z.input<Operation<N>['request']>>;
type PeerReply<N extends PeerOperationName> = Read<z.input<Operation<N>['answer']>>;
/** The same two, as they are after reading. */
type PeerBody<N extends PeerOperationName> = z.output<Operation<N>['request']>;
export type PeerAnswer<N extends PeerOperationName> = z.output<Operation<N>['answer']>;

/** Handlers of these operations, for the partitions served here. A handler refuses by rejecting with a Refusal. */
export type PeerHandlers<N extends PeerOperationName = PeerOperationName> = {
  readonly [O in N]: (partition: number, body: PeerBody<O>) => Promise<PeerReply<O>>;
};
/** The operations that the core answers, without those of the anomaly keeper and the dashboards. */
export type CoreOperation = Exclude<
  PeerOperationName,
  'anomaly.heard' | 'anomaly.step' | 'anomaly.known' | 'gather' | 'live-want'
>;
