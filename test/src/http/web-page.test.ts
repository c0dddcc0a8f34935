/** How the live page's files are served. test/dashboards/web tests them in a browser. */
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { fastify } from 'fastify';
import { expect, it } from 'vitest';
import { freshFolder } from '../../../harness/servers/servers.ts';
import { addWebPage } from '../../../src/http/web-page.ts';
import { front } from './front.ts';

const PAGE = /<script type="module" crossorigin src="(\/assets\/[^"]+\.js)">/;

async function assetOf(app: ReturnType<typeof front>['app']): Promise<string> {
  return PAGE.exec((await app.inject('/')).body)?.[1] ?? '';
}

it('serves the page with a policy that lets it ask its own node only, and to be asked for each time', async () => {
  const { app } = front();
  const answer = await app.inject('/');
  expect(answer.statusCode).toBe(200);
  expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
  expect(answer.headers['content-security-policy']).toMatch(/^default-src 'self';/);
  expect(answer.headers['content-security-policy']).not.toContain('unsafe');
  expect(answer.headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-cache',
    'referrer-policy': 'no-referrer',
  });
  expect(answer.body).toMatch(PAGE);
  expect(answer.body).not.toMatch(/https?:\/\//);
});

it('serves assets under names that hold for ever', async () => {
  const { app } = front();
  const answer = await app.inject(await assetOf(app));
  expect(answer.statusCode).toBe(200);
  expect(answer.headers).toMatchObject({
    'content-type': 'text/javascript; charset=utf-8',
    'cache-control': 'public, max-age=31536000, immutable',
    vary: 'Accept-Encoding',
  });
});

it('serves the licence of everything that the page has in it, and the page links to it', async () => {
  const { app } = front();
  const answer = await app.inject('/assets/licenses.txt');
  expect(answer.statusCode).toBe(200);
  expect(answer.headers).toMatchObject({ 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache' });
  for (const [name, holder] of [
    ['preact 11', 'Jason Miller'],
    ['@preact/signals 2', 'Preact Team'],
    ['@preact/signals-core 1', 'Preact Team'],
    ['uplot 1', 'Leon Sorokin'],
    ['@fontsource-variable/archivo 5', 'SIL OPEN FONT LICENSE'],
  ] as const) {
    const [text = ''] = answer.body.split(/^=+$/m).filter((each) => each.trimStart().startsWith(name));
    expect(text, name).toContain(holder);
  }
  expect((await app.inject(await assetOf(app))).body).toContain('/assets/licenses.txt');
});

it.each([
  ['gzip, deflate, br', 'br', brotliDecompressSync],
  ['gzip', 'gzip', gunzipSync],
  ['br;q=0, gzip;q=0.5', 'gzip', gunzipSync],
] as const)('answers %s with %s, of the same content and under a tag of its own', async (accept, coding, unpack) => {
  const { app } = front();
  const url = await assetOf(app);
  const plain = await app.inject(url);
  const packed = await app.inject({ url, headers: { 'accept-encoding': accept } });
  expect(packed.headers['content-encoding']).toBe(coding);
  expect(unpack(packed.rawPayload).equals(plain.rawPayload)).toBe(true);
  expect(packed.rawPayload.length).toBeLessThan(plain.rawPayload.length / 2);
  expect(packed.headers.etag).not.toBe(plain.headers.etag);
});

it('answers 304 to who has the newest page', async () => {
  const { app } = front();
  const { etag } = (await app.inject('/')).headers;
  const again = await app.inject({ url: '/', headers: { 'if-none-match': String(etag) } });
  expect([again.statusCode, again.body]).toEqual([304, '']);
});

it('answers another build with another tag, though its page has the same size and time', async () => {
  const tags = await Promise.all(
    ['old', 'new'].map(async (build) => {
      const folder = freshFolder();
      mkdirSync(join(folder, 'assets'));
      writeFileSync(join(folder, 'index.html'), `<!doctype html><title>${build}</title>`);
      utimesSync(join(folder, 'index.html'), 0, 0);
      const app = fastify();
      addWebPage(app, folder);
      return (await app.inject('/')).headers.etag;
    }),
  );
  expect(tags[0]).toMatch(/^W\/"/);
  expect(tags[1]).not.toBe(tags[0]);
});

it('answers HEAD as GET without the body, and a condition that cannot hold with a problem', async () => {
  const { app } = front();
  for (const url of ['/', await assetOf(app)]) {
    const [get, head] = await Promise.all(
      ['GET' as const, 'HEAD' as const].map((method) => app.inject({ method, url })),
    );
    expect([head?.statusCode, head?.body]).toEqual([200, '']);
    for (const name of ['content-type', 'content-length', 'etag', 'cache-control', 'content-security-policy'])
      expect(head?.headers[name]).toBe(get?.headers[name]);
  }
  const headers = { 'if-match': '"other"' };
  expect((await app.inject({ url: await assetOf(app), headers })).headers['content-type']).toBe(
    'application/problem+json',
  );
});

it('answers an asset that there is not, and a way out of the folder, with a 404 problem', async () => {
  const { app } = front();
  for (const url of [
    '/assets/none.js',
    '/assets/../../src/cli.js',
    '/assets/%2e%2e%2findex.html',
    '/index.html',
    '/assets/',
    '/assets/licenses.txt.gz',
  ]) {
    const answer = await app.inject(url);
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([404, 'application/problem+json']);
  }
});
