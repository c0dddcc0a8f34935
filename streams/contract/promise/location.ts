/** Requests and answers that describe locations. Callers cannot ask them over NATS. */
import { z } from 'zod';
import { LIMITS } from '../../../config/limits.ts';
import { author, byName, change, list, name, whole } from './policy.ts';

export const LOCATION_KINDS = ['store', 'dc', '3pl', 'dropship'] as const;
export const SERVICES = ['ship', 'pickup'] as const;
const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

const NAME_RULE = 'must be a string of 1 to 200 characters';
const KIND_RULE = `must be one of ${LOCATION_KINDS.join(', ')}`;
const SERVICE_RULE = `must be one of ${SERVICES.join(', ')}`;
const ZONE_RULE = 'must be the name of an IANA time zone, such as Europe/London';
const PERIOD_RULE = 'must be two times of day such as ["09:00","17:30"], the earlier first';
const DAY_RULE = 'must be in order and must not overlap';

function number(min: number, max: number) {
  const rule = `must be a number from ${min} to ${max}`;
  return z.number({ error: rule }).min(min, { error: rule }).max(max, { error: rule });
}

const TIME = /^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/;
/** Times of one length compare as text. */
const period = z
  .tuple([z.string({ error: PERIOD_RULE }), z.string({ error: PERIOD_RULE })], { error: PERIOD_RULE })
  .refine(([from, until]) => TIME.test(from) && TIME.test(until) && from < until, { error: PERIOD_RULE });
const day = list(period, LIMITS.openingPeriods).refine(
  (periods) => periods.every(([from], i) => i === 0 || from >= (periods[i - 1] as [string, string])[1]),
  { error: DAY_RULE },
);
const hours = z
  .object(Object.fromEntries(WEEKDAYS.map((weekday) => [weekday, day])), { error: 'must be an object' })
  .partial();

/** An offset such as +01:00 is no zone, because it says nothing of summer time. */
function isZone(text: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(text)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return true;
  } catch {
    return false;
  }
}

const fields = {
  name: z
    .string({ error: NAME_RULE })
    .min(1, { error: NAME_RULE })
    .refine((text) => text.isWellFormed() && [...text].length <= 200, { error: NAME_RULE })
    .optional(),
  kind: z.enum(LOCATION_KINDS, { error: KIND_RULE }).optional(),
  lat: number(-90, 90).optional(),
  lon: number(-180, 180).optional(),
  timezone: z
    .string({ error: ZONE_RULE })
    .refine(isZone, { error: ZONE_RULE })
    .optional()
    .meta({ description: 'IANA name of the time zone in which its days end; UTC if it is left out' }),
  hours: hours.optional().meta({ description: 'opening hours by weekday, in its time zone' }),
  capacityPerHour: whole(0, 1_000_000).optional().meta({ description: 'lines that can be worked on in an hour' }),
  handlingCost: number(0, 1_000_000_000).optional().meta({ description: 'cost of a parcel from here' }),
  services: list(z.enum(SERVICES, { error: SERVICE_RULE }), SERVICES.length).optional(),
  transitHours: byName(name, number(0, 8_760), 'a location', LIMITS.transitLanes)
    .optional()
    .meta({ description: 'hours that goods take from another location to this one' }),
};

export const locationBody = z
  .object({ id: name.optional(), ...fields, ...author }, { error: 'must be an object' })
  .refine(({ lat, lon }) => (lat === undefined) === (lon === undefined), {
    path: ['lat'],
    error: 'and lon must be given together, or both left out',
  })
  .meta({ id: 'LocationChange' });
export const locationAnswer = z.object({ id: z.string(), ...fields }).meta({ id: 'Location' });
export const locationHistory = z
  .object({
    history: z.array(
      z.object({ ...change, location: locationAnswer.nullable().meta({ description: 'null if it was removed' }) }),
    ),
  })
  .meta({ id: 'LocationHistory' });

export type LocationAnswer = z.infer<typeof locationAnswer>;
export type LocationHistory = z.infer<typeof locationHistory>;
