/** Checks the server's max_payload. A node does not start if it is too small. */
import { LIMITS } from '../../config/limits.ts';
import type { Broker } from '../broker.ts';

/** Why this server's max_payload is too small, in a sentence for people; undefined if it is large enough. */
export function maxPayloadTrouble({ server: { maxPayload, url } }: Pick<Broker, 'server'>): string | undefined {
  if (maxPayload >= LIMITS.leastMaxPayload) return undefined;
  return `the server at ${url} takes messages of at most ${maxPayload} bytes, and the journal needs ${LIMITS.leastMaxPayload}: set max_payload in nats.conf`;
}
