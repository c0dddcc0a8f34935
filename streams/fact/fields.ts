/** The fields of facts, each with its form and the rule that a sender is told. streams/fact/fact.ts makes the types of them. */
import { z } from 'zod';
import { INSTANT_RULE, parseDateOrInstant, parseInstant } from '../instant.ts';
import { isStoredName, NAME_RULE } from '../names.ts';

export const MAX_QTY = 1_000_000_000;

export function name(what: string) {
  return z
    .string({ error: `must be a string: ${NAME_RULE}` })
    .refine(isStoredName, { error: `must be ${NAME_RULE}` })
    .meta({ description: `${what}: ${NAME_RULE}`, minLength: 1, maxLength: 64 });
}

export function text(max: number, what: string) {
  const rule = `must be a string of 1 to ${max} characters`;
  return z
    .string({ error: rule })
    .refine(
      (value) => value.length > 0 && value.length <= max * 2 && value.isWellFormed() && [...value].length <= max,
      {
        error: rule,
      },
    )
    .meta({ description: what, minLength: 1, maxLength: max });
}

export function whole(min: number, max: number, what: string) {
  const rule = `must be a whole number from ${min} to ${max}`;
  return z.int({ error: rule }).min(min, { error: rule }).max(max, { error: rule }).meta({ description: what });
}

export const instant = z
  .string({ error: `must be ${INSTANT_RULE}` })
  .refine((value) => parseInstant(value) !== undefined, { error: `must be ${INSTANT_RULE}` })
  .meta({ description: INSTANT_RULE, format: 'date-time' });

export const dateOrInstant = z
  .string({ error: `must be a date or ${INSTANT_RULE}` })
  .refine((value) => parseDateOrInstant(value) !== undefined, { error: `must be a date or ${INSTANT_RULE}` })
  .meta({ description: `a date, which means the end of that day in UTC, or ${INSTANT_RULE}` });

const MONEY_RULE = 'must be a number or a decimal string such as "12.50"';
export const money = z
  .custom<string | number>(
    (value) =>
      (typeof value === 'number' && Number.isFinite(value)) || (typeof value === 'string' && DECIMAL.test(value)),
    { error: MONEY_RULE },
  )
  .meta({ description: 'a decimal string, or a number, in the currency of the field `currency`' });
const DECIMAL = /^-?\d{1,15}(\.\d{1,9})?$/;
export const currency = z
  .string({ error: 'must be an ISO 4217 code such as GBP' })
  .regex(/^[A-Z]{3}$/, { error: 'must be an ISO 4217 code such as GBP' });

export const QTY_RULE = `must be a whole number from 1 to ${MAX_QTY}`;
export const qty = whole(1, MAX_QTY, 'whole base units');
export const ARRIVED_RULE = `${QTY_RULE}, or 0 if damaged is not`;
export const arrived = z
  .int({ error: ARRIVED_RULE })
  .min(0, { error: ARRIVED_RULE })
  .max(MAX_QTY, { error: ARRIVED_RULE })
  .meta({ description: 'whole base units; 0 only if `damaged` is not, of what arrives' });
export const damaged = whole(0, MAX_QTY, 'whole base units that arrived damaged, beside qty');
export const channel = text(64, 'sales channel');
export const reference = (what: string) => text(128, what);
