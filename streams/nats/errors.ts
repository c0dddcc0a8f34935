/** What the NATS client and its server report, sorted into what the caller should do (streams/broker.ts). */
import { JetStreamApiError } from '@nats-io/jetstream';
import { InvalidArgumentError } from '@nats-io/transport-node';
import { BrokerError } from '../broker.ts';

const CONFLICTS = new Set([10071, 10164]);
/** The message, or its header, exceeds the stream's max_msg_size or what the server takes. */
const TOO_LARGE = new Set([10054, 10097]);
/** The stream's own limits, the account's, the server's disk or memory are used up. */
const FULL = new Set([10002, 10023, 10028, 10047, 10077]);
const UNKNOWN_OUTCOMES = new Set([10158, 10163, 10167]);

export function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}

export function sorted(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error;
  const message = error instanceof Error ? error.message : String(error);
  // The client's own check, of headers and data against what the server said when it was connected to last: nothing was sent.
  if (error instanceof InvalidArgumentError && message.includes('max_payload'))
    return new BrokerError('too-large', 'the message is larger than the max_payload of the server', { cause: error });
  if (!(error instanceof JetStreamApiError)) return new BrokerError('unknown', message, { cause: error });
  if (CONFLICTS.has(error.code)) return new BrokerError('conflict', message, { cause: error });
  if (TOO_LARGE.has(error.code)) return new BrokerError('too-large', message, { cause: error });
  if (FULL.has(error.code)) return new BrokerError('full', message, { cause: error });
  if (UNKNOWN_OUTCOMES.has(error.code) || error.status >= 500)
    return new BrokerError('unknown', message, { cause: error });
  return new BrokerError('refused', message, { cause: error });
}
