/** Requests and answers about anomalies. Each schema checks, types and documents. */
import { z } from 'zod';
import type { Read } from '../messages.ts';
import { ANOMALY_KINDS, ANOMALY_STATES, SEVERITIES } from './anomaly-kinds.ts';
import { cursorOf, limit, nextCursor } from './pages.ts';

const oneOf = (values: readonly string[]) => ({ error: `must be one of ${values.join(', ')}` });
const text = (max: number, what: string) => {
  const error = `must be a string of 1 to ${max} characters`;
  return z.string({ error }).trim().min(1, { error }).max(max, { error }).meta({ description: what });
};

export const anomaliesQuery = z.object({
  state: z
    .enum(ANOMALY_STATES, oneOf(ANOMALY_STATES))
    .optional()
    .meta({ description: 'open, acknowledged or resolved; all but resolved unless given' }),
  kind: z.enum(ANOMALY_KINDS, oneOf(ANOMALY_KINDS)).optional(),
  location: z.string().optional(),
  sku: z.string().optional(),
  limit: limit(10_000, 1_000),
  cursor: cursorOf(z.tuple([z.string(), z.string()])),
});
export const anomalyParams = z.object({ id: z.string() });
export const anomalyStep = z
  .object(
    { by: text(128, 'who'), why: text(1000, 'why: what was seen, what is done') },
    { error: 'must be an object with by and why' },
  )
  .meta({ id: 'AnomalyStep' });

const stepDone = { by: z.string(), why: z.string(), at: z.string() };
export const anomalyAnswer = z
  .object({
    id: z.string(),
    kind: z.enum(ANOMALY_KINDS),
    severity: z.enum(SEVERITIES),
    sku: z.string().optional(),
    location: z.string().optional(),
    at: z.string().meta({ description: 'when it began, by the facts behind it' }),
    updatedAt: z.string(),
    state: z.enum(ANOMALY_STATES),
    data: z.looseObject({ says: z.string() }).meta({ description: 'a sentence for people, and the figures behind it' }),
    acknowledged: z.object(stepDone).optional(),
    resolved: z
      .object({ ...stepDone, by: z.string().optional() })
      .optional()
      .meta({ description: 'without `by`: by itself, its cause was gone' }),
  })
  .meta({ id: 'Anomaly' });
export const anomaliesAnswer = z
  .object({ anomalies: z.array(anomalyAnswer), next: nextCursor })
  .meta({ id: 'Anomalies' });

export type Anomaly = Read<z.output<typeof anomalyAnswer>>;
