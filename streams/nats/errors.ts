/** Sorts the errors of the NATS client and its server by what the caller should do (streams/broker.ts). */
import { JetStreamApiError, JetStreamError } from '@nats-io/jetstream';
import { InvalidArgumentError, RequestError } from '@nats-io/transport-node';
import { BrokerError } from '../broker.ts';

const CONFLICTS = new Set([10071, 10164]);
/** The message or its header exceeds the stream's max_msg_size or the server's limit. */
const TOO_LARGE = new Set([10054, 10097]);
/** The limits of the stream or the account, or the server's disk or memory, are used up. */
const FULL = new Set([10002, 10023, 10028, 10047, 10077]);
const UNKNOWN_OUTCOMES = new Set([10158, 10163, 10167]);

export function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}

/**
 * True if no server heard the request, so nothing was done. In a cluster, a server may not know a stream or a consumer yet that another
 * server has just created.
 */
export function isUnheard(error: unknown): boolean {
  if (error instanceof JetStreamError && 'code' in error && error.code === 503) return true;
  if (error instanceof RequestError && error.isNoResponders()) return true;
  // The client wraps the error where JetStream itself might be missing.
  return error instanceof Error && error.cause !== undefined && isUnheard(error.cause);
}

export function sorted(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error;
  const message = error instanceof Error ? error.message : String(error);
  // The client checks headers and data against the max_payload that the server announced at the last connect. Nothing was sent.
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

const MOST_ATTEMPTS = 3;

/**
 * Creates a stream or a bucket that may already exist. If two nodes create the same one at once, a cluster often answers only one of them,
 * so the other asks again.
 * @param make the creation, which rejects with a BrokerError of the kind `unknown` if no answer came
 */
export async function made<T>(make: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await make();
    } catch (error) {
      if (!(error instanceof BrokerError) || error.kind !== 'unknown' || attempt === MOST_ATTEMPTS) throw error;
    }
  }
}
