/** Facts sent to a node over HTTP or NATS requests, and a publisher that stores one message per fact. */
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { closedLoop, type LoadOptions, type LoadResult, type Outcome } from '../../closed-loop.ts';
import { type Caller, openCaller } from '../http-caller.ts';
import { freshId, skuName } from '../requests.ts';

export interface FactsLoad extends LoadOptions {
  /** HOST:PORT of the node, or the URL of NATS for requests over NATS. */
  readonly to: string;
  readonly over: 'http' | 'nats';
  readonly perRequest: number;
  readonly skus: number;
}

/** The rate and the counts are of requests. */
export async function loadFacts(options: FactsLoad): Promise<LoadResult> {
  const { to, over, perRequest, skus } = options;
  if (over === 'nats') {
    const nc = await connect({ servers: to });
    const result = await closedLoop(options, async (): Promise<Outcome> => {
      const answer = await nc.request('fact.submit', factsBody(perRequest, skus), { timeout: 10_000 });
      return (answer.headers?.get('Nats-Service-Error-Code') ?? '') === '' ? 'done' : 'failed';
    });
    await nc.close();
    return result;
  }
  const callers = await Promise.all(Array.from({ length: options.callers }, () => openCaller(to)));
  const result = await closedLoop(options, async (number): Promise<Outcome> => {
    const body = factsBody(perRequest, skus);
    const head = `Host: ${to}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
    const status = await (callers[number] as Caller).ask(`POST /v1/facts HTTP/1.1\r\n${head}\r\n\r\n${body}`);
    return status === 200 ? 'done' : 'failed';
  });
  for (const caller of callers) caller.close();
  return result;
}

let open: NatsConnection | undefined;

/** Publishes facts to a stream of its own, each as one message, with as many in flight as there are callers. */
export async function publishAlone(options: LoadOptions & { nats: string; skus: number }): Promise<LoadResult> {
  if (open === undefined) {
    open = await connect({ servers: options.nats });
    await (await jetstreamManager(open)).streams.add({ name: 'BENCH_ALONE', subjects: ['bench.alone'] });
  }
  const js = jetstream(open);
  return closedLoop(options, async (): Promise<Outcome> => {
    await js.publish('bench.alone', factsBody(1, options.skus), { timeout: 60_000 });
    return 'done';
  });
}

let turn = 0;

function factsBody(count: number, skus: number): string {
  if (count === 1) return factText(skus);
  return `[${Array.from({ length: count }, () => factText(skus)).join(',')}]`;
}

function factText(skus: number): string {
  turn = (turn + 1) % skus;
  const [sku, occurredAt] = [skuName(turn), new Date().toISOString()];
  return `{"id":"${freshId()}","type":"receipt","sku":"${sku}","location":"store-1","occurredAt":"${occurredAt}","qty":1}`;
}
