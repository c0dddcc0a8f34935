/**
 * The table of questions that are gathered from the owners of all partitions. Each has a schema for its body, and one for an owner's
 * answer for one partition. A malformed body is not answered, and a malformed answer is dropped.
 */

import { z } from 'zod';
import { knownItem, peerName, peerPartition } from '../../actors/ports/peer-operations.ts';
import { LIMITS } from '../../config/limits.ts';
import { PROMISE_STATES } from '../../streams/contract/promise/promises.ts';
import { stockAnswer } from '../../streams/contract/stock.ts';
import { STOCK_STATES } from '../../streams/contract/system.ts';
import { listOf, type Read } from '../../streams/messages.ts';
import type { LocationPart, PartitionFigures } from '../kpi/figures.ts';
import { CLOCKS_SHOWN } from './clock-queries.ts';

const natural = z.int().min(0);
/** The range of Date. A later moment would throw when it is formatted. */
const momentMs = z.number().min(0).max(8.64e15);
const figures = listOf(z.number(), 200);
const kept = z.tuple([figures, listOf(z.tuple([z.string().max(200), z.number()]), 1_000)]);
const mark = z.tuple([natural, natural]);
const windows = listOf(kept, 10);
const limit = z.int().min(1).max(10_000);

const partitionFigures: z.ZodType<PartitionFigures> = z.object({
  partition: peerPartition,
  mark,
  sinceMs: momentMs.nullable(),
  windows,
  seconds: figures,
  aged: figures,
  // A node of 0.2 sends none.
  vendors: listOf(z.tuple([z.string().max(256), natural, natural, z.number(), natural, z.number()]), 200).default([]),
  full: z.boolean(),
  locations: listOf(z.tuple([peerName, figures, momentMs, z.number()])),
});
const locationPart: z.ZodType<LocationPart> = z.object({
  sinceMs: momentMs.nullable(),
  standing: figures,
  aged: figures,
  heardAtMs: momentMs,
  windows,
});
const reservedLine = z.object({
  id: z.string().max(256),
  status: z.enum(['held', 'allocated']),
  channel: z.string().max(128),
  purpose: z.string().max(128),
  qty: natural,
  location: peerName,
  grantedAtMs: momentMs,
  expiresAtMs: momentMs.nullable(),
});
const names = listOf(peerName, 10_000);
const promisePlace = z.tuple([peerName, peerName, z.string().max(256), natural]).readonly();

export const GATHER_OPERATIONS = {
  /** Figures of a partition that have changed since the marks in the body. */
  kpi: { body: listOf(z.tuple([peerPartition, mark]), 1_024), answer: partitionFigures },
  'kpi-locations': { body: names, answer: listOf(z.tuple([peerName, locationPart])) },
  'find-names': {
    body: z.object({ text: z.string().max(256), limit }),
    // A node from before items names none.
    answer: z.object({
      skus: names,
      locations: names,
      names: listOf(z.tuple([peerName, z.string().max(400)])).default([]),
    }),
  },
  'find-stock': {
    body: z.object({ location: peerName, state: z.enum(STOCK_STATES), after: z.string().max(512), limit }),
    answer: listOf(stockAnswer),
  },
  'find-items': {
    body: z.object({ text: z.string().max(400).nullable(), after: z.string().max(128), limit }),
    answer: listOf(knownItem, LIMITS.itemsListed + 1),
  },
  'find-reservations': {
    body: z.object({
      sku: peerName,
      location: peerName.nullable(),
      limit,
      after: z.tuple([momentMs, z.string().max(128)]).nullish(),
    }),
    answer: listOf(reservedLine),
  },
  'find-promises': {
    body: z.object({
      state: z.enum(PROMISE_STATES),
      sku: peerName.optional(),
      location: peerName.optional(),
      after: promisePlace.optional(),
      limit,
    }),
    answer: listOf(
      z.object({
        place: promisePlace,
        line: z.string().max(64).nullable(),
        qty: natural,
        wanted: natural.nullable(),
        was: natural.nullable(),
        now: natural.nullable(),
        cause: z.string().max(300).nullable(),
      }),
    ),
  },
  'find-clocks': {
    body: z.object({ lag: z.number(), movedTo: z.number().nullable() }),
    answer: z.object({
      sources: listOf(
        z.object({ location: peerName, device: z.string().max(256).nullable(), ahead: z.number(), lag: z.number() }),
        CLOCKS_SHOWN,
      ),
      uncounted: listOf(z.object({ sku: peerName, location: peerName }), CLOCKS_SHOWN),
    }),
  },
} as const;

export type GatherOperation = keyof typeof GATHER_OPERATIONS;
export type GatherBody<O extends GatherOperation> = z.output<(typeof GATHER_OPERATIONS)[O]['body']>;
type GatherAnswer<O extends GatherOperation> = z.output<(typeof GATHER_OPERATIONS)[O]['answer']>;

export type Gathering<O extends GatherOperation> = Read<GatherBody<O>>;
export type Answered<O extends GatherOperation> = Read<GatherAnswer<O>>;

/** Handlers for a partition that is served here. They return undefined if it no longer is. */
export type GatherHandlers = {
  readonly [O in GatherOperation]: (partition: number, body: Gathering<O>) => Answered<O> | undefined;
};
