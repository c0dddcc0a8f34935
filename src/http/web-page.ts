/**
 * Serves the live page from the files that Vite built into dist/web. The build has already compressed them.
 *
 * Invariants:
 *  WP1 The page loads nothing from other hosts, and no other site may frame it. The Content-Security-Policy makes the browser enforce this.
 *  WP2 A file name with a hash always stands for the same bytes, so browsers cache it as immutable. They revalidate index.html, which
 *      names these files, and licenses.txt each time.
 *  WP3 The ETag of index.html is a hash of its bytes. Time and size would not do, because a package gives every file the same time, and
 *      the size may equal that of the previous release.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fastifyStatic } from '@fastify/static';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { packageRoot } from '../process/package-root.ts';
import type { Operation } from './operation.ts';

// The Content-Security-Policy keeps out other hosts and other sites' frames (WP1).
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

/** Adds `/` and `/assets/…`. Other paths are answered like any unknown path. */
export function addWebPage(app: FastifyInstance, folder = join(packageRoot(), 'dist', 'web')): void {
  app.register(async (scope) => {
    scope.addHook('onSend', async (_request, reply) => {
      // The packages use the name from before RFC 9239.
      if (String(reply.getHeader('Content-Type')).startsWith('application/javascript'))
        reply.type('text/javascript; charset=utf-8');
    });
    await scope.register(fastifyStatic, {
      root: join(folder, 'assets'),
      prefix: '/assets/',
      // Without a wildcard, each file has a route of its own, and no other path reaches the disk.
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
  // From the bytes, because time and size may not change between releases (WP3). Weak, because all encodings share it.
  const tag = `W/"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
  app.get('/', (request, reply) => {
    describe(reply, index).header('ETag', tag);
    if (request.headers['if-none-match'] === tag) return reply.code(304).send();
    if (!built) return reply.type('text/html; charset=utf-8').send(bytes);
    return reply.sendFile('index.html', folder, { etag: false });
  });
}

/** Sets the caching headers of a file (WP2). @param path path of the file that is sent, compressed or not */
function describe(reply: FastifyReply, path: string): FastifyReply {
  const hashed = /-[\w-]{8}\.\w+(\.(br|gz))?$/.test(path);
  return reply
    .headers(PAGE_HEADERS)
    .header('Cache-Control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
}
