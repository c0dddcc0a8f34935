/** What the server's max_payload must be at least, in one sentence for people: a node does not start below it. */
import { LIMITS } from '../../config/limits.ts';
import type { Broker } from '../broker.ts';

/** Why this server takes too little in one message; undefined if it takes enough. */
export function maxPayloadTrouble({ server: { maxPayload, url } }: Pick<Broker, 'server'>): string | undefined {
  if (maxPayload >= LIMITS.leastMaxPayload) return undefined;
  return `the server at ${url} takes messages of at most ${maxPayload} bytes, and the journal needs ${LIMITS.leastMaxPayload}: set max_payload in nats.conf`;
}
