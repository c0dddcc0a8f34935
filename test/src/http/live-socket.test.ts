/** The front of the live feed on a server of its own: refusals, how connections end, and the cost of slow and many readers. */
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { LIMITS } from '../../../config/limits.ts';
import type { HubEvents } from '../../../dashboards/feed/hub.ts';
import { endReaders, LiveReader } from '../../../harness/callers/live-reader.ts';
import { until } from '../../../harness/until.ts';
import { type Front, front } from './front.ts';

const running: Front[] = [];
afterEach(async () => {
  endReaders();
  for (const { app, live } of running.splice(0)) {
    await live.end();
    app.server.closeAllConnections();
    await app.close();
  }
});

async function served(events: Partial<HubEvents> = {}) {
  let skips = 0;
  const skipped = () => {
    skips += 1;
  };
  const made = front('node-1', undefined, { skipped, ...events });
  running.push(made);
  const url = await made.app.listen({ host: '127.0.0.1', port: 0 });
  return { url, hub: made.hub, ended: made.ended, skipped: () => skips, end: () => made.live.end() };
}

async function refusalOf(reader: LiveReader): Promise<{ status: number; type: string }> {
  await until(
    () => reader.refused !== undefined,
    20_000,
    () => 'the upgrade is refused',
    2,
  );
  const { status = 0, body = '{}' } = reader.refused ?? {};
  return { status, type: JSON.parse(body).type };
}

it.each([
  ['kpi,nothing', 422],
  ['atp:', 422],
  ['atp', 422],
  ['kpi:x', 422],
  ['atp:%20x', 422],
  ['sales:x', 422],
])('refuses the topics %s', async (topics, status) => {
  const { url } = await served();
  const reader = new LiveReader(url, topics);
  expect(await refusalOf(reader)).toEqual({ status, type: 'invalid-request' });
  expect(JSON.parse(reader.refused?.body ?? '{}').errors).toMatchObject([{ field: 'topics' }]);
});

it('refuses a query parameter that it does not take, before the upgrade', async () => {
  const { url } = await served();
  const reader = new LiveReader(url, 'kpi&topic=anomaly');
  expect(await refusalOf(reader)).toEqual({ status: 422, type: 'invalid-request' });
  expect(JSON.parse(reader.refused?.body ?? '{}').detail).toBe('topic is not known; did you mean topics?');
});

it('refuses more topics than a reader may have, and one too many on the open socket', async () => {
  const { url, hub, ended } = await served();
  const names = Array.from({ length: LIMITS.liveTopics }, (_, index) => `atp:sku-${index}`);
  expect(await refusalOf(new LiveReader(url, [...names, 'kpi'].join(',')))).toMatchObject({ status: 422 });
  const reader = await new LiveReader(url, names.join(',')).opened();
  expect([...hub.topics]).toEqual(names);
  reader.say({ subscribe: ['kpi'] });
  expect(await closeOf(reader)).toMatchObject({ code: 1008, reason: `at most ${LIMITS.liveTopics} topics` });
  expect(ended).toEqual(['misused']);
  expect([...hub.topics]).toEqual([]);
});

it('lets in pages of its own host and of named origins, and who is no browser', async () => {
  const { url } = await served();
  for (const origin of [url, 'https://shop.example', 'https://SHOP.example'])
    await new LiveReader(url, 'kpi', { origin }).opened();
  await new LiveReader(url, 'kpi').opened();
  for (const origin of ['https://evil.example', 'https://shop.example.evil', 'http://shop.example', 'null'])
    expect(await refusalOf(new LiveReader(url, 'kpi', { origin }))).toEqual({ status: 403, type: 'foreign-origin' });
});

it('knows one topic by however its name was encoded', async () => {
  const { url, hub } = await served();
  for (const query of [
    'kpi,atp:A%2CB,location:dc%20east',
    encodeURIComponent('kpi,atp:A%2CB,location:dc%20east'),
    `kpi,${encodeURIComponent('atp:A,B')},location:dc%20east`,
  ]) {
    const reader = await new LiveReader(url, query).opened();
    expect([...hub.topics]).toEqual(['kpi', 'atp:A%2CB', 'location:dc%20east']);
    reader.close();
    await until(
      () => hub.size === 0,
      20_000,
      () => 'the reader has left',
    );
  }
});

it.each([
  ['no JSON', 'not json', 1008],
  ['no list', '{"subscribe":"kpi"}', 1008],
  ['no texts', '{"subscribe":[1]}', 1008],
  ['no topic', '{"subscribe":["nothing"]}', 1008],
  ['more than is known', '{"subscribe":["kpi"],"topics":["anomaly"]}', 1008],
  ['too much', `{"subscribe":["${'x'.repeat(70_000)}"]}`, 1009],
  ['a name that is too long to be repeated', `{"subscribe":["atp:${'\u{1F9E6}'.repeat(200)}"]}`, 1008],
])('closes a reader that sends %s', async (_what, message, code) => {
  const { url, ended } = await served();
  const reader = await new LiveReader(url, 'kpi').opened();
  reader.say(message);
  expect((await closeOf(reader)).code).toBe(code);
  await until(
    () => ended.length === 1,
    20_000,
    () => 'the server knows that it has ended',
  );
  expect(ended).toEqual(['misused']);
});

it('closes a reader that changes its topics too often, and bears a burst', async () => {
  const { url, ended } = await served();
  const [burst, flood] = await Promise.all([new LiveReader(url).opened(), new LiveReader(url).opened()]);
  const some = Array.from({ length: LIMITS.liveChangesAtOnce / 4 }, (_, index) => `atp:sku-${index}`);
  for (const reader of [burst, flood])
    for (let i = 0; i < 2; i++) {
      reader.say({ subscribe: some });
      reader.say({ unsubscribe: some });
    }
  flood.say({ subscribe: some });
  expect(await closeOf(flood)).toEqual({
    code: 1008,
    reason: 'too many topic changes: at most 20 a second, 400 at once',
  });
  expect([burst.closed, ended]).toEqual([undefined, ['misused']]);
});

it('sends what a topic holds over many turns, newest values and each once, and makes them once for who comes and goes', async () => {
  let [sent, encoded, turns, opened] = [0, 0, 0, 0];
  const { url, hub } = await served({
    opened: () => {
      opened += 1;
    },
    sent: () => {
      sent += 1;
    },
    encoded: () => {
      encoded += 1;
    },
    turn: (call) => {
      turns += 1;
      setImmediate(call);
    },
  });
  const first = await new LiveReader(url, 'anomaly').opened();
  const publish = (n: number, text: string) =>
    hub.publish({ topic: 'anomaly', at: '', data: { n, text } }, { key: `${n}`, gone: false });
  for (let n = 0; n < 1_000; n++) publish(n, 'old');
  await first.sees<{ n: number }>('anomaly', ({ n }) => n === 999);
  expect([encoded, opened]).toEqual([1_000, 1]);
  first.close();
  await until(
    () => hub.size === 0,
    20_000,
    () => 'it has left',
  );
  [sent, encoded, turns] = [0, 0, 0];
  const second = await new LiveReader(url, 'anomaly').opened();
  // Published between its turns: a key that it may already have received, a new one, and one that is gone.
  publish(500, 'new');
  publish(1_000, 'new');
  hub.publish({ topic: 'anomaly', at: '', data: { n: 700, text: 'gone' } }, { key: '700', gone: true });
  await second.sees<{ n: number }>('anomaly', ({ n }) => n === 1_000);
  await second.sees<{ n: number }>('anomaly', ({ n }) => n === 700);
  const last = new Map(second.of<{ n: number; text: string }>('anomaly').map(({ data }) => [data.n, data.text]));
  expect([last.size, last.get(500), last.get(700)]).toEqual([1_001, 'new', 'gone']);
  expect(sent).toBe(second.messages.length);
  expect(sent).toBeLessThanOrEqual(1_003);
  expect([encoded, opened]).toEqual([3, 1]);
  expect(turns).toBeGreaterThanOrEqual(20);
});

it('refuses more readers than a node may have, until one leaves', async () => {
  const { url, hub } = await served();
  const sink = { send: () => undefined, buffered: 0, stuck: () => undefined };
  const others = Array.from({ length: LIMITS.liveReaders }, () => hub.join(sink));
  expect(await refusalOf(new LiveReader(url, 'kpi'))).toEqual({ status: 503, type: 'too-many-readers' });
  hub.leave(others[0] as (typeof others)[number]);
  await new LiveReader(url, 'kpi').opened();
});

it('says that it stops, and takes nobody any more', async () => {
  const { url, hub, ended, end } = await served();
  const readers = await Promise.all(Array.from({ length: 5 }, () => new LiveReader(url, 'kpi').opened()));
  await end();
  for (const reader of readers) expect(await closeOf(reader)).toMatchObject({ code: 1001 });
  expect(ended).toEqual(Array.from({ length: 5 }, () => 'stopping'));
  expect(hub.size).toBe(0);
  expect(await refusalOf(new LiveReader(url, 'kpi'))).toMatchObject({ status: 503 });
});

it('answers an offer of another protocol as the request that it is', async () => {
  const { url } = await served();
  const text = await new Promise<string>((resolve, reject) => {
    const asked = request(`${url}/healthz`, { headers: { Connection: 'Upgrade', Upgrade: 'h2c' } }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part;
      });
      response.on('end', () => resolve(body));
    });
    asked.on('error', reject).end();
  });
  expect(JSON.parse(text)).toEqual({ status: 'alive', name: 'node-1' });
  expect(await refusalOf(new LiveReader(`${url}/elsewhere`))).toMatchObject({ status: 404 });
});

it.each([
  ['/healthz', 'h2c', 200],
  ['/%zz', 'websocket', 400],
  ['/nowhere', 'websocket', 404],
  ['/v1/live?topics=nothing', 'websocket', 422],
])('ends the connection of an upgrade to %s that it does not take', async (path, protocol, status) => {
  const { url } = await served();
  const { host, port } = new URL(url);
  const answer = await new Promise<string>((resolve, reject) => {
    let said = '';
    const socket = connect(Number(port), '127.0.0.1', () =>
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`),
    );
    socket
      .setEncoding('utf8')
      .on('data', (text: string) => {
        said += text;
      })
      .on('end', () => resolve(said))
      .on('error', reject);
  });
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(answer).toMatch(/\r\nConnection: close\r\n/i);
});

it('gives a slow reader fewer, newer values, and the last one when it reads again', async () => {
  const { url, hub, skipped } = await served();
  const [quick, slow] = await Promise.all([new LiveReader(url, 'kpi').opened(), new LiveReader(url, 'kpi').opened()]);
  slow.socket.pause();
  const filler = 'x'.repeat(50_000);
  const last = 1_000;
  let most = 0;
  let now = 0;
  for (let n = 1; n <= last; n++) {
    hub.publish({ topic: 'kpi', at: '', data: { n, filler } });
    now += 10;
    hub.drain(now);
    // Memory held in the process for the slow reader. Its socket buffers more outside the process.
    most = Math.max(most, process.memoryUsage().external + process.memoryUsage().arrayBuffers);
    await new Promise((resolve) => setImmediate(resolve));
    // A fast reader keeps up. Wait for it when this process is too busy.
    if (n % 20 === 0) await quick.sees<{ n: number }>('kpi', (data) => data.n === n);
  }
  expect(quick.of('kpi').length).toBeGreaterThan(last / 20);
  expect(skipped()).toBeGreaterThan(last / 2);
  expect(most).toBeLessThan(100 * 1024 * 1024);
  slow.socket.resume();
  const draining = setInterval(() => {
    now += 10;
    hub.drain(now);
  }, 10);
  try {
    await slow.sees<{ n: number }>('kpi', (data) => data.n === last);
  } finally {
    clearInterval(draining);
  }
  const seen = slow.of<{ n: number }>('kpi').map(({ data }) => data.n);
  expect(seen.length).toBeLessThan(last / 2);
  expect([...seen].sort((a, b) => a - b)).toEqual(seen);
});

it('closes a reader that takes nothing for half a minute', async () => {
  const { url, hub, ended } = await served();
  const reader = await new LiveReader(url, 'kpi').opened();
  reader.socket.pause();
  const filler = 'x'.repeat(200_000);
  let now = 1_000;
  // The hub's clock is controlled by the test, so half a minute passes in as many turns as it takes to fill the socket.
  await until(
    () => {
      hub.publish({ topic: 'kpi', at: '', data: filler });
      now += 1_000;
      hub.drain(now);
      return hub.size === 0;
    },
    60_000,
    () => 'the hub has let it go',
    1,
  );
  await until(
    () => ended.length === 1,
    20_000,
    () => 'its connection is cut',
  );
  expect(ended).toEqual(['slow']);
});

async function closeOf(reader: LiveReader): Promise<{ code: number; reason: string }> {
  await until(
    () => reader.closed !== undefined,
    20_000,
    () => 'the reader is closed',
    2,
  );
  return reader.closed as { code: number; reason: string };
}
