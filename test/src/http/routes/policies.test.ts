/** Requests about policies and locations that the front must refuse, each with the field and what is allowed. */
import { afterAll, describe, expect, it } from 'vitest';
import { front } from '../front.ts';

const { app } = front();
afterAll(() => app.close());

async function put(url: string, body: unknown) {
  const payload = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await app.inject({ method: 'PUT', url, payload, headers: { 'content-type': 'application/json' } });
  return { status: answer.statusCode, body: answer.json() };
}
const get = (url: string) => app.inject({ method: 'GET', url });

describe('hostile requests', () => {
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`c${i}`, 1]));
  it.each([
    [{ safetystock: 2 }, 'safetystock', 'did you mean safetyStock'],
    [{ safetyStock: -1 }, 'safetyStock', 'a whole number from 0'],
    [{ safetyStock: 1.5 }, 'safetyStock', 'a whole number from 0'],
    [{ safetyStock: 2e9 }, 'safetyStock', 'a whole number from 0'],
    [{ safetyStock: null }, 'safetyStock', 'a whole number from 0'],
    [{ protect: { web: '3' } }, 'protect.web', 'a whole number from 0'],
    [{ protect: ['web'] }, 'protect', 'must be an object'],
    [{ cap: { '': 3 } }, 'cap.', 'is no name of a channel or purpose'],
    [{ cap: many }, 'cap', 'must name at most 64'],
    [{ priority: { web: 0 } }, 'priority.web', 'a whole number from 1'],
    [{ substitutes: Array.from({ length: 33 }, (_, i) => `s${i}`) }, 'substitutes', 'a list of at most 32'],
    [{ substitutes: [' x'] }, 'substitutes[0]', 'must be 1 to 64 characters'],
    [{ vendorManaged: 'yes' }, 'vendorManaged', 'true or false'],
    [{ channels: [''] }, 'channels[0]', '1 to 64 characters'],
    [{ reorder: { min: 5, max: 4, pack: 1 } }, 'reorder.min', 'must be at most max'],
    [{ reorder: { min: 1, max: 4, pack: 0 } }, 'reorder.pack', 'a whole number from 1'],
    [{ reorder: { min: 1, max: 4, packs: 2 } }, 'reorder.packs', 'did you mean pack'],
    [{ by: '' }, 'by', '1 to 128 characters'],
    [{ sku: 'another' }, 'sku', 'must be that of the path'],
    [[], 'body', 'must be an object'],
    ['{"protect":{"__proto__":3}}', 'protect.__proto__', 'not allowed'],
  ])('PUT of a policy %j names %s', async (body, field, message) => {
    const { status, body: problem } = await put('/v1/policies/sku-x/dc', body);
    expect(status, JSON.stringify(problem)).toBe(422);
    expect(problem.errors).toContainEqual({ field, message: expect.stringContaining(message) });
  });

  it.each([
    [{ kind: 'shop' }, 'kind', 'one of store, dc, 3pl, dropship'],
    [{ lat: 91, lon: 0 }, 'lat', 'from -90 to 90'],
    [{ lat: 0, lon: -180.1 }, 'lon', 'from -180 to 180'],
    [{ lat: 1 }, 'lat', 'and lon must be given together'],
    [{ timezone: 'Europe/Lodnon' }, 'timezone', 'IANA'],
    [{ timezone: '+01:00' }, 'timezone', 'IANA'],
    [{ hours: { monday: [] } }, 'hours.monday', 'did you mean mon'],
    [{ hours: { mon: [['17:00', '09:00']] } }, 'hours.mon[0]', 'the earlier first'],
    [{ hours: { mon: [['9:00', '17:00']] } }, 'hours.mon[0]', 'two times of day'],
    [
      {
        hours: {
          mon: [
            ['09:00', '12:00'],
            ['11:00', '13:00'],
          ],
        },
      },
      'hours.mon',
      'must not overlap',
    ],
    [{ services: ['drone'] }, 'services[0]', 'one of ship, pickup'],
    [{ transitHours: { dc: -1 } }, 'transitHours.dc', 'from 0 to 8760'],
    [{ capacityPerHour: 1.5 }, 'capacityPerHour', 'a whole number'],
    [{ handlingCost: '1' }, 'handlingCost', 'must be a number'],
    [{ name: '' }, 'name', '1 to 200 characters'],
  ])('PUT of a location %j names %s', async (body, field, message) => {
    const { status, body: problem } = await put('/v1/locations/shop-x', body);
    expect(status, JSON.stringify(problem)).toBe(422);
    expect(problem.errors).toContainEqual({ field, message: expect.stringContaining(message) });
  });

  it('a name that no new fact can have is refused, and so is a body that is too large', async () => {
    const odd = await put(`/v1/policies/${encodeURIComponent('a\u200bb')}/dc`, {});
    expect([odd.status, odd.body.errors[0].field]).toEqual([422, 'sku']);
    const large = await put('/v1/policies/sku-x/dc', `{"why":"${'x'.repeat(600_000)}"}`);
    expect(large.status).toBe(413);
    expect((await get('/v1/policies/sku-x/dc?history=0')).statusCode).toBe(422);
    expect((await get('/v1/policies/sku-x/dc')).statusCode).toBe(404);
  });
});
