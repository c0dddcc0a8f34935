/** Checks typed input against the node's own schema, so that a wrong value is reported as wrong usage before a node is asked. */
import type { z } from 'zod';
import { UsageError } from './io.ts';

/** Throws a UsageError that names each wrong field. */
export function checkTyped(schema: z.ZodType, value: unknown): void {
  const result = schema.safeParse(value);
  if (result.success) return;
  const said = result.error.issues.slice(0, 5).map(({ path, message }) => `${path.map(String).join('.')} ${message}`);
  throw new UsageError(`error: ${said.join('; ')}\n(--help says what is allowed)`);
}
