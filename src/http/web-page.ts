/**
 * The live page: the files that Vite built into dist/web, packed when they were built.
 *
 * Invariants:
 *  WP1 The page asks no other host for anything, and no other site may show it in a frame: the policy says so to the browser.
 *  WP2 A name with a hash stands for its bytes for ever; index.html, which names them, and licenses.txt are asked for each time.
 *  WP3 The tag of index.html is made from its bytes. A package gives every file the same time, and its size is that of the release before.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fastifyStatic } from '@fastify/static';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { packageRoot } from '../process/package-root.ts';
import type { Operation } from './operation.ts';

// WP1.
const PAGE_HEADERS = {
  'Content-Security-Policy':
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  Vary: 'Accept-Encoding',
  'X-Content-Type-Options': 'nosniff',
} as const;
const NOT_BUILT =
  '<!doctype html><html lang="en"><title>Holdfast</title><h1>Holdfast</h1><p>The live page is not built: run <code>npm run build</code>.</p></html>';

export const page: Operation = {
  id: 'page',
  method: 'GET',
  path: '/',
  tag: 'operations',
  summary: 'The live operations page, for people',
  answers: { 200: { description: 'HTML', contentType: 'text/html' } },
  problems: [],
};

/** Adds `/` and `/assets/…`. Other paths are answered like every path that is not there. */
export function addWebPage(app: FastifyInstance, folder = join(packageRoot(), 'dist', 'web')): void {
  app.register(async (scope) => {
    scope.addHook('onSend', async (_request, reply) => {
      // The packages' name for it is older than RFC 9239.
      if (String(reply.getHeader('Content-Type')).startsWith('application/javascript'))
        reply.type('text/javascript; charset=utf-8');
    });
    await scope.register(fastifyStatic, {
      root: join(folder, 'assets'),
      prefix: '/assets/',
      // A route for each file: nothing else in the folder, or beside it, can be asked for.
      wildcard: false,
      globIgnore: ['**/*.br', '**/*.gz'],
      preCompressed: true,
      acceptRanges: false,
      cacheControl: false,
      lastModified: false,
      setHeaders: (reply, path) => void describe(reply, path),
    });
    addIndex(scope, folder);
  });
}

function addIndex(app: FastifyInstance, folder: string): void {
  const index = join(folder, 'index.html');
  const built = existsSync(index);
  const bytes = built ? readFileSync(index) : NOT_BUILT;
  // WP3. Weak, because it is the same for every coding.
  const tag = `W/"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
  app.get('/', (request, reply) => {
    describe(reply, index).header('ETag', tag);
    if (request.headers['if-none-match'] === tag) return reply.code(304).send();
    if (!built) return reply.type('text/html; charset=utf-8').send(bytes);
    return reply.sendFile('index.html', folder, { etag: false });
  });
}

/** Says how long a file may be kept (WP2). @param path of the file that is answered, packed or not */
function describe(reply: FastifyReply, path: string): FastifyReply {
  const hashed = /-[\w-]{8}\.\w+(\.(br|gz))?$/.test(path);
  return reply
    .headers(PAGE_HEADERS)
    .header('Cache-Control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
}
