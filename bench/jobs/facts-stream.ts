/** Facts in JetStream: publishing many of them, and reading them as fast as the client alone can. */
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, headers, nanos } from '@nats-io/transport-node';
import { NatsBroker } from '../../streams/nats/broker.ts';
import { provision } from '../../streams/nats/provision.ts';
import { factSubject } from '../../streams/subjects.ts';
import { skuName } from './requests.ts';

const PUBLISH_WINDOW = 2_000;

export interface FactsOptions {
  readonly nats: string;
  readonly count: number;
  readonly skus: number;
  readonly locations: number;
}

/** Provisions the streams and fills SALES with sales of one unit each. */
export async function publishFacts(options: FactsOptions): Promise<void> {
  const broker = await NatsBroker.connect(options.nats, 'bench');
  await provision(broker, { partitions: 32, replicas: 1 });
  await broker.close();
  const nc = await connect({ servers: options.nats });
  const js = jetstream(nc);
  const began = Date.now();
  const seconds = new Set<Promise<unknown>>();
  for (let number = 0; number < options.count; number++) {
    const sku = skuName(number % options.skus);
    const location = `store-${Math.floor(number / options.skus) % options.locations}`;
    const id = `till-${number % 97}-${String(number).padStart(9, '0')}:1`;
    const occurredAt = new Date(began - 3_600_000 + number).toISOString();
    const fact = {
      id,
      type: 'sale',
      sku,
      location,
      occurredAt,
      qty: 1,
      unitPrice: '9.95',
      currency: 'GBP',
      channel: 'store',
    };
    const told = headers();
    told.set('Nats-Msg-Id', id);
    const stored: Promise<unknown> = js
      .publish(factSubject('sale', location, sku), JSON.stringify(fact), { headers: told, timeout: 60_000 })
      .then(() => seconds.delete(stored));
    seconds.add(stored);
    if (seconds.size >= PUBLISH_WINDOW) await Promise.race(seconds);
  }
  await Promise.all(seconds);
  await nc.close();
}

/** Reads with a consumer like the follower's and drops the messages, to measure the cost of reading alone. Returns messages per second. */
export async function readFactsBare(options: { nats: string; count: number }): Promise<number> {
  const nc = await connect({ servers: options.nats });
  const manager = await jetstreamManager(nc, { checkAPI: false });
  const info = await manager.consumers.add('SALES', {
    name: `bare${process.pid}-${Date.now()}`,
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: 1,
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: nanos(30_000),
  });
  const consumer = jetstream(nc).consumers.getConsumerFromInfo(info);
  let count = 0;
  let began = 0;
  const perSecond = await new Promise<number>((resolve, reject) => {
    consumer
      .consume({
        max_messages: 4096,
        expires: 3_000,
        idle_heartbeat: 500,
        bind: true,
        callback: () => {
          if (count === 0) began = performance.now();
          count += 1;
          if (count === options.count) resolve((count / (performance.now() - began)) * 1000);
        },
      })
      .catch(reject);
  });
  await nc.close();
  return perSecond;
}
