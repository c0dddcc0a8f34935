/**
 * `node scripts/make-secrets.mjs [FOLDER]`: makes the secret files that docker-compose.yml names, in ./secrets by default.
 *
 * Invariants:
 *  MS1 An existing secret is kept. To change one, delete its file, run this script again and restart the services.
 *  MS2 The servers' files are derived from the secrets at each run, so they always agree with them. Redis gets only hashes.
 *  MS3 Only the folder's owner can enter it (0700). The files inside are readable (0644), because Compose mounts them unchanged into
 *      containers that run under other users and without the right to bypass file modes.
 */
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { root } from './install.mjs';

/** A store device may report facts, send requests, and read the answers in an inbox that nodes do not use. */
const DEVICE_PUBLISHES = [
  ...['sale', 'receipt', 'transfer', 'return', 'count', 'adjustment', 'purchase'].map((type) => `${type}.*.*`),
  'atp.query',
  'stock.get',
  'reservation.*',
];
const DEVICE_SUBSCRIBES = ['_INBOX_device.>', 'anomaly.*'];

/** The commands that src/redis/connection.ts and src/redis/snapshot-store.ts send, and those that the Lua script there calls. */
const NODE_COMMANDS = ['hset', 'hget', 'hmget', 'hkeys', 'hdel', 'hexists', 'eval', 'ping', 'info', 'role'];
/** The commands that a replica and a Sentinel send to a master, according to the documentation of Redis. */
const REPLICA_COMMANDS = ['ping', 'replconf', 'psync'];
const SENTINEL_COMMANDS = [
  ...['multi', 'exec', 'slaveof', 'ping', 'subscribe', 'publish', 'role', 'info'],
  ...['config|rewrite', 'client|setname', 'client|kill', 'script|kill'],
];

const folder = process.argv[2] === undefined ? join(root, 'secrets') : resolve(process.argv[2]);
mkdirSync(folder, { recursive: true });
chmodSync(folder, 0o700);

const nats = secret('nats_password');
const device = secret('nats_device_password');
const route = secret('nats_route_password');
const redis = secret('redis_password');
const replica = secret('redis_replica_password');
const sentinel = secret('redis_sentinel_password');
secret('snapshot_key');
secret('grafana_admin_password');

write('nats_auth.conf', [
  'authorization {',
  '  users: [',
  `    { user: "holdfast", password: "${nats}" }`,
  `    { user: "device", password: "${device}", permissions: {`,
  `      publish: ${JSON.stringify(DEVICE_PUBLISHES)}`,
  `      subscribe: ${JSON.stringify(DEVICE_SUBSCRIBES)}`,
  '    } }',
  '  ]',
  '}',
]);
write('nats_routes.conf', [
  `authorization { user: "route", password: "${route}" }`,
  'routes: [',
  ...[1, 2, 3].map((n) => `  "nats-route://route:${route}@nats-${n}:6222"`),
  ']',
]);
write('redis_auth.conf', [
  // A health check needs no password. A client without one can only learn that the server answers.
  'user default on nopass resetkeys resetchannels -@all +ping',
  user('holdfast', redis, '~holdfast:*', NODE_COMMANDS),
  user('replica', replica, 'resetkeys', REPLICA_COMMANDS),
  user('sentinel', sentinel, 'resetkeys allchannels', SENTINEL_COMMANDS),
  'masteruser replica',
  `masterauth ${replica}`,
]);
write('sentinel_auth.conf', ['sentinel auth-user stock sentinel', `sentinel auth-pass stock ${sentinel}`]);
console.log(`${folder} holds the secrets of docker-compose.yml`);

// An existing secret is kept (MS1).
function secret(name) {
  const path = join(folder, name);
  if (!existsSync(path)) write(name, [randomBytes(32).toString('hex')]);
  return readFileSync(path, 'utf8').trim();
}

function write(name, lines) {
  const path = join(folder, name);
  // Containers run under other users, so the file must be readable (MS3).
  writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o644 });
  chmodSync(path, 0o644);
}

// Redis gets the hash and never the password itself (MS2).
function user(name, password, may, commands) {
  const hash = createHash('sha256').update(password).digest('hex');
  return `user ${name} on #${hash} resetchannels ${may} -@all ${commands.map((each) => `+${each}`).join(' ')}`;
}
