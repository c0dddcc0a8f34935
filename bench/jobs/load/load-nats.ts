/** Load over NATS. Requests are single, like a storefront's, and share one connection. */
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { closedLoop, type LoadOptions, type LoadResult, type Outcome } from '../../closed-loop.ts';
import { placeBody, skuName } from '../requests.ts';

export interface NatsLoad extends LoadOptions {
  readonly nats: string;
  readonly subject: string;
  /** Number of SKUs that the requests are spread over. */
  readonly skus: number;
}

let open: NatsConnection | undefined;

export async function loadNats(options: NatsLoad): Promise<LoadResult> {
  open ??= await connect({ servers: options.nats });
  const nc = open;
  const encoder = new TextEncoder();
  let turn = 0;
  return closedLoop(options, async (): Promise<Outcome> => {
    turn = (turn + 1) % options.skus;
    try {
      const answer = await nc.request(options.subject, encoder.encode(placeBody(skuName(turn))), { timeout: 10_000 });
      const code = answer.headers?.get('Nats-Service-Error-Code') ?? '';
      if (code === '') return 'done';
      return code === '409' ? 'refused' : 'failed';
    } catch {
      return 'failed';
    }
  });
}
