/** Webhooks against real receivers and a real NATS: signatures, retries, order, rotation, and addresses that are refused. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EVENTS_STREAM, WEBHOOKS_BUCKET, webhookConsumer } from '../../../config/topology.ts';
import { freshNats } from '../../../harness/servers/servers.ts';
import { until } from '../../../harness/until.ts';
import { SteadyClock } from '../../../src/process/steady-clock.ts';
import { isPublic } from '../../../src/webhooks/address-guard.ts';
import { WebhookDelivery } from '../../../src/webhooks/delivery.ts';
import { send } from '../../../src/webhooks/send.ts';
import { signatures } from '../../../src/webhooks/signature.ts';
import { WebhookDesk } from '../../../src/webhooks/webhook-desk.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import { provision } from '../../../streams/nats/provision.ts';

const DAY_MS = 86_400_000;

interface Came {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}
/** A receiver that answers as told, by default 204. */
class Receiver {
  readonly came: Came[] = [];
  answer: (body: string) => number | undefined = () => 204;
  readonly #server: Server;
  private constructor(server: Server) {
    this.#server = server;
  }
  static async open(): Promise<Receiver> {
    const server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        receiver.came.push({ headers: request.headers, body });
        const status = receiver.answer(body);
        if (status === undefined) return;
        response.writeHead(status, status === 302 ? { Location: receiver.url } : {}).end();
      });
    });
    const receiver = new Receiver(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }
  get bodies(): string[] {
    return this.came.map(({ body }) => body);
  }
  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

let broker: NatsBroker;
let desk: WebhookDesk;
let receiver: Receiver;
let deliveries: WebhookDelivery[];
/** How far the clock is ahead of the system's. */
let aheadMs = 0;
beforeEach(async () => {
  const { url } = await freshNats();
  broker = await NatsBroker.connect(url, 'test');
  await provision(broker, { partitions: 2, replicas: 1 });
  receiver = await Receiver.open();
  aheadMs = 0;
  const clock = new SteadyClock();
  const shifted = {
    nowMs: () => clock.nowMs() + aheadMs,
    monoMs: () => clock.monoMs(),
    after: (ms: number, call: () => void) => clock.after(ms, call),
    turn: (call: () => void) => clock.turn(call),
  };
  const parts = {
    clock: shifted,
    consumer: (id: string) => broker.durable(EVENTS_STREAM, webhookConsumer(id)),
    allowPrivate: true,
  };
  desk = new WebhookDesk({ ...parts, keys: await broker.keys(WEBHOOKS_BUCKET, { replicas: 1 }), replicas: 1 });
  const none = () => undefined;
  // Two nodes take from the same webhooks.
  deliveries = [0, 1].map(
    () =>
      new WebhookDelivery({
        ...parts,
        desk,
        chance: () => 0,
        outcome: none,
        trouble: none,
        retries: { firstMs: 40, mostMs: 80 },
      }),
  );
  for (const each of deliveries) each.start();
});
afterEach(async () => {
  await Promise.all(deliveries.map((each) => each.stop()));
  receiver.close();
  await broker.close();
});

const publish = (kind: string, body: string) =>
  broker.publish(`event.${kind}`, Buffer.from(body), { headers: { 'Nats-Msg-Id': `urn:x:${body}` } });
const untilCame = (count: number, of = receiver) =>
  until(
    () => of.came.length >= count,
    20_000,
    () => `${count} came: ${JSON.stringify(of.bodies)}`,
  );

it('delivers the chosen kinds in order, signed by the specification', async () => {
  const made = await desk.put('erp', { url: receiver.url, kinds: ['transfer.*', 'transfer.closed'] });
  expect(made).toMatchObject({ fresh: true, webhook: { state: 'active', secret: expect.stringMatching(/^whsec_/) } });
  for (let i = 0; i < 20; i++) {
    await publish('transfer.shipped', `s${i}`);
    await publish('return.received', `r${i}`);
  }
  await untilCame(20);
  expect(receiver.bodies).toEqual(Array.from({ length: 20 }, (_, i) => `s${i}`));
  const verifier = new StandardWebhook(made.webhook.secret as string);
  await publish('transfer.closed', '{"last":true}');
  await untilCame(21);
  const { headers, body } = receiver.came[20] as Came;
  expect(verifier.verify(body, headers as Record<string, string>)).toEqual({ last: true });
  expect(headers).toMatchObject({
    'webhook-id': 'urn:x:{"last":true}',
    'content-type': 'application/cloudevents+json',
  });
  // The secret is not shown again.
  expect(await desk.get('erp')).not.toHaveProperty('secret');
  expect((await desk.put('erp', { url: receiver.url, kinds: ['*'] })).webhook).not.toHaveProperty('secret');
  await publish('return.received', 'now chosen');
  await untilCame(22);
}, 60_000);

it('signs as the test vector of the specification says', () => {
  const body = Buffer.from('{"test": 2432232314}');
  const signing = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', seconds: 1_614_265_330, body };
  expect(signatures(['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'], signing)).toBe(
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  );
});

it('sends again until it is taken, holds up no other webhook, and keeps the order', async () => {
  const other = await Receiver.open();
  let refused = 0;
  receiver.answer = (body) => (body === 'a' && ++refused <= 4 ? 500 : 200);
  await desk.put('bad', { url: receiver.url, kinds: ['*'] });
  await desk.put('good', { url: other.url, kinds: ['*'] });
  await publish('return.received', 'a');
  await publish('return.received', 'b');
  await untilCame(2, other);
  await untilCame(6);
  expect(receiver.bodies).toEqual(['a', 'a', 'a', 'a', 'a', 'b']);
  expect(new Set(receiver.came.slice(0, 5).map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  await until(
    async () => (await desk.get('bad')).failingSince === null,
    5_000,
    () => 'it works again',
  );
  other.close();
}, 60_000);

it('follows no redirect, gives up after a day, and goes on where it was once it is set again', async () => {
  receiver.answer = () => 302;
  await desk.put('erp', { url: receiver.url, kinds: ['*'] });
  await publish('return.received', 'a');
  await untilCame(2);
  expect(await desk.get('erp')).toMatchObject({ state: 'active', failingSince: expect.any(String) });
  aheadMs = DAY_MS + 1_000;
  await until(
    async () => (await desk.get('erp')).state === 'disabled',
    10_000,
    () => 'it is disabled',
  );
  expect((await desk.get('erp')).disabled?.why).toBe('nothing could be delivered for a day: it answered 302');
  receiver.answer = () => 200;
  const before = receiver.came.length;
  await publish('return.received', 'b');
  await desk.put('erp', { url: receiver.url, kinds: ['*'] });
  await untilCame(before + 2);
  expect(receiver.bodies.slice(before)).toEqual(['a', 'b']);
}, 60_000);

it('disables at once what answers 410, and delivers nothing to what is deleted', async () => {
  receiver.answer = () => 410;
  await desk.put('gone', { url: receiver.url, kinds: ['*'] });
  await publish('return.received', 'a');
  await until(
    async () => (await desk.get('gone')).disabled?.why === 'it answered 410',
    10_000,
    () => 'it is disabled',
  );
  expect(receiver.came).toHaveLength(1);
  expect(await desk.remove('gone')).toEqual({ id: 'gone', known: true });
  expect(await desk.remove('gone')).toEqual({ id: 'gone', known: false });
  expect(await desk.list()).toEqual([]);
}, 60_000);

it('signs with both secrets for a day after a rotation', async () => {
  const { webhook } = await desk.put('erp', { url: receiver.url, kinds: ['*'] });
  const rotated = await desk.rotate('erp');
  expect(rotated.secret).not.toBe(webhook.secret);
  await publish('return.received', '{}');
  await untilCame(1);
  const verify = (secret: string | undefined, { headers, body }: Came) =>
    new StandardWebhook(secret as string).verify(body, headers as Record<string, string>);
  for (const { secret } of [webhook, rotated]) expect(verify(secret, receiver.came[0] as Came)).toEqual({});
  aheadMs = DAY_MS + 1_000;
  await publish('return.received', '{"later":1}');
  await untilCame(2);
  expect(String(receiver.came[1]?.headers['webhook-signature']).split(' ')).toHaveLength(1);
}, 60_000);

it.each([
  '127.0.0.1',
  '10.1.2.3',
  '172.16.0.1',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '0.0.0.0',
  '224.0.0.1',
  '255.255.255.255',
  '::1',
  '::',
  'fe80::1',
  'fd00::1',
  '::ffff:10.0.0.1',
  '::ffff:7f00:1',
  '64:ff9b::a00:1',
])('refuses %s', (address) => {
  expect(isPublic(address)).toBe(false);
});

it('takes addresses of the public internet', () => {
  for (const address of ['93.184.215.14', '2606:2800:21f:cb07:6820:80da:af6b:8b2c'])
    expect(isPublic(address)).toBe(true);
});

it('asks nothing at a private address, also not behind a name, and nothing without TLS', async () => {
  const port = new URL(receiver.url).port;
  const sending = {
    headers: {},
    body: Buffer.from('x'),
    allowPrivate: false,
    timeoutMs: 5_000,
    signal: new AbortController().signal,
  };
  for (const [url, why] of [
    [receiver.url, /must begin with https/],
    [`https://127.0.0.1:${port}/`, /private, local or reserved/],
    [`https://[::1]:${port}/`, /private, local or reserved/],
    [`https://2130706433:${port}/`, /private, local or reserved/],
    [`https://localhost:${port}/`, /private, local or reserved/],
  ] as const)
    await expect(send({ ...sending, url })).rejects.toThrow(why);
  expect(receiver.came).toEqual([]);
  const strict = new WebhookDesk({
    keys: await broker.keys(WEBHOOKS_BUCKET, { replicas: 1 }),
    clock: new SteadyClock(),
    consumer: (id) => broker.durable(EVENTS_STREAM, webhookConsumer(id)),
    replicas: 1,
    allowPrivate: false,
  });
  await expect(strict.put('x', { url: 'https://10.0.0.1/', kinds: ['*'] })).rejects.toThrow(/^url must not lead/);
  await expect(strict.put('x', { url: 'http://erp.example/', kinds: ['*'] })).rejects.toThrow(/^url must begin/);
});

it('gives up an answer that does not come in time', async () => {
  receiver.answer = () => undefined;
  const signal = new AbortController().signal;
  const sending = { url: receiver.url, headers: {}, body: Buffer.from('x'), allowPrivate: true, signal };
  await expect(send({ ...sending, timeoutMs: 200 })).rejects.toThrow(/aborted|timeout/i);
});
