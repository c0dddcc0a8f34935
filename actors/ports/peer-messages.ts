/**
 * The envelopes of what nodes ask each other: how a request and its answer are written and read. src/node/peers.ts sends them over NATS, and
 * a simulation over its own network.
 *
 * Invariants:
 *  PM1 Every request that can be read is answered: with what was asked for, or with a refusal that says why not.
 *  PM2 What does not fit (streams/messages.ts) is refused at the owner, and not believed at the asking node.
 */
import { z } from 'zod';
import { fitted, MESSAGE_VERSION, Misfit, packMessage, readMessage, version } from '../../streams/messages.ts';
import {
  PEER_OPERATIONS,
  type PeerAnswer,
  type PeerHandlers,
  type PeerOperationName,
  shortages,
} from './peer-operations.ts';
import { REFUSALS, Refusal, type RefusalKind, UNDECIDED, undecided } from './refusal.ts';

const requestEnvelope = z.object({ v: version, operation: z.string().max(64), body: z.unknown().optional() });
const answerEnvelope = z.object({
  v: version,
  ok: z.unknown().optional(),
  refusal: z
    .object({
      kind: z.enum(Object.keys(REFUSALS) as RefusalKind[]),
      detail: z.string().max(100_000),
      shortages: shortages.optional(),
    })
    .optional(),
});

export function packRequest(operation: PeerOperationName, body: unknown): Uint8Array {
  return packMessage({ v: MESSAGE_VERSION, operation, body });
}

/** The answer to a request, as bytes; a Refusal is one. Rejects with a fault of the program, and with nothing else (PM1). */
export async function answerRequest<N extends PeerOperationName>(
  handlers: PeerHandlers<N>,
  partition: number,
  bytes: Uint8Array,
  misfit: (error: Misfit) => void,
): Promise<Uint8Array> {
  try {
    const { operation, body } = readMessage(requestEnvelope, bytes);
    if (!Object.hasOwn(handlers, operation)) throw new Misfit(`there is no operation ${operation}`);
    const known = operation as N;
    const handler = handlers[known] as (partition: number, body: unknown) => Promise<unknown>;
    return packMessage({
      v: MESSAGE_VERSION,
      // PO1.
      ok: await handler(partition, fitted(PEER_OPERATIONS[known].request, body)),
    });
  } catch (error) {
    if (error instanceof Refusal) return packRefusal(error);
    if (!(error instanceof Misfit)) throw error;
    misfit(error);
    return packRefusal(
      new Refusal('malformed', `what was asked of another node cannot be read there: ${error.message}`),
    );
  }
}

export function packRefusal({ kind, message, shortages: short }: Refusal): Uint8Array {
  const refusal = { kind, detail: message, ...(short === undefined ? {} : { shortages: short }) };
  return packMessage({ v: MESSAGE_VERSION, refusal });
}

/** What was asked for; throws the Refusal that the answer is, or a Misfit (PM2). */
export function readAnswer<N extends PeerOperationName>(operation: N, bytes: Uint8Array): PeerAnswer<N> {
  const { ok, refusal } = readMessage(answerEnvelope, bytes);
  if (refusal === undefined) return fitted(PEER_OPERATIONS[operation].answer, ok) as PeerAnswer<N>;
  const { kind, detail, shortages: short } = refusal;
  // Another node's words may be those of its servers: of what is undecided only known sentences are passed on.
  if (kind === 'undecided') throw undecided(isKnownSentence(detail) ? detail : UNDECIDED.owner, detail);
  throw new Refusal(kind, detail, short === undefined ? {} : { shortages: short });
}

function isKnownSentence(text: string): text is (typeof UNDECIDED)[keyof typeof UNDECIDED] {
  return (Object.values(UNDECIDED) as readonly string[]).includes(text);
}
