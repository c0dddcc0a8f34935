/** The commands `policy` and `location`, against a front with the real desk of policies. */
import { PassThrough } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/program.ts';
import { front } from '../http/front.ts';

let app: FastifyInstance;
let http: string;
beforeAll(async () => {
  app = front().app;
  http = new URL(await app.listen({ host: '127.0.0.1', port: 0 })).host;
});
afterAll(() => app.close());

async function holdfast(...args: string[]) {
  let out = '';
  const stderr = new PassThrough();
  const env = { HOLDFAST_HTTP: http };
  const code = await runCli(args, { stdout: { write: (text: string) => (out += text) }, stderr, env });
  return { code, out, err: String(stderr.read() ?? '') };
}

it('sets, shows, explains and removes a policy, with who and why', async () => {
  const fields = [
    'safetyStock=2',
    'protect.pickup=3',
    'protect.click&collect=1',
    'channels=web,store',
    'vendorManaged=true',
  ];
  const reorder = ['reorder.min=5', 'reorder.max=20', 'reorder.pack=6'];
  const set = await holdfast(
    'policy',
    'set',
    '85123A',
    '*',
    ...fields,
    ...reorder,
    '--by',
    'mia',
    '--why',
    'x',
    '--json',
  );
  const policy = {
    safetyStock: 2,
    protect: { pickup: 3, 'click&collect': 1 },
    channels: ['web', 'store'],
    vendorManaged: true,
    reorder: { min: 5, max: 20, pack: 6 },
  };
  expect([set.code, JSON.parse(set.out)]).toEqual([0, { sku: '85123A', location: '*', ...policy }]);
  const got = await holdfast('policy', 'get', '85123A', '*');
  expect(got.out).toMatch(/^safetyStock +2$/m);
  const effective = await holdfast('policy', 'effective', '85123A', 'dc');
  expect(effective.out).toMatch(/^safetyStock +2 +85123A at \*$/m);
  expect(effective.out).toMatch(/^cap +\{\}$/m);
  const removed = await holdfast('policy', 'delete', '85123A', '*', '--by', 'tom', '--why', 'season over');
  expect([removed.code, removed.out]).toEqual([0, 'It is removed.\n']);
  const { history } = JSON.parse((await holdfast('policy', 'history', '85123A', '*', '--json')).out);
  expect(history).toMatchObject([
    { by: 'tom', why: 'season over', policy: null },
    { by: 'mia', policy },
  ]);
  expect((await holdfast('policy', 'history', '85123A', '*')).out).toMatch(
    /tom +season over +removed\n.*mia +x +\{"safetyStock":2/,
  );
  const gone = await holdfast('policy', 'get', '85123A', '*');
  expect([gone.code, gone.err]).toEqual([1, expect.stringContaining('No policy is set for SKU 85123A at location *')]);
});

it('describes a location, and lists those that are described', async () => {
  const words = ['name=Leeds 2', 'kind=3pl', 'lat=53.8', 'lon=-1.5', 'timezone=Europe/London', 'transitHours.dc.1=18'];
  const set = await holdfast('location', 'set', 'store-99', ...words, 'hours.mon=[["09:00","17:30"]]', '--json');
  const described = {
    name: 'Leeds 2',
    kind: '3pl',
    lat: 53.8,
    lon: -1.5,
    timezone: 'Europe/London',
    hours: { mon: [['09:00', '17:30']] },
    transitHours: { 'dc.1': 18 },
  };
  expect(JSON.parse(set.out)).toMatchObject({ id: 'store-99', ...described });
  expect((await holdfast('location', 'get', 'store-99')).out).toMatch(/^transitHours +\{"dc.1":18\}$/m);
  expect((await holdfast('location', 'list')).out).toMatch(/^store-99 +3pl +Leeds 2 +0 +0 +0$/m);
});

it.each([
  [['policy', 'set', 'x', '*', 'safetyStock'], 'is not of the form field=value'],
  [['policy', 'set', 'x', '*', 'safetyStock=lots'], 'safetyStock must be a whole number'],
  [['location', 'set', 'x', 'kind=shop'], 'kind must be one of store, dc, 3pl, dropship'],
  [['policy', 'get', 'x'], "missing required argument 'location'"],
])('%j is wrong usage', async (args, message) => {
  const { code, err } = await holdfast(...args);
  expect([code, err]).toEqual([2, expect.stringContaining(message)]);
});

it('passes a field that the node does not know on, and shows what the node says', async () => {
  const { code, err } = await holdfast('policy', 'set', 'x', '*', 'safetystock=1');
  expect([code, err]).toEqual([1, expect.stringContaining('did you mean safetyStock?')]);
});
