/**
 * The live page: the files that Vite built into dist/web, read once and answered from memory, packed when they were built.
 *
 * Invariants:
 *  WP1 The page asks no other host for anything, and no other site may show it in a frame: the policy says so to the browser.
 *  WP2 A name with a hash stands for its bytes for ever; index.html, which names them, and licenses.txt are asked for each time.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { packageRoot } from '../process/package-root.ts';
import type { Operation } from './operation.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};
const PACKED = { br: '.br', gzip: '.gz' } as const;
const POLICY =
  "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'";
const NOT_BUILT =
  '<!doctype html><html lang="en"><title>Holdfast</title><h1>Holdfast</h1><p>The live page is not built: run <code>npm run build</code>.</p></html>';

interface WebFile {
  readonly type: string;
  readonly tag: string;
  readonly bytes: Buffer;
  readonly packed: Readonly<Partial<Record<keyof typeof PACKED, Buffer>>>;
}

export const page: Operation = {
  id: 'page',
  method: 'GET',
  path: '/',
  tag: 'operations',
  summary: 'The live operations page, for people',
  answers: { 200: { description: 'HTML', contentType: 'text/html' } },
  problems: [],
};

/** Adds `/` and `/assets/…`. What is not there is answered like every other path that is not there. */
export function addWebPage(app: FastifyInstance, folder = join(packageRoot(), 'dist', 'web')): void {
  const index = readWebFile(join(folder, 'index.html')) ?? fileOf(Buffer.from(NOT_BUILT), '.html');
  app.get('/', async (request, reply) => answer(request, reply, index, 'no-cache'));
  const assets = join(folder, 'assets');
  if (!existsSync(assets)) return;
  for (const name of readdirSync(assets)) {
    const file = TYPES[extname(name)] === undefined ? undefined : readWebFile(join(assets, name));
    if (file === undefined) continue;
    const cache = extname(name) === '.txt' ? 'no-cache' : 'public, max-age=31536000, immutable';
    app.get(`/assets/${name}`, async (request, reply) => answer(request, reply, file, cache));
  }
}

function readWebFile(path: string): WebFile | undefined {
  if (!existsSync(path)) return undefined;
  const packed: Partial<Record<keyof typeof PACKED, Buffer>> = {};
  for (const [coding, suffix] of Object.entries(PACKED)) {
    if (existsSync(path + suffix)) packed[coding as keyof typeof PACKED] = readFileSync(path + suffix);
  }
  return fileOf(readFileSync(path), extname(path), packed);
}

function fileOf(bytes: Buffer, extension: string, packed: WebFile['packed'] = {}): WebFile {
  const type = TYPES[extension] ?? 'application/octet-stream';
  const tag = createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
  return { type, tag, bytes, packed };
}

function answer(request: FastifyRequest, reply: FastifyReply, file: WebFile, cache: string): FastifyReply {
  const accepted = codings(request.headers['accept-encoding']);
  const coding = (['br', 'gzip'] as const).find((each) => accepted.has(each) && file.packed[each] !== undefined);
  // Bytes in another coding are another representation, so they have another tag.
  const tag = `"${file.tag}${coding === undefined ? '' : `-${coding}`}"`;
  reply
    .type(file.type)
    .header('Cache-Control', cache)
    .header('Content-Security-Policy', POLICY)
    .header('Cross-Origin-Opener-Policy', 'same-origin')
    .header('ETag', tag)
    .header('Referrer-Policy', 'no-referrer')
    .header('Vary', 'Accept-Encoding')
    .header('X-Content-Type-Options', 'nosniff');
  if (request.headers['if-none-match'] === tag) return reply.code(304).send();
  if (coding === undefined) return reply.send(file.bytes);
  return reply.header('Content-Encoding', coding).send(file.packed[coding]);
}

/** Codings that are taken; one with `q=0` is refused (RFC 9110, 12.5.3). */
function codings(accept: string | string[] | undefined): Set<string> {
  const taken = new Set<string>();
  for (const part of String(accept ?? '').split(',')) {
    const [name = '', ...parameters] = part
      .trim()
      .toLowerCase()
      .split(/\s*;\s*/);
    if (!parameters.some((each) => /^q=0(\.0*)?$/.test(each))) taken.add(name);
  }
  return taken;
}
