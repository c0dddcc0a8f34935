/** The form of an anomaly between nodes, held against its type. */
import { z } from 'zod';
import { ANOMALY_KINDS, ANOMALY_STATES, type Anomaly, SEVERITIES } from './anomaly-kinds.ts';

const moment = z
  .string()
  .max(40)
  .refine((text) => !Number.isNaN(Date.parse(text)));
const text = z.string().max(10_000);
const name = z.string().min(1).max(128).optional();

export const anomaly = z.object({
  id: z.string().regex(/^\d{1,4}\.[a-z_]+\.[0-9a-f]{16}$/),
  kind: z.enum(ANOMALY_KINDS),
  severity: z.enum(SEVERITIES),
  sku: name,
  location: name,
  at: moment,
  updatedAt: moment,
  state: z.enum(ANOMALY_STATES),
  data: z.looseObject({ says: text }),
  acknowledged: z.object({ by: text, why: text, at: moment }).optional(),
  resolved: z.object({ by: text.optional(), why: text, at: moment }).optional(),
}) as unknown as z.ZodType<Anomaly, Anomaly>;
