/** Valid and hostile bodies of every kind. Each gets an answer or a problem, and the server keeps running. */

import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { beforeEach, describe, expect, it } from 'vitest';
import { msgpackFault } from '../../../streams/bytes/msgpack-shape.ts';
import { type Front, front, SALE } from './front.ts';

const packr = new Packr({ useRecords: false });
const PACKED = { 'content-type': 'application/msgpack' };
const PLAIN = { 'content-type': 'application/json' };
const ATP = { lines: [{ sku: '85123A' }] };

let it_: Front;
beforeEach(() => {
  it_ = front();
});

const post = (url: string, payload: string | Buffer, headers: Record<string, string> = {}) =>
  it_.app.inject({ method: 'POST', url, payload, headers });

describe('MessagePack', () => {
  it('is read on every POST', async () => {
    const id = 'cart-1';
    expect((await post('/v1/atp', packr.pack(ATP), PACKED)).json().lines[0].atp).toBe(17);
    expect((await post('/v1/facts', packr.pack([SALE]), PACKED)).json().accepted).toBe(1);
    expect(
      (await post('/v1/reservations', packr.pack({ id, lines: [{ sku: '85123A', qty: 1 }] }), PACKED)).statusCode,
    ).toBe(201);
    expect((await post('/v1/reservations/cart-1/confirm', packr.pack({}), PACKED)).statusCode).toBe(200);
  });

  it('is answered when Accept prefers it', async () => {
    const answer = await it_.app.inject({
      url: '/v1/atp/85123A',
      headers: { accept: 'application/msgpack, application/json;q=0.5' },
    });
    expect(answer.headers['content-type']).toBe('application/msgpack');
    expect(packr.unpack(answer.rawPayload)).toMatchObject({ sku: '85123A', atp: 17 });
    const plain = await it_.app.inject({
      url: '/v1/atp/85123A',
      headers: { accept: 'application/json, application/msgpack' },
    });
    expect(plain.headers['content-type']).toMatch(/^application\/json/);
  });

  it('keeps the status 201, and leaves problems as JSON', async () => {
    const headers = { ...PACKED, accept: 'application/msgpack' };
    const placed = await post('/v1/reservations', packr.pack({ id: 'a', lines: [{ sku: '85123A', qty: 1 }] }), headers);
    expect([placed.statusCode, packr.unpack(placed.rawPayload).status]).toEqual([201, 'held']);
    const refused = await post(
      '/v1/reservations',
      packr.pack({ id: 'b', lines: [{ sku: '85123A', qty: 99 }] }),
      headers,
    );
    expect([refused.statusCode, refused.headers['content-type']]).toEqual([409, 'application/problem+json']);
  });

  it('reads 64-bit integers as numbers', async () => {
    const wide = Buffer.concat([
      Buffer.from([0x82, 0xa2, 0x69, 0x64, 0xa1, 0x61, 0xa5]),
      Buffer.from('lines'),
      Buffer.from([0x91, 0x82, 0xa3]),
      Buffer.from('sku'),
      Buffer.from([0xa6]),
      Buffer.from('85123A'),
      Buffer.from([0xa3]),
      Buffer.from('qty'),
      Buffer.from([0xcf, 0, 0, 0, 0, 0, 0, 0, 2]),
    ]);
    expect((await post('/v1/reservations', wide, PACKED)).json()).toMatchObject({ lines: [{ qty: 2 }] });
  });

  it.each([
    ['a byte that means nothing', Buffer.from([0xc1])],
    ['an array of four billion', Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff])],
    ['a map of four billion', Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff])],
    ['a string longer than the body', Buffer.from([0xdb, 0x7f, 0xff, 0xff, 0xff, 0x61])],
    ['bytes after the end', Buffer.concat([packr.pack(ATP), Buffer.from([0xc0])])],
    ['half a value', packr.pack(ATP).subarray(0, 9)],
    ['a record definition', Buffer.from([0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01])],
    ['a regular expression', Buffer.from([0xc7, 0x05, 0x78, 0x92, 0xa1, 0x61, 0xa1, 0x67])],
    ['a string that is not UTF-8', Buffer.from([0xa2, 0xc3, 0x28])],
    ['nesting without end', Buffer.alloc(1_000_000, 0x91)],
  ])('refuses %s with 400', async (_what, bytes) => {
    for (const url of ['/v1/facts', '/v1/atp', '/v1/reservations']) {
      const answer = await post(url, bytes, PACKED);
      expect([answer.statusCode, answer.json().type]).toEqual([400, 'malformed']);
      expect(answer.json().detail).toContain('not MessagePack');
    }
  });

  it('names the first byte that is not UTF-8', async () => {
    const answer = await post('/v1/atp', Buffer.from([0x81, 0xa1, 0x61, 0xa3, 0x62, 0xc3, 0x28]), PACKED);
    expect(answer.json().detail).toBe('the body is not MessagePack: the byte 0xC3 at offset 5 is not UTF-8');
  });

  it('finds no fault in what an encoder makes, and survives any bytes', async () => {
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => msgpackFault(packr.pack(value), 64) === undefined));
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 64 }), async (bytes) => {
        const { statusCode } = await post('/v1/facts', Buffer.from(bytes), PACKED);
        expect([200, 400]).toContain(statusCode);
      }),
      { numRuns: 500 },
    );
  });
});

describe('JSON', () => {
  it.each([
    ['nothing', ''],
    ['half a value', '{"lines":['],
    ['trailing garbage', '{"lines":[]} x'],
    ['two values', '{}{}'],
    ['nesting without end', '['.repeat(1_000_000)],
  ])('refuses %s with 400', async (_what, text) => {
    for (const url of ['/v1/facts', '/v1/atp', '/v1/reservations']) {
      const answer = await post(url, text, PLAIN);
      expect([answer.statusCode, answer.json().type, answer.headers['content-type']]).toEqual([
        400,
        'malformed',
        'application/problem+json',
      ]);
    }
  });

  it('rejects a fact that is nested deeper than can be stored, and takes 60 levels', async () => {
    const nested = (levels: number) =>
      `${JSON.stringify(SALE).slice(0, -1)},"extra":${'['.repeat(levels)}${']'.repeat(levels)}}`;
    expect((await post('/v1/facts', nested(60), PLAIN)).statusCode).toBe(200);
    const answer = await post('/v1/facts', `[${JSON.stringify({ ...SALE, id: 'flat' })},${nested(100_000)}]`, PLAIN);
    expect([answer.statusCode, answer.json().accepted, answer.json().rejected]).toMatchObject([
      200,
      1,
      [{ index: 1, code: 'invalid', message: 'the fact is nested too deep' }],
    ]);
  });

  it('refuses what is not UTF-8, and names the first wrong byte', async () => {
    for (const url of ['/v1/facts', '/v1/atp', '/v1/reservations']) {
      const latin1 = Buffer.from(JSON.stringify({ lines: [{ sku: 'café' }] }), 'latin1');
      const answer = await post(url, latin1, PLAIN);
      expect([answer.statusCode, answer.json().detail]).toEqual([
        400,
        'the body is not JSON: the byte 0xE9 at offset 21 is not UTF-8',
      ]);
    }
  });

  it('keeps a field called __proto__ away from objects', async () => {
    const answer = await post('/v1/facts', `{"__proto__":{"polluted":1},${JSON.stringify(SALE).slice(1)}`, PLAIN);
    expect(answer.statusCode).toBe(200);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('content types', () => {
  it.each(['application/json; charset=utf-8', 'Application/JSON', 'application/x-msgpack', 'application/vnd.msgpack'])(
    'takes %s',
    async (type) => {
      const body = type.includes('msgpack') ? packr.pack(ATP) : JSON.stringify(ATP);
      expect((await post('/v1/atp', body, { 'content-type': type })).statusCode).toBe(200);
    },
  );

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'nonsense'])(
    'refuses %s with 415',
    async (type) => {
      const answer = await post('/v1/atp', JSON.stringify(ATP), { 'content-type': type });
      expect([answer.statusCode, answer.json().type]).toEqual([415, 'unsupported-media-type']);
    },
  );

  it('refuses compressed bodies with 415', async () => {
    const answer = await post('/v1/atp', JSON.stringify(ATP), { ...PLAIN, 'content-encoding': 'gzip' });
    expect(answer.statusCode).toBe(415);
  });
});

it('refuses more than 8 MiB with 413', async () => {
  const answer = await post('/v1/facts', `"${'x'.repeat(8 * 1024 * 1024)}"`, PLAIN);
  expect([answer.statusCode, answer.json().type]).toEqual([413, 'too-large']);
});
