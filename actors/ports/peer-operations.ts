/**
 * What one node asks of the owner of a partition: the one table of these operations, each with the form of its request and of its answer.
 * Who answers each of them is put together in src/node/peers.ts; the types allow none without a handler.
 *
 * Invariants:
 *  PO1 A body that has not its form is refused before anything is done with it, and an answer before it is believed.
 *  PO2 Numbers are whole and within their bounds: no quantity of another node is negative, a fraction or no number.
 */

import { z } from 'zod';
import { LIMITS } from '../../config/limits.ts';
import { FACT_STREAM_NAMES } from '../../config/topology.ts';
import { explainAnswer, explainStep } from '../../streams/contract/operator.ts';
import {
  atpAnswer,
  atpRequest,
  reservationAnswer,
  reservationId,
  reservationRequest,
  STATUSES,
  skuStockAnswer,
  stockAnswer,
} from '../../streams/contract/stock.ts';
import { anomaly } from '../../streams/contract/stored-anomaly.ts';
import { MAX_QTY } from '../../streams/fact/fact.ts';
import { PARK_REASONS } from '../../streams/fact/parked.ts';
import { listOf, type Read } from '../../streams/messages.ts';

/** Names of SKUs and locations between nodes: whatever a stored fact may have, up to 64 characters of two UTF-16 units. */
export const peerName = z.string().min(1).max(128);
/** A partition; there are at most 1,024. */
export const peerPartition = z.int().min(0).max(1023);
// PO2.
const natural = z.int().min(0);
const qty = z.int().min(1).max(MAX_QTY);
const spread = listOf(peerPartition, 1024, 1);
const hash = z.object({ hi: natural.max(0xffff_ffff), lo: natural.max(0xffff_ffff) });
const shortage = z.object({ sku: peerName, requested: natural, available: z.int() });
export const shortages = listOf(shortage, 100_000);
const text = (most: number) => z.string().max(most);
const id = z.object({ id: reservationId });

const part = z.object({
  status: z.enum(STATUSES),
  fulfilled: z.boolean(),
  expiresAtMs: natural,
  confirmed: z.boolean(),
  shortages,
  lines: listOf(z.object({ index: natural, sku: peerName, qty, location: peerName, version: text(40) })),
});
const parts = listOf(part, 1024);

const grantPart = z.object({
  request: reservationRequest,
  content: hash,
  home: peerPartition,
  spread,
  lines: listOf(
    z.object({
      index: natural,
      sku: peerName,
      qty,
      locations: listOf(peerName, 1000).optional(),
      split: z.boolean(),
    }),
    500,
    1,
  ),
  expiresAtMs: natural,
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
});

/** Of a step among all of a key: moment, rank within it, id, number (actors/ports/explain-page.ts). */
const place = z.tuple([z.number(), natural, text(256), natural]).readonly();
/** The page of the older steps is before `next`; null if this one begins with the oldest. */
const explanation = explainAnswer.extend({
  sku: peerName,
  location: peerName,
  steps: listOf(explainStep),
  notes: listOf(z.string()),
  next: place.nullable().default(null),
});
/** The facts and decisions behind the numbers of a stock key, in order, with running totals. */
export type ExplainAnswer = Read<z.output<typeof explanation>>;

const topic = z.tuple([z.enum(['atp', 'stock']), peerName]);
/** A SKU's value with the version of the book that it was computed from. */
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
  explain: {
    request: z.object({
      sku: peerName,
      location: peerName,
      // A node of 0.1 names none, and its answer no next page.
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
  reservation: { request: id, answer: reservationAnswer },
  grantPart: { request: grantPart, answer: parts },
  stepPart: {
    request: z.object({ id: reservationId, step: z.enum(['confirmed', 'released', 'expired']), spread }),
    answer: parts,
  },
  undoPart: { request: z.object({ id: reservationId, expiresAtMs: natural, spread }), answer: parts },
  getPart: { request: z.object({ id: reservationId, spread }), answer: parts },
  /** How far the owner is, for commands that look at the streams. */
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
  /** What became of a stored fact. */
  verdict: {
    request: z.object({ stream: z.enum(FACT_STREAM_NAMES), seq: z.int().min(1) }),
    answer: z.object({ verdict: verdict.nullish() }),
  },
  'anomaly.heard': { request: listOf(heard, 10_000), answer: z.object({}) },
  'anomaly.step': {
    request: z.object({
      id: text(128),
      step: z.enum(['acknowledge', 'resolve']),
      person: z.object({ by: text(1_000), why: text(10_000) }),
    }),
    answer: anomaly,
  },
  /** One question to several partitions of a node; dashboards/query/scatter-gather.ts knows the questions and their forms. */
  gather: {
    request: z.object({
      operation: text(40),
      body: z.unknown().optional(),
      partitions: listOf(peerPartition, 1024, 1),
    }),
    answer: z.object({ values: listOf(z.tuple([peerPartition, z.unknown()]), 1024) }),
  },
  /** Readers of another node want these SKUs, from now on; the present values. */
  'live-want': {
    request: z.object({ reader: text(128).min(1), topics: listOf(topic, 1_000) }),
    answer: listOf(skuValue, 1_000),
  },
} as const;

export type PeerOperationName = keyof typeof PEER_OPERATIONS;
type Operation<N extends PeerOperationName> = (typeof PEER_OPERATIONS)[N];

/** What is asked, and what is answered, before they are sent. */
export type PeerRequest<N extends PeerOperationName> = Read<z.input<Operation<N>['request']>>;
type PeerReply<N extends PeerOperationName> = Read<z.input<Operation<N>['answer']>>;
/** The same as they are read. */
type PeerBody<N extends PeerOperationName> = z.output<Operation<N>['request']>;
export type PeerAnswer<N extends PeerOperationName> = z.output<Operation<N>['answer']>;

/** Who answers these operations for the partitions that are served here. Each rejects with a Refusal. */
export type PeerHandlers<N extends PeerOperationName = PeerOperationName> = {
  readonly [O in N]: (partition: number, body: PeerBody<O>) => Promise<PeerReply<O>>;
};
/** Those that the core answers, without whoever watches. */
export type CoreOperation = Exclude<PeerOperationName, 'anomaly.heard' | 'anomaly.step' | 'gather' | 'live-want'>;
