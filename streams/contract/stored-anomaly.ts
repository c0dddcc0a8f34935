/** The form of an anomaly between nodes, which is the form in answers with bounded texts. */
import { z } from 'zod';
import { anomalyAnswer } from './anomaly.ts';

const moment = z
  .string()
  .max(40)
  .refine((text) => !Number.isNaN(Date.parse(text)));
const text = z.string().max(10_000);
const name = z.string().min(1).max(128).optional();

export const anomaly = anomalyAnswer.extend({
  id: z.string().regex(/^\d{1,4}\.[a-z_]+\.[0-9a-f]{16}$/),
  sku: name,
  location: name,
  at: moment,
  updatedAt: moment,
  data: z.looseObject({ says: text }),
  acknowledged: z.object({ by: text, why: text, at: moment }).optional(),
  resolved: z.object({ by: text.optional(), why: text, at: moment }).optional(),
});
