/**
 * Requests and answers of the contract. One zod schema each checks the request, types the code and generates the OpenAPI document. The
 * same bodies travel over HTTP and NATS.
 */
import { z } from 'zod';
import { LIMITS } from '../../config/limits.ts';
import { BUCKETS, type BucketName, bucketRow, byAge } from '../buckets.ts';
import { MAX_QTY } from '../fact/fields.ts';
import { parseDateOrInstant } from '../instant.ts';
import { isStoredName, NAME_RULE } from '../names.ts';
import { cursorOf, limit, nextCursor } from './pages.ts';

export const PURPOSES = ['order', 'pickup', 'marketplace', 'replenishment', 'promotion'] as const;
export const MAX_LINES = 500;
export const MAX_ATP_LINES = 5000;
export const DEFAULT_TTL_SECONDS = 900;
export const MAX_TTL_SECONDS = 30 * 86_400;

const NAMES = `must be ${NAME_RULE}`;
/** Admits names that only a stored fact can have introduced. src/api/stock-api.ts checks whether one has. */
export const name = z
  .string({ error: NAMES })
  .refine(isStoredName, { error: NAMES })
  .meta({ minLength: 1, maxLength: 64 });
const ID_RULE = 'must be a string of 1 to 128 characters';
export const reservationId = z
  .string({ error: ID_RULE })
  .refine((id) => id.length > 0 && id.length <= 256 && id.isWellFormed() && [...id].length <= 128, { error: ID_RULE })
  .meta({ minLength: 1, maxLength: 128 });
const CHANNEL_RULE = 'must be a string of 1 to 64 characters';
const channel = z.string({ error: CHANNEL_RULE }).min(1, { error: CHANNEL_RULE }).max(64, { error: CHANNEL_RULE });
const purpose = z.enum(PURPOSES, { error: `must be one of ${PURPOSES.join(', ')}` });
const BY_RULE = 'must be a date such as 2026-12-01, or a date and time with offset';
const by = z.string({ error: BY_RULE }).refine((text) => parseDateOrInstant(text) !== undefined, { error: BY_RULE });
const flag = z.boolean({ error: 'must be true or false' });

const LINE_RULE = 'must be a string of 1 to 64 characters';
const lineName = z.string({ error: LINE_RULE }).min(1, { error: LINE_RULE }).max(64, { error: LINE_RULE });
const IF_MATCH_RULE = 'must be the version of an answer, such as "3.18244.0", or *';

/** A name identifies a line when a reservation is changed, so it is given once. */
function namesDiffer(lines: readonly { readonly line?: string | undefined }[], context: z.RefinementCtx): void {
  const seen = new Set<string>();
  for (const [index, { line }] of lines.entries()) {
    if (line === undefined) continue;
    if (seen.has(line))
      context.addIssue({ code: 'custom', path: [index, 'line'], message: 'must be given to one line only' });
    seen.add(line);
  }
}

function whole(min: number, max: number) {
  const rule = `must be a whole number from ${min} to ${max}`;
  return z.int({ error: rule }).min(min, { error: rule }).max(max, { error: rule });
}

function list<T extends z.ZodType>(item: T, min: number, max: number) {
  const rule = `must be a list of ${min} to ${max}`;
  return z.array(item, { error: rule }).min(min, { error: rule }).max(max, { error: rule });
}

export const atpParams = z.object({ sku: name });
/** For whom and by when units are asked. */
const asked = { channel: channel.optional(), purpose: purpose.optional(), by: by.optional() };
export const atpQuerystring = z.object({ location: name.optional(), ...asked });
export const atpRequest = z
  .object(
    {
      lines: list(
        z.object({ sku: name, locations: list(name, 0, 1000).optional() }, { error: 'must be an object' }),
        1,
        MAX_ATP_LINES,
      ),
      ...asked,
    },
    { error: 'must be an object' },
  )
  .meta({ id: 'AtpRequest' });

const units = z.int();
/** Units by bucket. */
export function unitsBy<Name extends BucketName>(names: readonly Name[]): Record<Name, z.ZodInt> {
  const schemas = names.map((name) => [name, units.meta({ description: bucketRow(name).description })]);
  return Object.fromEntries(schemas) as Record<Name, z.ZodInt>;
}
/** Units by bucket. Only a node from before a bucket may leave it out, and it then reads as 0. */
export function allUnitsBy<Name extends BucketName>(names: readonly Name[]): Record<Name, z.ZodInt> {
  const shape = unitsBy(names);
  const later = byAge(names).later.map((name) => [name, (shape[name] as z.ZodInt).default(0)]);
  return { ...shape, ...Object.fromEntries(later) };
}

const VERSION = 'epoch.sequence of what this was computed from; never goes back for a SKU';
const backorderable = units.meta({
  description: 'units that the channel or purpose may be promised without a date; only where a policy allows it',
});
export const atpLine = z
  .object({
    sku: z.string(),
    atp: units,
    version: z.string().meta({ description: VERSION }),
    backorderable: backorderable.optional(),
    locations: z.array(z.object({ location: z.string(), atp: units, backorderable: backorderable.optional() })),
  })
  .meta({ id: 'AtpLine' });
export const atpAnswer = z.object({ asOf: z.string(), lines: z.array(atpLine) }).meta({ id: 'AtpAnswer' });
export const atpLineAnswer = z.object({ asOf: z.string(), ...atpLine.shape }).meta({ id: 'AtpLineAnswer' });

export const stockRequest = z.object({ sku: name, location: name.optional() }, { error: 'must be an object' });
export const stockAnswer = z
  .object({
    sku: z.string(),
    location: z.string(),
    ...allUnitsBy(BUCKETS),
    // A node on 0.1 sends none. The lowest version promises that the answer includes nothing.
    version: z.string().default('0.0').meta({ description: VERSION }),
  })
  .meta({ id: 'Stock' });
export const skuStockAnswer = z.object({ sku: z.string(), locations: z.array(stockAnswer) }).meta({ id: 'SkuStock' });
export const stocksRequest = z
  .object(
    { skus: list(name, 1, LIMITS.stockRows), locations: list(name, 1, 1000).optional() },
    { error: 'must be an object' },
  )
  .meta({ id: 'StocksRequest' });
export const stocksAnswer = z
  .object({ stock: z.array(stockAnswer).meta({ description: 'by SKU in the order of the request, then by location' }) })
  .meta({ id: 'Stocks' });

const CONFIRM_RULE = 'must be left out with confirm, because what is allocated does not expire';
const placement = {
  id: reservationId,
  channel: channel.default('web'),
  purpose: purpose.default('order'),
  ttlSeconds: whole(1, MAX_TTL_SECONDS)
    .optional()
    .meta({ description: `how long it is held unless it is confirmed; default ${DEFAULT_TTL_SECONDS}` }),
  confirm: flag.optional().meta({ description: 'allocates at once, without expiry' }),
  partial: flag.default(false),
  lines: list(
    z
      .object(
        {
          sku: name,
          qty: whole(1, MAX_QTY),
          line: lineName.optional().meta({ description: "the caller's own name for the line, returned in answers" }),
          locations: list(name, 1, 1000).optional(),
          split: flag.default(false),
          by: by
            .optional()
            .meta({ description: 'the day or moment by which the line is wanted; a day ends where its location is' }),
          backorder: flag.optional().meta({
            description: 'may be promised without a date, beyond what is there and on its way, as far as policy allows',
          }),
        },
        { error: 'must be an object' },
      )
      .refine(({ by: date, backorder }) => date === undefined || backorder !== true, {
        path: ['backorder'],
        error: 'must be left out with by, because a backorder has no date',
      }),
    1,
    MAX_LINES,
  ).superRefine(namesDiffer),
};

export const reservationRequest = z
  .object(placement, { error: 'must be an object' })
  .refine(({ confirm, ttlSeconds }) => confirm !== true || ttlSeconds === undefined, {
    path: ['ttlSeconds'],
    error: CONFIRM_RULE,
  })
  .meta({ id: 'ReservationRequest' });

/** The body of a placement, to which an existing reservation is matched. */
export const amendBody = z
  .object({ ...placement, id: reservationId.optional() }, { error: 'must be an object' })
  .meta({ id: 'ReservationAmendment' });
/** The same with the id, and with the version that it must have. */
export const amendRequest = z
  .object(
    { ...placement, ifMatch: z.string({ error: IF_MATCH_RULE }).max(512, { error: IF_MATCH_RULE }).optional() },
    { error: 'must be an object' },
  )
  .meta({ id: 'ReservationAmendRequest' });

export const reservationStep = z.object({ id: reservationId }, { error: 'must be an object' });

const releasedLines = list(
  z
    .object(
      { sku: name.optional(), line: lineName.optional(), qty: whole(1, MAX_QTY), location: name.optional() },
      { error: 'must be an object' },
    )
    .refine(({ sku, line }) => sku !== undefined || line !== undefined, {
      path: ['sku'],
      error: 'or line must be given',
    }),
  1,
  MAX_LINES,
);
/** Releases part of a reservation. `id` is the release's own. */
export const partialRelease = z
  .object({ id: reservationId, lines: releasedLines }, { error: 'must be an object' })
  .meta({ id: 'PartialRelease' });
/** Over NATS, `id` is the reservation's. With `lines`, part of it is released. */
export const releaseRequest = z
  .object(
    { id: reservationId, release: reservationId.optional(), lines: releasedLines.optional() },
    { error: 'must be an object' },
  )
  .refine(({ release, lines }) => (release === undefined) === (lines === undefined), {
    path: ['release'],
    error: 'and lines must be given together, or both left out',
  });

export const STATUSES = ['held', 'allocated', 'released', 'expired', 'fulfilled'] as const;
const shortage = z.object({ sku: z.string(), requested: units, available: units });
const refusedShortage = shortage.extend({
  earliest: z
    .string()
    .nullable()
    .optional()
    .meta({ description: 'the first moment at which the line could have been promised; null if there is none' }),
  substitutes: z
    .array(z.object({ sku: z.string(), available: units.meta({ description: 'ATP for the same channel and moment' }) }))
    .optional()
    .meta({ description: 'what the policy names instead' }),
});
export const reservationAnswer = z
  .object({
    id: z.string(),
    status: z.enum(STATUSES),
    expiresAt: z.string().nullable().meta({ description: 'null once it is confirmed: it no longer expires' }),
    lines: z
      .array(
        z.object({
          line: z.string().optional(),
          sku: z.string(),
          qty: units.meta({ description: 'units, including those that are fulfilled' }),
          fulfilled: units,
          location: z.string(),
          version: z.string(),
          promisedBy: z.string().nullable().optional().meta({
            description:
              'when a line that is promised for later is due; null if no moment is known. Absent once it is held or allocated',
          }),
        }),
      )
      .meta({ description: 'empty from an hour after a release or an expiry' }),
    shortages: z.array(shortage).optional(),
    known: z.boolean().optional().meta({ description: 'false if the id was cancelled before it was placed' }),
    etag: z.string().meta({ description: 'the version of the reservation, for If-Match' }),
  })
  .meta({ id: 'Reservation' });

export const factsQuery = z.object({
  versions: z
    .literal('1', { error: 'must be 1' })
    .optional()
    .meta({ description: '1 to be told, for each SKU, from which version on an answer includes the facts' }),
});
export const reservationsQuery = z.object({
  sku: name,
  location: name.optional(),
  status: z.enum(STATUSES, { error: `must be one of ${STATUSES.join(', ')}` }).optional(),
  limit: limit(LIMITS.reservationsListed, LIMITS.reservationsListedUsual),
  cursor: cursorOf(z.tuple([reservationId])),
});
export const reservationsAnswer = z
  .object({ reservations: z.array(reservationAnswer), next: nextCursor })
  .meta({ id: 'Reservations' });

export const factsAnswer = z
  .object({
    accepted: units,
    duplicates: units,
    rejected: z.array(z.object({ index: units, code: z.string(), message: z.string() })),
    versions: z.record(z.string(), z.string()).optional().meta({
      description:
        'by SKU of the facts that were not rejected, if `versions=1`: an ATP or stock answer with at least this version includes them',
    }),
  })
  .meta({ id: 'FactsAnswer' });

export const problemBody = z
  .object({
    type: z.string(),
    title: z.string(),
    status: units,
    detail: z.string(),
    errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
    shortages: z.array(refusedShortage).optional(),
  })
  .meta({ id: 'Problem' });

export type AtpRequest = z.output<typeof atpRequest>;
export type AtpLine = z.infer<typeof atpLine>;
export type AtpAnswer = z.infer<typeof atpAnswer>;
export type StockAnswer = z.infer<typeof stockAnswer>;
export type SkuStockAnswer = z.infer<typeof skuStockAnswer>;
export type StocksRequest = z.output<typeof stocksRequest>;
export type StocksAnswer = z.infer<typeof stocksAnswer>;
export type ReservationRequest = z.output<typeof reservationRequest>;
export type AmendRequest = z.output<typeof amendRequest>;
export type PartialRelease = z.output<typeof partialRelease>;
export type ReservationAnswer = z.infer<typeof reservationAnswer>;
export type ReservationsAnswer = z.infer<typeof reservationsAnswer>;
export type ReservationsQuery = Omit<z.output<typeof reservationsQuery>, 'cursor'> & {
  readonly after: string | undefined;
};
export type FactsAnswer = z.infer<typeof factsAnswer>;
export type ProblemBody = z.infer<typeof problemBody>;
