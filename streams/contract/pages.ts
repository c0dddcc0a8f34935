/** Pages of lists: the number of entries, and an opaque cursor for the next page that callers pass back. */
import { z } from 'zod';

const RULE = 'must be `next` of the page before';

/** The query parameter `limit` of a list. */
export function limit(most: number, usual: number) {
  const rule = `must be a whole number from 1 to ${most}`;
  return z.coerce
    .number({ error: rule })
    .pipe(z.int({ error: rule }).min(1, { error: rule }).max(most, { error: rule }))
    .default(usual)
    .meta({ description: `at most so many, up to ${most}; default ${usual}`, minimum: 1, maximum: most });
}

export function cursorText(place: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

/** The query parameter `cursor` of a list, decoded to the place where the page begins. */
export function cursorOf<T extends z.ZodType>(place: T) {
  return z
    .string({ error: RULE })
    .max(2_048, { error: RULE })
    .transform((text, context): z.output<T> => {
      const read = place.safeParse(decoded(text));
      if (read.success) return read.data;
      context.addIssue({ code: 'custom', message: RULE });
      return z.NEVER;
    })
    .optional()
    .meta({ description: '`next` of the page before' });
}

/** `next` of a list. */
export const nextCursor = z
  .string()
  .nullable()
  .meta({ description: '`cursor` of the next page; null if this was the last' });

function decoded(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return undefined;
  }
}
