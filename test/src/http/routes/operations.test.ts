/** Routes for operators, unknown routes, the OpenAPI document, and a real socket. */
import { connect } from 'node:net';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { PROBLEMS } from '../../../../src/error-status.ts';
import { OPERATIONS } from '../../../../src/http/routes/health.ts';
import { front } from '../front.ts';

it('says that it lives', async () => {
  const { app } = front();
  expect((await app.inject('/healthz')).json()).toEqual({ status: 'alive', name: 'node-1' });
});

it('says whether it is ready, and if not why', async () => {
  const it_ = front();
  expect((await it_.app.inject('/readyz')).json()).toEqual({
    ready: true,
    owned: 1,
    partitions: 32,
    name: 'node-1',
    owns: [{ partition: 3, epoch: 41 }],
  });
  it_.ready = {
    ready: false,
    reasons: ['partition 3 recovers', 'NATS is away'],
    owned: 1,
    partitions: 32,
    owns: [{ partition: 4, epoch: 45 }],
  };
  const answer = await it_.app.inject('/readyz');
  expect([answer.statusCode, answer.headers['retry-after'], answer.headers['content-type']]).toEqual([
    503,
    '1',
    'application/problem+json',
  ]);
  expect(answer.json()).toMatchObject({
    type: 'not-ready',
    detail: 'partition 3 recovers; NATS is away',
    reasons: ['partition 3 recovers', 'NATS is away'],
    owned: 1,
    name: 'node-1',
    owns: [{ partition: 4, epoch: 45 }],
  });
});

it('serves metrics as text', async () => {
  const answer = await front().app.inject('/metrics');
  expect(answer.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(answer.body).toContain('holdfast_facts_applied_total{type="sale"} 0');
});

it.each([
  ['GET', '/nope'],
  ['PUT', '/v1/fact'],
  ['OPTIONS', '/v1'],
  ['GET', '/v1/atp/x/'],
  ['DELETE', '/v1/atp/x/'],
] as const)('answers %s %s, which there is not, with a 404 problem', async (method, url) => {
  const answer = await front().app.inject({ method, url });
  expect([answer.statusCode, answer.headers['content-type'], answer.json().type]).toEqual([
    404,
    'application/problem+json',
    'not-found',
  ]);
});

it('answers a path that cannot be decoded with a problem', async () => {
  const answer = await front().app.inject('/v1/atp/%ZZ');
  expect([answer.statusCode, answer.headers['content-type']]).toEqual([400, 'application/problem+json']);
});

it('serves a valid OpenAPI 3.1 document with every route and answer', async () => {
  const { app } = front();
  const document = (await app.inject('/openapi.json')).json();
  const report = await new Validator().validate(structuredClone(document));
  expect(report).toEqual({ valid: true });
  expect(document.openapi).toMatch(/^3\.1/);
  await app.ready();
  for (const { method, path, answers, problems, body } of OPERATIONS) {
    expect(app.hasRoute({ method, url: path.replace(/\{(\w+)\}/g, ':$1') })).toBe(true);
    const described = document.paths[path][method.toLowerCase()];
    const statuses = [...Object.keys(answers), ...problems.map((kind) => String(PROBLEMS[kind].status))];
    expect(Object.keys(described.responses)).toEqual(expect.arrayContaining(statuses));
    if (body !== undefined)
      expect(Object.keys(described.requestBody.content)).toEqual(['application/json', 'application/msgpack']);
  }
});

it('bounds every list that it answers: by a parameter that has a most, or as its description says', async () => {
  const document = (await front().app.inject('/openapi.json')).json();
  const hasList = (schema: unknown): boolean => {
    if (typeof schema !== 'object' || schema === null) return false;
    if ('$ref' in schema && typeof schema.$ref === 'string')
      return hasList(document.components.schemas[schema.$ref.split('/').at(-1) as string]);
    return ('type' in schema && schema.type === 'array') || Object.values(schema).some(hasList);
  };
  const lists: string[] = [];
  for (const [path, methods] of Object.entries<Record<string, ListedOperation>>(document.paths))
    for (const [method, operation] of Object.entries(methods)) {
      const answers = Object.entries(operation.responses).filter(([status]) => status.startsWith('2'));
      if (!answers.some(([, answer]) => hasList(answer.content))) continue;
      const limit = operation.parameters?.find(({ name }) => name === 'limit')?.schema.maximum;
      expect([method, path, limit ?? operation['x-bound']]).not.toContain(undefined);
      if (operation['x-bound'] !== undefined) expect(operation.description).toContain(operation['x-bound']);
      lists.push(path);
    }
  expect(lists).toEqual(
    expect.arrayContaining(['/v1/anomalies', '/v1/locations', '/v1/explain/{sku}/{location}', '/v1/kpi', '/v1/parked']),
  );
});

interface ListedOperation {
  readonly description?: string;
  readonly 'x-bound'?: string;
  readonly parameters?: readonly { readonly name: string; readonly schema: { readonly maximum?: number } }[];
  readonly responses: Readonly<Record<string, { readonly content?: object }>>;
}

it('describes nothing in the document that its own routes would refuse', async () => {
  const { app } = front();
  const document = (await app.inject('/openapi.json')).json();
  for (const path of ['/v1/facts', '/v1/atp', '/v1/reservations']) {
    const { examples } = document.paths[path].post.requestBody.content['application/json'];
    for (const { value } of Object.values<{ value: object }>(examples)) {
      const { statusCode } = await app.inject({ method: 'POST', url: path, payload: value });
      expect([200, 201, 409]).toContain(statusCode);
    }
  }
});

it('answers bytes that are no HTTP with a problem, over a real socket, and serves on', async () => {
  const { app } = front();
  const base = await app.listen({ host: '127.0.0.1', port: 0 });
  try {
    const raw = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(Number(new URL(base).port), '127.0.0.1', () => socket.write('HELLO\r\n\r\n'));
      socket.on('data', (bytes) => {
        text += bytes.toString();
      });
      socket.on('end', () => resolve(text)).on('error', reject);
    });
    expect(raw).toMatch(/^HTTP\/1\.1 400 /);
    expect(JSON.parse(raw.slice(raw.indexOf('\r\n\r\n')))).toMatchObject({ type: 'bad-request', status: 400 });
    const answer = await fetch(`${base}/v1/atp/85123A`);
    expect([answer.status, ((await answer.json()) as { atp: number }).atp]).toEqual([200, 17]);
    const bare = await fetch(`${base}/v1/atp`, {
      method: 'POST',
      body: new TextEncoder().encode('{"lines":[{"sku":"85123A"}]}'),
    });
    expect(bare.status).toBe(415);
    const chunked = await fetch(`${base}/v1/facts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new Blob([new Uint8Array(8 * 1024 * 1024 + 1)]).stream(),
      duplex: 'half',
    } as RequestInit).then(
      ({ status }) => status,
      // The server closes while the client is still sending, so the client may be unable to read the answer.
      () => 413,
    );
    expect(chunked).toBe(413);
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
  } finally {
    await app.close();
  }
});

describe('a method that a path does not take', () => {
  it.each([
    ['PUT', '/v1/facts', 'POST'],
    ['GET', '/v1/facts?x=1', 'POST'],
    ['DELETE', '/v1/atp/85123A', 'GET, HEAD'],
    ['PATCH', '/v1/reservations/cart-77', 'GET, HEAD, PUT, DELETE'],
    ['GET', '/v1/reservations/cart-77/confirm', 'POST'],
    ['POST', '/v1/stock/a%2Fb/c', 'GET, HEAD'],
    ['OPTIONS', '/v1/reservations', 'GET, HEAD, POST'],
    ['POST', '/', 'GET, HEAD'],
  ] as const)('%s %s is 405 with Allow %s', async (method, url, allowed) => {
    const answer = await front().app.inject({ method, url });
    expect([answer.statusCode, answer.headers['content-type'], answer.json().type]).toEqual([
      405,
      'application/problem+json',
      'method-not-allowed',
    ]);
    expect(String(answer.headers.allow).split(', ').sort()).toEqual(allowed.split(', ').sort());
  });

  it.each(['/v1/facts/', '/v1/atp/a/', '/v1/reservations/a/b/c', '/v2/facts', '/V1/facts'])(
    'of a path that is not there, such as %s, is 404',
    async (url) => {
      for (const method of ['GET', 'POST', 'PUT'] as const)
        expect((await front().app.inject({ method, url })).statusCode, method).toBe(404);
    },
  );
});
