/**
 * Recreates this folder's recording of what a built 0.1 (commit 6ab9670) stores and serves. It was run once, and later versions must start
 * from its result.
 *
 *     node test/streams/golden/streams-0.1/record.mjs FOLDER_OF_0.1
 *
 * `store.tar.gz` is the data folder of the nats-server after a clean stop, and `served.json` holds the answers of the last node of 0.1. The
 * recording has counts with `bucket`, sales with `reservation: null`, a SKU with a zero-width space and a field that is 20,000 levels deep.
 * It has facts of a month ago under three horizons (off, 7 days, 6 days), facts that were parked for every reason, and some that were
 * submitted again. It also has a baseline, a trim, writers that were killed and fenced, and messages after all that.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const old = process.argv[2];
const compiled = (path) => import(pathToFileURL(join(old, 'dist', path)).href);
const { startNats } = await compiled('src/servers/nats.js');
const { startRedis } = await compiled('src/servers/redis.js');
const { NatsBroker } = await compiled('streams/connection.js');
const { factSubject } = await compiled('streams/subjects.js');
const { encodeBody, MSGPACK_TYPE } = await compiled('streams/codec.js');
const folder = mkdtempSync(join(tmpdir(), 'holdfast-record-'));
const nats = await startNats({ dataDir: join(folder, 'nats') });
const redis = await startRedis({ dataDir: join(folder, 'redis') });
const HTTP = '127.0.0.1:18999';
const DAY = 86_400_000;
const ago = (ms) => new Date(Date.now() - ms).toISOString();
const ZERO_WIDTH = 'Z\u200bW';
const settings = {
  NATS_URL: nats.url,
  REDIS_URL: redis.url,
  HOLDFAST_HTTP: HTTP,
  HOLDFAST_NAME: 'one',
  HOLDFAST_PARTITIONS: '4',
  HOLDFAST_LEASE: '2s',
  HOLDFAST_SNAPSHOT_INTERVAL: '300ms',
};

async function ask(method, path, body) {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const response = await fetch(`http://${HTTP}${path}`, init);
  return { status: response.status, body: await response.json() };
}
async function until(what, holds) {
  for (const end = Date.now() + 30_000; Date.now() < end; ) {
    if (await holds().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not reached: ${what}`);
}
const children = [];
async function node(horizon) {
  const env = { ...process.env, ...settings, HOLDFAST_HORIZON: horizon };
  const child = spawn(process.execPath, [join(old, 'bin/holdfast.js'), 'node'], { env, stdio: 'inherit' });
  children.push(child);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await until('ready', async () => (await ask('GET', '/readyz')).status === 200);
  return {
    end: async (signal) => {
      child.kill(signal);
      await ended;
    },
  };
}
function holdfast(...args) {
  execFileSync(process.execPath, [join(old, 'bin/holdfast.js'), ...args], { env: { ...process.env, ...settings }, stdio: 'inherit' });
}
const fact = (id, type, sku, more) => ({ id, type, sku, location: 'dc', occurredAt: ago(60_000), ...more });
const http = async (...facts) => {
  const { status, body } = await ask('POST', '/v1/facts', facts);
  if (status !== 200) throw new Error(JSON.stringify(body));
  console.log(JSON.stringify(body));
};
const broker = await NatsBroker.connect(nats.url, 'recorder');
const publish = (each, headers = {}, bytes = Buffer.from(JSON.stringify(each))) =>
  broker.publish(factSubject(each.type, each.location, each.sku), bytes, { headers });
const deep = (each) => Buffer.from(`${JSON.stringify(each).slice(0, -1)},"note":${'['.repeat(20_000)}${']'.repeat(20_000)}}`);
const parkedSeq = async (reason) =>
  (await ask('GET', '/v1/parked?limit=1000')).body.parked.filter((each) => each.reason === reason && !each.source.startsWith('http')).at(-1).seq;
const settled = () => until('lag 0', async () => (await ask('GET', '/v1/stock/SETTLE/dc')).body.sellable === settledTo);
let settledTo = 0;
async function settle() {
  settledTo += 1;
  await http(fact(`settle-${settledTo}`, 'adjustment', 'SETTLE', { delta: 1, reason: 'all before it is judged' }));
  await settled();
}
async function step(method, path) {
  const { status, body } = await ask(method, `/v1/reservations/${path}`);
  if (status !== 200) throw new Error(JSON.stringify(body));
}
async function reserve(id, sku, qty, more = {}) {
  const { status, body } = await ask('POST', '/v1/reservations', { id, lines: [{ sku, qty }], ...more });
  if (status !== 201) throw new Error(JSON.stringify(body));
}
/** Messages of 0.1 devices that later versions read differently. */
async function oddities(tag) {
  await http(
    fact(`${tag}-count`, 'count', 'COUNTED', { counted: 40, bucket: 'damaged' }),
    fact(`${tag}-null`, 'sale', 'A', { qty: 2, reservation: null }),
    fact(`${tag}-zw`, 'sale', ZERO_WIDTH, { qty: 1, location: 'shop\u2060' }),
    fact(`${tag}-zw-r`, 'receipt', ZERO_WIDTH, { qty: 9 }),
    fact(`${tag}-zw-c`, 'count', ZERO_WIDTH, { counted: 5, location: 'shop\u2060', occurredAt: ago(120_000) }),
  );
  await publish(fact(`${tag}-count-nats`, 'count', 'COUNTED-2', { counted: 7, bucket: 'inspection', uom: 'case' }));
  await publish(fact(`${tag}-null-nats`, 'sale', 'A', { qty: 3, reservation: null }));
  const nested = fact(`${tag}-deep`, 'receipt', 'DEEP', { qty: 11 });
  await publish(nested, {}, deep(nested));
  const packed = fact(`${tag}-packed`, 'receipt', 'PACKED', { qty: 4 });
  await publish(packed, { 'Content-Type': MSGPACK_TYPE }, encodeBody(packed, MSGPACK_TYPE));
  await publish(fact(`${tag}-mismatch`, 'sale', 'A', { qty: 1 }), {}, Buffer.from(JSON.stringify(fact(`${tag}-mismatch`, 'sale', 'B', { qty: 1 }))));
  await publish(fact(`${tag}-unreadable`, 'sale', 'A'), {}, Buffer.from('{"id":'));
  await publish(fact(`${tag}-conflict`, 'receipt', 'B', { qty: 1 }));
  await publish(fact(`${tag}-conflict`, 'receipt', 'B', { qty: 100 }));
  await publish(fact(`${tag}-twice`, 'receipt', 'B', { qty: 3, attempt: 1 }));
  await publish(fact(`${tag}-twice`, 'receipt', 'B', { qty: 3, attempt: 2 }));
  await settle();
}
const month = (id, sku = 'OLD') => fact(id, 'receipt', sku, { qty: 10, occurredAt: MONTH_AGO });
const MONTH_AGO = ago(30 * DAY);
const between = (id) => fact(id, 'receipt', 'BETWEEN', { qty: 1, occurredAt: ago(6.5 * DAY) });
const FIRST = ago(90_000);

try {
  const first = await node('off');
  await http(...['A', 'B', 'C', 'D'].map((sku) => fact(`r-${sku}`, 'receipt', sku, { qty: 100, occurredAt: FIRST })), month('old-off'));
  await publish(month('old-off-nats'));
  await http(
    fact('shipped', 'transfer', 'C', { phase: 'shipped', transfer: 'T1', qty: 6, from: 'dc', to: 'shop' }),
    fact('received', 'transfer', 'C', { phase: 'received', transfer: 'T1', qty: 4, damaged: 1, from: 'dc', to: 'shop', location: 'shop' }),
    fact('return', 'return', 'C', { qty: 2, disposition: 'inspect' }),
    fact('adjust', 'adjustment', 'C', { delta: 3, reason: 'found', bucket: 'damaged' }),
  );
  await oddities('a');
  await reserve('r-confirmed', 'D', 10);
  await step('POST', 'r-confirmed/confirm');
  await reserve('r-released', 'D', 5);
  await step('DELETE', 'r-released');
  await reserve('r-fulfilled', 'D', 4);
  await step('POST', 'r-fulfilled/confirm');
  await http(fact('fulfils', 'sale', 'D', { qty: 4, reservation: 'r-fulfilled' }));
  await reserve('r-expired', 'D', 7, { ttlSeconds: 1 });
  await until('expired', async () => (await ask('GET', '/v1/reservations/r-expired')).body.status === 'expired');
  await settle();
  await first.end('SIGKILL');

  const second = await node('7d');
  await http(month('late-http'));
  await publish(month('late-nats'));
  await publish(month('late-self'), { 'Holdfast-Resubmit': 'yes' });
  await publish(fact('late-count', 'count', 'OLD', { counted: 1, occurredAt: MONTH_AGO }), { 'Holdfast-Resubmit': 'yes' });
  await settle();
  await publish(month('again'));
  await settle();
  console.log(JSON.stringify((await ask('POST', `/v1/parked/${await parkedSeq('too-old')}/resubmit`)).body));
  await settle();
  holdfast('baseline');
  holdfast('trim');
  await oddities('b');
  await http(between('between-7d'));
  // Copies of trimmed facts, and of facts that were submitted again.
  await http(fact('r-A', 'receipt', 'A', { qty: 100, occurredAt: FIRST }));
  await publish(month('again'), { 'Holdfast-Resubmit': 'yes' });
  await publish(month('again-2'));
  await settle();
  console.log(JSON.stringify((await ask('POST', `/v1/parked/${await parkedSeq('too-old')}/resubmit`)).body));
  await settle();
  await second.end('SIGKILL');

  const third = await node('6d');
  await http(between('between-6d'));
  await publish(between('between-6d-nats'));
  await publish(month('late-third'));
  await oddities('c');
  const skus = ['A', 'B', 'C', 'D', 'OLD', 'BETWEEN', 'COUNTED', 'COUNTED-2', 'DEEP', 'PACKED', ZERO_WIDTH];
  const stock = {};
  for (const sku of skus) stock[sku] = (await ask('GET', `/v1/stock/${encodeURIComponent(sku)}`)).body.locations ?? null;
  const parked = (await ask('GET', '/v1/parked?limit=1000')).body.parked.map(({ reason, source }) => ({ reason, source }));
  const { status, lines } = (await ask('GET', '/v1/reservations/r-confirmed')).body;
  await third.end('SIGTERM');
  holdfast('verify');
  const horizons = JSON.parse((await (await broker.keys('holdfast_horizons', { replicas: 1 })).get('list')).value);
  const served = { stock, parked, reservation: { status, lines }, horizons };
  const here = fileURLToPath(new URL('.', import.meta.url));
  writeFileSync(join(here, 'served.json'), `${JSON.stringify(served, null, 2)}\n`);
  await broker.close();
  await nats.stop();
  const archive = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  execFileSync('tar', [...archive, '-C', join(folder, 'nats'), '-czf', join(here, 'store.tar.gz'), 'jetstream'], { env: { ...process.env, GZIP: '-9n' } });
} finally {
  for (const child of children) child.kill('SIGKILL');
  await Promise.all([nats.kill(), redis.kill()]);
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
