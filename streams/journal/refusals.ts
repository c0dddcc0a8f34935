/** Why the server does not store a record, and whether a retry can succeed. */
import { BrokerError } from '../broker.ts';

/** True if the server refuses the message for its content, so no retry can succeed. */
export function isForWhatItIs(error: unknown): error is BrokerError {
  // mutant: refused-record-tried-again
  return error instanceof BrokerError && (error.kind === 'too-large' || error.kind === 'refused');
}

/** The trouble as a sentence for people, one of a small fixed set. */
export function troubleOf(error: unknown): string {
  const kind = error instanceof BrokerError ? error.kind : 'unknown';
  if (kind === 'full') return 'the stream JOURNAL has no room';
  if (kind === 'too-large') return 'a record is larger than the server takes';
  return isForWhatItIs(error) ? 'NATS refuses what is appended' : 'NATS does not answer, or stores nothing';
}
