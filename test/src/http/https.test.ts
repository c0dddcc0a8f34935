/** HTTP over TLS: the API, the live feed, and commands that find a node over NATS. */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect as connectTls } from 'node:tls';
import { beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { UpProcess } from '../../../harness/processes/up-process.ts';
import { certificate } from '../../../harness/servers/logins.ts';
import { freshFolder, freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { freePort } from '../../../src/servers/ports.ts';

const ca = readFileSync(certificate('ca.pem'));
const tls = { HOLDFAST_TLS_CERT_FILE: certificate('server.pem'), HOLDFAST_TLS_KEY_FILE: certificate('server.key') };
let port: number;
let env: Readonly<Record<string, string>>;
let node: UpProcess;

beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  port = await freePort();
  env = {
    NATS_URL: nats.url,
    NATS_MONITOR_URL: nats.monitorUrl ?? '',
    REDIS_URL: redis.url,
    HOLDFAST_LEASE: '5s',
    HOLDFAST_DATA: freshFolder('nobody-is-up'),
  };
  node = new UpProcess('', { command: ['node', '--http', `https://127.0.0.1:${port}`], env: { ...env, ...tls } });
  await node.says('HTTP listens');
});

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}
const get = (path: string) =>
  new Promise<Answer>((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', path, ca }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    asked.on('error', reject).end();
  });

it('answers, tells browsers to stay with TLS, and says https of itself', async () => {
  await expect.poll(async () => (await get('/readyz')).status, { timeout: 20_000 }).toBe(200);
  for (const path of ['/readyz', '/', '/v1/atp/A', '/nowhere'])
    expect((await get(path)).headers['strict-transport-security'], path).toBe('max-age=31536000');
  expect((await get('/v1/system')).body).toContain(`https://127.0.0.1:${port}`);
});

it('takes TLS 1.2 and newer, and no plain text', async () => {
  const shakes = (maxVersion: 'TLSv1.1' | 'TLSv1.2') =>
    new Promise((resolve) => {
      const socket = connectTls({
        port,
        host: '127.0.0.1',
        ca,
        minVersion: 'TLSv1',
        maxVersion,
        ciphers: 'DEFAULT@SECLEVEL=0',
      });
      socket.on('secureConnect', () => {
        resolve(socket.getProtocol());
        socket.destroy();
      });
      socket.on('error', () => resolve('refused'));
    });
  expect(await shakes('TLSv1.2')).toBe('TLSv1.2');
  expect(await shakes('TLSv1.1')).toBe('refused');
  await expect(fetch(`http://127.0.0.1:${port}/readyz`)).rejects.toThrow();
});

it('serves the live feed as wss', async () => {
  const socket = new WebSocket(`wss://127.0.0.1:${port}/v1/live?topics=system`, {
    ca,
    origin: `https://127.0.0.1:${port}`,
  });
  const message = await new Promise<string>((resolve, reject) => {
    socket.once('message', (data: Buffer) => resolve(data.toString()));
    socket.once('error', reject);
  });
  expect(JSON.parse(message)).toMatchObject({ topic: 'system' });
  socket.terminate();
});

it('is found over NATS and asked over TLS by commands that trust its CA; others say how to', async () => {
  const trusting = { ...env, NODE_EXTRA_CA_CERTS: certificate('ca.pem') };
  const command = (words: readonly string[], given: Readonly<Record<string, string>>) =>
    new UpProcess('', { command: words, env: given });
  const [reserved, doctor, untrusted, plain] = [
    command(['atp', 'A'], trusting),
    command(['doctor'], trusting),
    command(['atp', 'A'], env),
    command(['atp', 'A', '--http', `https://localhost:${port}`], trusting),
  ];
  expect((await reserved.ended).code, reserved.output).toBe(0);
  expect((await plain.ended).code, plain.output).toBe(0);
  expect((await doctor.ended).code, doctor.output).toBe(0);
  expect(doctor.output).toContain(`at https://127.0.0.1:${port}: is ready`);
  expect((await untrusted.ended).code).toBe(1);
  expect(untrusted.output).toMatch(/https:\/\/127\.0\.0\.1:\d+ cannot be reached: .*NODE_EXTRA_CA_CERTS names a file/);
});

it('does not listen where https is asked for and there is no certificate', async () => {
  const bare = new UpProcess('', { command: ['node', '--name', 'bare', '--http', 'https://127.0.0.1:0'], env });
  expect((await bare.ended).code).toBe(1);
  expect(bare.output).toMatch(/cannot listen on https:\/\/127\.0\.0\.1:0 without HOLDFAST_TLS_CERT_FILE/);
  expect((await node.stop()).code).toBe(0);
});
