/** Sends requests to the owner of a partition over core NATS, and answers the requests of other nodes. */
import type { Core } from '../../actors/engine/core.ts';
import { answerRequest, packRefusal, packRequest, readAnswer } from '../../actors/ports/peer-messages.ts';
import type { PeerAnswer, PeerHandlers, PeerOperationName, PeerRequest } from '../../actors/ports/peer-operations.ts';
import type { Peers } from '../../actors/ports/ports.ts';
import { Refusal, UNDECIDED, undecided } from '../../actors/ports/refusal.ts';
import { LIMITS } from '../../config/limits.ts';
import { BrokerError } from '../../streams/broker.ts';
import { Misfit } from '../../streams/messages.ts';
import type { NatsBroker } from '../../streams/nats/broker.ts';
import { ownerSubject } from '../../streams/subjects.ts';

export class NatsPeers implements Peers {
  readonly #broker: NatsBroker;
  constructor(broker: NatsBroker) {
    this.#broker = broker;
  }

  async ask<N extends PeerOperationName>(
    partition: number,
    operation: N,
    body: PeerRequest<N>,
  ): Promise<PeerAnswer<N>> {
    let bytes: Uint8Array;
    try {
      const request = packRequest(operation, body);
      bytes = await this.#broker.request(ownerSubject(partition), request, LIMITS.requestMs + 500);
    } catch (error) {
      if (error instanceof BrokerError && error.kind === 'too-large')
        throw new Refusal(
          'too-large',
          'what must be asked of another node is larger than one message may be; ask for less',
        );
      throw undecided(UNDECIDED.owner, error);
    }
    if (bytes.length === 0) throw undecided(UNDECIDED.owner, `the owner of partition ${partition} failed`);
    try {
      return readAnswer(operation, bytes);
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      this.#broker.onFault('owner', error);
      throw undecided(UNDECIDED.owner, error);
    }
  }
}

/** Answers requests of other nodes for each partition, for as long as this node serves it. */
export function serveOwned<N extends PeerOperationName>(
  broker: NatsBroker,
  { engine, serves }: Pick<Core, 'engine' | 'serves'>,
  handlers: PeerHandlers<N>,
): void {
  const served = new Map<number, { stop(): void }>();
  engine.partitions.observe({
    servedChanged: (numbers) => {
      const wanted = new Set(numbers);
      for (const [number, subscription] of served) {
        if (wanted.has(number)) continue;
        subscription.stop();
        served.delete(number);
      }
      for (const number of wanted)
        if (!served.has(number))
          served.set(
            number,
            serveOwner(broker, number, () => serves(number), handlers),
          );
    },
  });
}

function serveOwner<N extends PeerOperationName>(
  broker: NatsBroker,
  partition: number,
  owns: () => boolean,
  handlers: PeerHandlers<N>,
): { stop(): void } {
  return broker.serve(ownerSubject(partition), {
    answer: async (data) => {
      if (!owns()) return packRefusal(undecided(UNDECIDED.moving, `partition ${partition}`));
      return answerRequest(handlers, partition, data, (misfit) => broker.onFault('owner', misfit));
    },
    tooLarge: (bytes, most) =>
      packRefusal(
        new Refusal(
          'too-large',
          `the answer of another node would have ${bytes} bytes; at most ${most} are sent: ask for less`,
        ),
      ),
  });
}
