/** Why the server does not store a record, and whether it ever will. */
import { BrokerError } from '../broker.ts';

/** The server, wherever it is and however it stands, will not take this. */
export function isForWhatItIs(error: unknown): error is BrokerError {
  // mutant: refused-record-tried-again
  return error instanceof BrokerError && (error.kind === 'too-large' || error.kind === 'refused');
}

/** For people, one of a few sentences. */
export function troubleOf(error: unknown): string {
  const kind = error instanceof BrokerError ? error.kind : 'unknown';
  if (kind === 'full') return 'the stream JOURNAL has no room';
  if (kind === 'too-large') return 'a record is larger than the server takes';
  return isForWhatItIs(error) ? 'NATS refuses what is appended' : 'NATS does not answer, or stores nothing';
}
