/**
 * Who may ask over HTTP: what browsers report about the requesting page, the host names accepted for the node, and the headers of answers.
 */
import { describe, expect, it } from 'vitest';
import { namesOf, refusalOfCaller } from '../../../src/api/callers.ts';
import { OPERATIONS } from '../../../src/http/routes/health.ts';
import { front, SALE } from './front.ts';

const EVIL = 'https://evil.example';
const CALLERS = { hosts: ['localhost', '127.0.0.1', '[::1]', 'holdfast'], origins: ['https://shop.example'] };

describe('a caller', () => {
  it.each([
    ['no browser', { host: 'localhost:8080' }, undefined],
    ['another port', { host: 'localhost:1' }, undefined],
    ['no port', { host: 'holdfast' }, undefined],
    ['capitals', { host: 'HoldFast:8080' }, undefined],
    ['IPv6', { host: '[::1]:8080' }, undefined],
    ['its own page', { host: 'localhost:8080', origin: 'http://localhost:8080' }, undefined],
    ['its own page, behind TLS', { host: 'localhost', origin: 'https://localhost' }, undefined],
    ['its own page, as the browser says', { host: 'localhost', 'sec-fetch-site': 'same-origin' }, undefined],
    ['an address typed in', { host: 'localhost', 'sec-fetch-site': 'none' }, undefined],
    ['a link on this machine', { host: 'localhost:8080', 'sec-fetch-site': 'same-site' }, undefined],
    ['a named page', { host: 'localhost', origin: 'https://shop.example', 'sec-fetch-site': 'cross-site' }, undefined],
    ['a named page in capitals', { host: 'localhost', origin: 'https://SHOP.example' }, undefined],
    ['a foreign page', { host: 'localhost', origin: EVIL }, 'foreign-origin'],
    [
      'a foreign page that says same-site',
      { host: 'localhost', origin: EVIL, 'sec-fetch-site': 'same-site' },
      'foreign-origin',
    ],
    ['another port of this machine', { host: 'localhost:8080', origin: 'http://localhost:3000' }, 'foreign-origin'],
    ['a sandboxed frame or a file', { host: 'localhost', origin: 'null' }, 'foreign-origin'],
    ['no URL', { host: 'localhost', origin: 'localhost' }, 'foreign-origin'],
    ['a name that begins alike', { host: 'localhost', origin: 'https://shop.example.evil' }, 'foreign-origin'],
    ['a foreign picture or script', { host: 'localhost', 'sec-fetch-site': 'cross-site' }, 'foreign-origin'],
    ['a rebound name', { host: 'evil.example:8080', origin: 'http://evil.example:8080' }, 'unknown-host'],
    ['a rebound name that reads', { host: 'evil.example', 'sec-fetch-site': 'same-origin' }, 'unknown-host'],
    ['a name that ends alike', { host: 'evil-localhost' }, 'unknown-host'],
    ['another address', { host: '10.0.0.7:8080' }, 'unknown-host'],
    ['no name', {}, 'unknown-host'],
  ])('that is %s', (_what, headers, refused) => {
    expect(refusalOfCaller(Object.entries(headers).flat(), CALLERS)?.[0]).toBe(refused);
  });

  it('may use any name where the setting says so, and the address that HTTP listens on', () => {
    expect(refusalOfCaller(['Host', 'evil.example'], { ...CALLERS, hosts: ['*'] })).toBeUndefined();
    expect(namesOf(['localhost'], '10.0.0.7:8080')).toEqual(['localhost', '10.0.0.7']);
    expect(namesOf(['localhost'], '[fd00::1]:8080')).toEqual(['localhost', '[fd00::1]']);
    expect(namesOf(['localhost'], '0.0.0.0:8080')).toEqual(['localhost']);
    expect(namesOf(['localhost'], '[::]:8080')).toEqual(['localhost']);
  });
});

describe('every operation', () => {
  const routes = OPERATIONS.map(({ method, path }) => [method, path.replace(/\{\w+\}/g, 'x')] as const);
  const [healthy, rest] = [
    routes.filter(([, path]) => path === '/healthz'),
    routes.filter(([, path]) => path !== '/healthz'),
  ];
  const foreign = [
    ['a foreign page', { origin: EVIL }, 403, 'foreign-origin', 'HOLDFAST_ORIGINS'],
    ['another site', { 'sec-fetch-site': 'cross-site' }, 403, 'foreign-origin', 'HOLDFAST_ORIGINS'],
    ['a rebound name', { host: 'evil.example' }, 421, 'unknown-host', 'HOLDFAST_HOSTS'],
  ] as const;

  it.each(foreign)('refuses %s and names the setting', async (_what, headers, status, type, setting) => {
    const { app, facts } = front();
    for (const [method, url] of [...rest, ['GET', '/nowhere'], ['GET', '/assets/x.js']] as const) {
      const answer = await app.inject({
        method,
        url,
        headers: { ...headers, 'content-type': 'application/json' },
        ...(method === 'POST' ? { payload: [SALE] } : {}),
      });
      expect([url, answer.statusCode, answer.json().type]).toEqual([url, status, type]);
      expect(answer.json().detail).toContain(setting);
    }
    expect(facts.taken).toEqual([]);
  });

  it('but /healthz answers anybody', async () => {
    const { app } = front();
    expect(healthy).toHaveLength(1);
    for (const [, headers] of foreign)
      for (const method of ['GET', 'HEAD'] as const)
        expect((await app.inject({ method, url: '/healthz', headers })).statusCode).toBe(200);
  });

  it('tells caches, browsers and other sites to leave its answer alone, also when it refuses', async () => {
    const { app } = front();
    for (const [method, url] of [...routes, ['GET', '/nowhere'], ['GET', '/v1/atp/%zz']] as const) {
      const { headers } = await app.inject({ method, url });
      const page = url === '/';
      expect([url, headers['x-content-type-options'], headers['cross-origin-resource-policy']]).toEqual([
        url,
        'nosniff',
        'same-origin',
      ]);
      expect([url, headers['cache-control']]).toEqual([url, page ? 'no-cache' : 'no-store']);
      expect(headers['content-security-policy']).toMatch(
        page ? /^default-src 'self'; / : /^default-src 'none'; frame-ancestors 'none'$/,
      );
    }
  });

  it('says how large its body may be, and refuses a larger one', async () => {
    const { app } = front();
    for (const operation of OPERATIONS) {
      if (operation.method !== 'POST') continue;
      const url = operation.path.replace(/\{\w+\}/g, 'x');
      const answer = await app.inject({
        method: 'POST',
        url,
        headers: { 'content-type': 'application/json' },
        payload: ' '.repeat(operation.bodyBytes + 1),
      });
      expect([url, answer.statusCode, answer.json().type]).toEqual([url, 413, 'too-large']);
      expect(operation.bodyBytes).toBeLessThanOrEqual(8 * 1024 * 1024);
    }
  });
});

describe('a body', () => {
  it.each([
    ['no content type', {}],
    ['an empty one', { 'content-type': '' }],
    ['that of a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['that of a form with files', { 'content-type': 'multipart/form-data; boundary=x' }],
    ['text', { 'content-type': 'text/plain;charset=UTF-8' }],
  ])('with %s is refused with 415, which names what is allowed', async (_what, headers) => {
    const { app, facts } = front();
    for (const url of [
      '/v1/facts',
      '/v1/atp',
      '/v1/reservations',
      '/v1/reservations/x/confirm',
      '/v1/anomalies/x/resolve',
      '/v1/parked/1/resubmit',
    ]) {
      const answer = await app.inject({ method: 'POST', url, headers, payload: Buffer.from(JSON.stringify([SALE])) });
      expect([url, answer.statusCode, answer.json().type]).toEqual([url, 415, 'unsupported-media-type']);
      expect(answer.json().detail).toMatch(/application\/json.*application\/msgpack|not well-formed/);
    }
    expect(facts.taken).toEqual([]);
  });

  it('that is not there needs none', async () => {
    const { app } = front();
    await app.inject({
      method: 'POST',
      url: '/v1/reservations',
      payload: { id: 'a', lines: [{ sku: '85123A', qty: 1 }] },
    });
    expect((await app.inject({ method: 'POST', url: '/v1/reservations/a/confirm' })).statusCode).toBe(200);
  });
});
