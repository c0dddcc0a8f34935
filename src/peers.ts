/** Requests to the owner of a partition over core NATS, and answering those of others. */

import type { Peers } from '../actors/ports.ts';
import { Refusal, type RefusalKind, undecided } from '../actors/refusal.ts';
import { LIMITS } from '../config/limits.ts';
import { decodeBody, encodeBody, MSGPACK_TYPE } from '../streams/codec.ts';
import type { NatsBroker } from '../streams/connection.ts';
import type { Shortage } from '../streams/decisions.ts';
import { ownerSubject } from '../streams/subjects.ts';

interface Envelope {
  readonly ok?: unknown;
  readonly refusal?: { kind: RefusalKind; detail: string; shortages?: readonly Shortage[] };
}

export class NatsPeers implements Peers {
  readonly #broker: NatsBroker;
  constructor(broker: NatsBroker) {
    this.#broker = broker;
  }

  async ask(partition: number, operation: string, body: unknown): Promise<unknown> {
    let bytes: Uint8Array;
    try {
      bytes = await this.#broker.request(
        ownerSubject(partition),
        encodeBody({ operation, body }, MSGPACK_TYPE),
        LIMITS.requestMs + 500,
      );
    } catch {
      throw undecided(`partition ${partition} has no owner now`);
    }
    if (bytes.length === 0) throw undecided(`the owner of partition ${partition} failed`);
    const { ok, refusal } = decodeBody(bytes, MSGPACK_TYPE) as Envelope;
    if (refusal === undefined) return ok;
    throw new Refusal(
      refusal.kind,
      refusal.detail,
      refusal.shortages === undefined ? {} : { shortages: refusal.shortages },
    );
  }
}

/** Answers what other nodes ask of a partition that this node owns. */
export function serveOwner(
  broker: NatsBroker,
  partition: number,
  owns: () => boolean,
  serve: (operation: string, body: unknown) => Promise<unknown>,
): { stop(): void } {
  return broker.serve(ownerSubject(partition), async (data) => {
    let envelope: Envelope;
    try {
      if (!owns()) throw undecided(`partition ${partition} is moving`);
      const { operation, body } = decodeBody(data, MSGPACK_TYPE) as { operation: string; body: unknown };
      envelope = { ok: await serve(operation, body) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { kind, message, shortages } = error;
      envelope = { refusal: { kind, detail: message, ...(shortages === undefined ? {} : { shortages }) } };
    }
    return encodeBody(envelope, MSGPACK_TYPE);
  });
}
