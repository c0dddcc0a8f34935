/** Durable reservations over NATS (one hot SKU and 1,000 SKUs) and over HTTP, ATP over HTTP, and overload. */

import type { BenchContext } from '../context.ts';
import { atLeast, type Contender, type Figure, type Raced, race } from '../figure.ts';
import { placeBody, skuName } from '../jobs/requests.ts';
import { Worker } from '../processes.ts';

const CALLERS = 128;
const MANY_CALLERS = 1_280;
const SKUS = 1_000;
const UNITS = 1_000_000_000;
const SCARCE = 'SCARCE';
const SCARCE_UNITS = 500;
const POSTGRES_CONNECTIONS = 32;

export const RESERVATION_FIGURES = ['hot', 'spread', 'http', 'atp', 'overload'] as const;

/** A node with stock, and the load that the figures send to it. */
class Shop {
  readonly #context: BenchContext;
  readonly node: Worker;
  readonly load = new Worker();
  readonly nats: string;
  readonly http: string;
  /** Units granted in answers to the load. */
  granted = 0;

  private constructor(context: BenchContext, node: Worker, nats: string, http: string) {
    this.#context = context;
    this.node = node;
    this.nats = nats;
    this.http = http;
  }

  static async open(context: BenchContext): Promise<Shop> {
    const { servers } = context;
    const [nats, redis] = await Promise.all([servers.nats('nats-shop'), servers.redis('redis-shop')]);
    const node = context.nodeWorker();
    const http = await node.run('startHoldfast', {
      nats: nats.url,
      natsMonitor: nats.monitorUrl ?? '',
      redis: redis.url,
      name: 'bench',
    });
    await ready(http);
    const shop = new Shop(context, node, nats.url, http);
    const skus = [
      ...Array.from({ length: SKUS }, (_, number) => [skuName(number), UNITS] as const),
      [SCARCE, SCARCE_UNITS] as const,
    ];
    await shop.#receive(skus.slice(0, SKUS));
    await shop.#receive(skus.slice(SKUS));
    return shop;
  }

  place(skus: number, callers = CALLERS): Contender {
    return this.#counted({
      name: 'holdfast',
      run: (seconds, warmupSeconds) =>
        this.load.run('loadNats', {
          nats: this.nats,
          subject: 'reservation.place',
          skus,
          callers,
          seconds,
          warmupSeconds,
        }),
    });
  }

  placeHttp(): Contender {
    return this.#counted({
      name: 'holdfast',
      run: (seconds, warmupSeconds) =>
        this.load.run('loadHttp', {
          address: this.http,
          what: 'place',
          skus: SKUS,
          callers: CALLERS,
          seconds,
          warmupSeconds,
        }),
    });
  }

  /** Compares the answered grants with the units held in the book, and checks that nothing is oversold. */
  async check(): Promise<string> {
    const { held, least } = await this.node.run('unitsHeld');
    if (held !== this.granted) throw new Error(`granted ${this.granted} units, but ${held} are held`);
    if (least < 0) throw new Error(`oversold: ${least} available`);
    return `checked: ${held} units granted = ${held} held, nothing oversold`;
  }

  /** Sends more requests than there are units. Exactly the units must be granted. */
  async checkScarce(): Promise<string> {
    const ask = async () => {
      const response = await fetch(`http://${this.http}/v1/reservations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: placeBody(SCARCE),
      });
      await response.arrayBuffer();
      return response.status;
    };
    const answers = await Promise.all(Array.from({ length: SCARCE_UNITS * 2 }, ask));
    const granted = answers.filter((status) => status === 201).length;
    this.granted += granted;
    if (granted !== SCARCE_UNITS || answers.some((status) => status !== 201 && status !== 409)) {
      throw new Error(`of ${SCARCE_UNITS} units ${granted} were granted`);
    }
    return `${SCARCE_UNITS * 2} callers for ${SCARCE_UNITS} units: ${granted} granted`;
  }

  async close(): Promise<void> {
    await this.node.run('stopHoldfast');
    await Promise.all([this.node.end(), this.load.end()]);
    this.#context.profiled();
  }

  #counted(contender: Contender): Contender {
    return {
      name: contender.name,
      run: async (seconds, warmupSeconds) => {
        const result = await contender.run(seconds, warmupSeconds);
        this.granted += result.done;
        if (result.failed > 0) throw new Error(`${result.failed} requests failed`);
        return result;
      },
    };
  }

  async #receive(stock: readonly (readonly [string, number])[]): Promise<void> {
    const occurredAt = new Date().toISOString();
    const facts = stock.map(([sku, qty]) => ({
      id: `r-${sku}`,
      type: 'receipt',
      sku,
      location: 'dc-1',
      occurredAt,
      qty,
    }));
    const answer = await fetch(`http://${this.http}/v1/facts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(facts),
    });
    const { accepted } = (await answer.json()) as { accepted: number };
    if (accepted !== facts.length) throw new Error(`of ${facts.length} facts ${accepted} were accepted`);
  }
}

export async function reservationFigures(context: BenchContext, wanted: ReadonlySet<string>): Promise<Figure[]> {
  const shop = await Shop.open(context);
  const figures: Figure[] = [];
  try {
    const sample = await sampleAnswer(shop);
    const postgres = wanted.has('hot') || wanted.has('spread') ? await openPostgres(context) : undefined;
    const hot =
      wanted.has('hot') || wanted.has('spread') ? await hotFigure(context, shop, sample, postgres) : undefined;
    if (hot !== undefined && wanted.has('hot')) figures.push(hot);
    if (hot !== undefined && wanted.has('spread')) figures.push(await spreadFigure(context, shop, hot, postgres));
    if (wanted.has('http')) figures.push(await httpFigure(context, shop, sample));
    if (wanted.has('atp')) figures.push(await atpFigure(context, shop));
    if (wanted.has('overload')) figures.push(await overloadFigure(context, shop));
    await postgres?.worker.end();
  } finally {
    await shop.close();
  }
  return figures;
}

async function hotFigure(
  context: BenchContext,
  shop: Shop,
  answerBytes: number,
  postgres: Postgres | undefined,
): Promise<Figure> {
  const redis = await context.servers.redis('redis-peer');
  const [echo, peer] = [new Worker(), new Worker()];
  await echo.run('serveEcho', { nats: shop.nats, subject: 'bench.echo', bytes: answerBytes });
  const echoLoad: Contender = {
    name: 'bare NATS echo',
    run: (seconds, warmupSeconds) =>
      shop.load.run('loadNats', {
        nats: shop.nats,
        subject: 'bench.echo',
        skus: 1,
        callers: CALLERS,
        seconds,
        warmupSeconds,
      }),
  };
  const lua: Contender = {
    name: 'Redis Lua script, no disk',
    run: (seconds, warmupSeconds) =>
      peer.run('loadRedisLua', { redis: redis.url, skus: 1, callers: CALLERS, seconds, warmupSeconds }),
  };
  const databases = postgres === undefined ? [] : [postgres.contender(1, 'one'), postgres.contender(1, 'four')];
  const raced = await race([shop.place(1), echoLoad, lua, ...databases], context.seconds);
  await Promise.all([echo.end(), peer.end()]);
  await redis.stop();
  const [holdfast, bare, redisLua, one, four] = raced as [Raced, Raced, Raced, Raced?, Raced?];
  const comparisons = [
    atLeast(0.8, holdfast.perSecond, bare.perSecond, 'bare NATS echo, same callers and bytes'),
    atLeast(0.9, holdfast.perSecond, redisLua.perSecond, 'Redis Lua script, no disk'),
  ];
  if (one !== undefined)
    comparisons.push(
      atLeast(
        15,
        holdfast.perSecond,
        one.perSecond,
        `PostgreSQL ${postgres?.version}, conditional update, one statement`,
      ),
    );
  if (four !== undefined)
    comparisons.push(
      atLeast(15, holdfast.perSecond, four.perSecond, `PostgreSQL ${postgres?.version}, begin … commit`),
    );
  return {
    name: 'hot',
    title: `durable reservations, one hot SKU, NATS, ${CALLERS} callers`,
    value: holdfast.perSecond,
    unit: '/s',
    comparisons,
    notes: [
      latency(holdfast),
      await shop.checkScarce(),
      await shop.check(),
      ...(postgres === undefined ? ['PostgreSQL was not there'] : []),
    ],
  };
}

async function spreadFigure(
  context: BenchContext,
  shop: Shop,
  hot: Figure,
  postgres: Postgres | undefined,
): Promise<Figure> {
  // The hot SKU runs again, in turns with the spread load, because minutes later the machine may be in another state.
  const contenders = [
    shop.place(SKUS),
    shop.place(1),
    ...(postgres === undefined ? [] : [postgres.contender(SKUS, 'one')]),
  ];
  const [spread, again, database] = (await race(contenders, context.seconds)) as [Raced, Raced, Raced?];
  const comparisons = [atLeast(0.9, spread.perSecond, again.perSecond, 'one hot SKU')];
  if (database !== undefined)
    comparisons.push(
      atLeast(3, spread.perSecond, database.perSecond, `PostgreSQL ${postgres?.version}, one statement`),
    );
  return {
    name: 'spread',
    title: `the same over ${SKUS} SKUs`,
    value: spread.perSecond,
    unit: '/s',
    comparisons,
    notes: [latency(spread), `one hot SKU was ${Math.round(hot.value)} /s before`, await shop.check()],
  };
}

async function httpFigure(context: BenchContext, shop: Shop, answerBytes: number): Promise<Figure> {
  const bare = new Worker();
  const address = await bare.run('serveBareHttp', { bytes: answerBytes });
  const contenders = [shop.placeHttp(), bareHttp(shop, address, 'place')];
  const [holdfast, node] = (await race(contenders, context.seconds)) as [Raced, Raced];
  await bare.end();
  return {
    name: 'http',
    title: `durable reservations over HTTP, ${SKUS} SKUs`,
    value: holdfast.perSecond,
    unit: '/s',
    comparisons: [atLeast(0.45, holdfast.perSecond, node.perSecond, 'bare node:http, same bytes')],
    notes: [latency(holdfast), await shop.check()],
  };
}

async function atpFigure(context: BenchContext, shop: Shop): Promise<Figure> {
  const sample = await (await fetch(`http://${shop.http}/v1/atp/${skuName(1)}`)).arrayBuffer();
  const bare = new Worker();
  const address = await bare.run('serveBareHttp', { bytes: sample.byteLength });
  const holdfast: Contender = {
    name: 'holdfast',
    run: (seconds, warmupSeconds) =>
      shop.load.run('loadHttp', {
        address: shop.http,
        what: 'atp',
        skus: SKUS,
        callers: CALLERS,
        seconds,
        warmupSeconds,
      }),
  };
  const [ours, node] = (await race([holdfast, bareHttp(shop, address, 'atp')], context.seconds)) as [Raced, Raced];
  await bare.end();
  if (ours.failed + ours.refused > 0) throw new Error('ATP requests failed');
  return {
    name: 'atp',
    title: 'ATP read, GET /v1/atp/{sku}',
    value: ours.perSecond,
    unit: '/s',
    comparisons: [atLeast(0.75, ours.perSecond, node.perSecond, 'bare node:http, same bytes')],
    notes: [latency(ours)],
  };
}

async function overloadFigure(context: BenchContext, shop: Shop): Promise<Figure> {
  const [many, few] = (await race([shop.place(SKUS, MANY_CALLERS), shop.place(SKUS)], context.seconds)) as [
    Raced,
    Raced,
  ];
  return {
    name: 'overload',
    title: `goodput with ${MANY_CALLERS} callers`,
    value: many.perSecond,
    unit: '/s',
    comparisons: [atLeast(0.9, many.perSecond, few.perSecond, `${CALLERS} callers`)],
    notes: [latency(many), await shop.check()],
  };
}

function bareHttp(shop: Shop, address: string, what: 'place' | 'atp'): Contender {
  return {
    name: 'bare node:http',
    run: (seconds, warmupSeconds) =>
      shop.load.run('loadHttp', { address, what, skus: SKUS, callers: CALLERS, seconds, warmupSeconds }),
  };
}

interface Postgres {
  readonly version: string;
  readonly worker: Worker;
  contender(skus: number, form: 'one' | 'four'): Contender;
}

async function openPostgres(context: BenchContext): Promise<Postgres | undefined> {
  const url = await context.servers.postgres();
  if (url === undefined) return undefined;
  const worker = new Worker();
  const version = (await worker.run('preparePostgres', { url, skus: SKUS, units: UNITS })).split(' ')[0] ?? '';
  context.versions.set('PostgreSQL', version);
  return {
    version,
    worker,
    contender: (skus, form) => ({
      name: `PostgreSQL ${form}`,
      run: (seconds, warmupSeconds) =>
        worker.run('loadPostgres', { url, skus, form, callers: POSTGRES_CONNECTIONS, seconds, warmupSeconds }),
    }),
  };
}

/** Size of the answer to a reservation, in bytes. */
async function sampleAnswer(shop: Shop): Promise<number> {
  const response = await fetch(`http://${shop.http}/v1/reservations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: placeBody(skuName(0)),
  });
  if (response.status !== 201) throw new Error(`a reservation was answered with ${response.status}`);
  shop.granted += 1;
  return (await response.arrayBuffer()).byteLength;
}

export async function ready(http: string, withinMs = 60_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const status = await fetch(`http://${http}/readyz`).then(
      async (response) => {
        await response.arrayBuffer();
        return response.status;
      },
      () => 0,
    );
    if (status === 200) return;
    if (performance.now() > deadline) throw new Error('the node under test is not ready');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function latency({ p50Ms, p99Ms, rounds }: Raced): string {
  return `p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms; rounds ${rounds.join(', ')}`;
}
