/** Items over HTTP: reads, writes, lists, and names that are refused. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UNDECIDED, undecided } from '../../../../actors/ports/refusal.ts';
import { type Front, front } from '../front.ts';

let at: Front;
beforeEach(() => {
  at = front();
});
afterEach(() => at.app.close());

const path = (sku: string) => `/v1/items/${encodeURIComponent(sku)}`;
const put = (sku: string, body: object) => at.app.inject({ method: 'PUT', url: path(sku), payload: body });
async function list(query: string): Promise<{ skus: string[]; next: string | null }> {
  const answer = await at.app.inject(`/v1/items${query}`);
  expect([query, answer.statusCode]).toEqual([query, 200]);
  const { items, next } = answer.json<{ items: { sku: string }[]; next: string | null }>();
  return { skus: items.map(({ sku }) => sku), next };
}
const put3 = async () => {
  for (const [sku, name] of [
    ['b', 'Blue mug'],
    ['a', 'Red mug'],
    ['Über', 'Pan'],
  ] as const)
    await put(sku, { name });
};

describe('PUT /v1/items/{sku}', () => {
  it('writes a fact of now, and answers the item', async () => {
    const before = Date.now();
    const answer = await put('85123A', { name: 'Heart', attributes: { size: 'L', colour: 'white' } });
    expect(answer.statusCode).toBe(200);
    const { occurredAt, ...item } = answer.json();
    expect(item).toEqual({ sku: '85123A', name: 'Heart', attributes: { colour: 'white', size: 'L' } });
    expect(Date.parse(occurredAt)).toBeGreaterThanOrEqual(before);
    expect((await at.app.inject(path('85123A'))).json()).toEqual(answer.json());
    expect(at.facts.taken).toMatchObject([{ type: 'item', sku: '85123A', occurredAt, name: 'Heart' }]);
  });

  it('wins over a fact that happened later, and replaces all of it', async () => {
    const ahead = {
      id: 'x',
      type: 'item',
      sku: 'a',
      occurredAt: '2190-01-01T00:00:00Z',
      name: 'old',
      attributes: { size: 'L' },
    };
    await at.app.inject({ method: 'POST', url: '/v1/facts', payload: ahead });
    expect((await put('a', { name: 'new' })).json()).toEqual({
      sku: 'a',
      name: 'new',
      attributes: {},
      occurredAt: '2190-01-01T00:00:00.000001Z',
    });
  });

  it.each([
    ['right to left', 'إبريق شاي \u202eabc'],
    ['an emoji of several parts', '👩‍👩‍👧‍👦❤️'],
    ['200 code points beyond the BMP', '😀'.repeat(200)],
    ['markup', '<script>alert(1)</script>"\'&'],
    ['a name of the language itself', 'constructor'],
  ])('takes a name with %s as it is', async (_, name) => {
    expect((await put('a', { name, attributes: { [[...name].slice(0, 4).join('')]: name } })).json()).toMatchObject({
      name,
    });
    expect((await at.app.inject(path('a'))).json()).toMatchObject({
      name,
      attributes: { [[...name].slice(0, 4).join('')]: name },
    });
  });

  it.each([
    ['no name', {}, 'name'],
    ['a control character', { name: 'a\u0000b' }, 'name'],
    ['a line feed', { name: 'a\nb' }, 'name'],
    ['a line separator', { name: 'a\u2028b' }, 'name'],
    ['half a surrogate pair', { name: 'a\ud83d' }, 'name'],
    ['blanks alone', { name: '   ' }, 'name'],
    ['201 characters', { name: '😀'.repeat(201) }, 'name'],
    ['a name that is no text', { name: 5 }, 'name'],
    ['an attribute that is no text', { name: 'a', attributes: { size: 5 } }, 'attributes'],
    [
      '33 attributes',
      { name: 'a', attributes: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`n${i}`, 'x'])) },
      'attributes',
    ],
    ['too many bytes of attributes', { name: 'a', attributes: { x: 'é'.repeat(1_024) } }, 'attributes'],
    ['a control character in an attribute', { name: 'a', attributes: { x: '\u001b[2J' } }, 'attributes'],
    ['a list of attributes', { name: 'a', attributes: ['x'] }, 'attributes'],
  ])('refuses %s, and says what is allowed', async (_, body, field) => {
    const answer = await put('a', body);
    const { errors, detail } = answer.json();
    expect([answer.statusCode, errors[0].field.split('.')[0]]).toEqual([422, field]);
    expect(detail).toMatch(
      field === 'name' ? /1 to 200 characters/ : /at most 32 texts|must be a string|texts by name/,
    );
    expect(at.facts.taken).toEqual([]);
  });

  it('refuses a field that is not known, with the nearest that is, and a SKU that cannot be a name', async () => {
    expect((await put('a', { name: 'a', atributes: {} })).json().errors).toEqual([
      { field: 'atributes', message: 'is not known; did you mean attributes?' },
    ]);
    expect((await put('a\u200bb', { name: 'a' })).json().errors[0].field).toBe('sku');
  });

  it('is 503 if it cannot be stored', async () => {
    at.facts.failure = undecided(UNDECIDED.stored);
    expect((await put('a', { name: 'a' })).statusCode).toBe(503);
  });
});

describe('GET /v1/items', () => {
  it('of a SKU without an item is 404', async () => {
    expect((await at.app.inject(path('85123A'))).json()).toMatchObject({ type: 'not-found', status: 404 });
  });

  it('lists all by SKU, in pages', async () => {
    await put3();
    const first = await list('?limit=2');
    expect(first.skus).toEqual(['a', 'b']);
    expect(await list(`?limit=2&cursor=${first.next}`)).toEqual({ skus: ['Über'], next: null });
    expect(await list('?limit=3')).toMatchObject({ next: null });
  });

  it('finds by words of the name and by the beginning of a SKU, in pages', async () => {
    await put3();
    expect(await list('?q=MU')).toEqual({ skus: ['a', 'b'], next: null });
    const first = await list('?q=mug&limit=1');
    expect([first.skus, await list(`?q=mug&limit=1&cursor=${first.next}`)]).toEqual([
      ['a'],
      { skus: ['b'], next: null },
    ]);
    expect([await list('?q=UBE'), await list('?q=blue%20red')]).toMatchObject([{ skus: ['Über'] }, { skus: [] }]);
  });

  it('answers named SKUs, each once, without those that have no item', async () => {
    await put3();
    expect(await list('?sku=b&sku=none&sku=a&sku=b')).toEqual({ skus: ['a', 'b'], next: null });
    expect(await list('?sku=a')).toEqual({ skus: ['a'], next: null });
  });

  it.each([
    ['?q=', 'q'],
    ['?q=a&q=b', 'q'],
    ['?sku=a&q=b', 'sku'],
    ['?limit=201', 'limit'],
    ['?cursor=x', 'cursor'],
    ['?text=a', 'text'],
    [`?${Array.from({ length: 201 }, (_, i) => `sku=${i}`).join('&')}`, 'sku'],
  ])('refuses %s', async (query, field) => {
    const answer = await at.app.inject(`/v1/items${query}`);
    expect([answer.statusCode, answer.json().errors[0].field]).toEqual([422, field]);
  });

  it('is 503 while a partition has no owner, and never part of the list', async () => {
    at.system.reachable = false;
    expect((await at.app.inject('/v1/items?q=a')).statusCode).toBe(503);
  });
});
