/**
 * The envelopes of requests between nodes: how a request and its answer are written and read. src/node/peers.ts sends them over NATS; a
 * simulation sends them over its own network.
 *
 * Invariants:
 *  PM1 Every readable request is answered, either with its result or with a refusal that gives the reason.
 *  PM2 A body that does not fit its schema (streams/messages.ts) is refused by the owner and rejected by the asking node.
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

/** The encoded answer to a request. A Refusal is an answer too, so this rejects only with a fault of the program (PM1). */
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
      // The body is checked before the handler sees it (PO1).
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

/** The result in an answer. Throws the Refusal if the answer is one, or a Misfit if it does not fit (PM2). */
export function readAnswer<N extends PeerOperationName>(operation: N, bytes: Uint8Array): PeerAnswer<N> {
  const { ok, refusal } = readMessage(answerEnvelope, bytes);
  if (refusal === undefined) return fitted(PEER_OPERATIONS[operation].answer, ok) as PeerAnswer<N>;
  const { kind, detail, shortages: short } = refusal;
  // An undecided detail may quote the other node's servers, so only known sentences reach the caller.
  if (kind === 'undecided') throw undecided(isKnownSentence(detail) ? detail : UNDECIDED.owner, detail);
  throw new Refusal(kind, detail, short === undefined ? {} : { shortages: short });
}

function isKnownSentence(text: string): text is (typeof UNDECIDED)[keyof typeof UNDECIDED] {
  return (Object.values(UNDECIDED) as readonly string[]).includes(text);
}
