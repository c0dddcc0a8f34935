/** Keys of a bucket on a real nats-server: what comes late must not stand in place of what was said since. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freshNats } from '../../../harness/servers/servers.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import type { NatsKeys } from '../../../streams/nats/keys.ts';

let broker: NatsBroker;
let keys: NatsKeys;

beforeAll(async () => {
  broker = await NatsBroker.connect((await freshNats()).url, 'keys');
  keys = await broker.keys('test-keys', { ttlMs: 60_000, replicas: 1 });
});
afterAll(() => broker.close());

it('writes over, and deletes, the revision that is expected and no other', async () => {
  const first = await keys.put('n1', 'one', 0);
  const second = await keys.put('n1', 'two', first);
  await expect(keys.put('n1', 'late', first)).rejects.toMatchObject({ kind: 'conflict' });
  await expect(keys.put('n1', 'new', 0)).rejects.toMatchObject({ kind: 'conflict' });
  await expect(keys.delete('n1', first)).rejects.toMatchObject({ kind: 'conflict' });
  expect(await keys.get('n1')).toMatchObject({ value: 'two', revision: second });
  await keys.delete('n1', second);
  expect(await keys.get('n1')).toBe(undefined);
  await expect(keys.put('n1', 'late', second)).rejects.toMatchObject({ kind: 'conflict' });
  expect(await keys.put('n1', 'three', 0)).toBeGreaterThan(second);
  expect((await keys.all()).map(({ key, value }) => [key, value])).toEqual([['n1', 'three']]);
});
