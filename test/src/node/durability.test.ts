/** The durability of the promise is read from every server of a cluster. */

import { beforeAll, describe, expect, it } from 'vitest';
import { loadSettings } from '../../../config/load-settings.ts';
import { NatsCluster } from '../../../harness/servers/nats-cluster.ts';
import { freshNats } from '../../../harness/servers/servers.ts';
import { checkDurability } from '../../../src/node/durability.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';

async function durabilityOf(nats: string, natsMonitor: string, durability: 'strict' | 'relaxed' = 'strict') {
  const broker = await NatsBroker.connect(nats, 'durability');
  try {
    return await checkDurability(broker, loadSettings({ nats, natsMonitor, durability, replicas: '3' }, {}));
  } finally {
    await broker.close();
  }
}

describe('one server', () => {
  it('that syncs always is proven, by its monitoring address alone', async () => {
    const { url, monitorUrl = '' } = await freshNats();
    expect(await durabilityOf(url, monitorUrl)).toMatchObject({ level: 'proven' });
    const nowhere = 'http://127.0.0.1:9';
    expect(await durabilityOf(url, nowhere, 'relaxed')).toMatchObject({ level: 'relaxed' });
    await expect(durabilityOf(url, nowhere)).rejects.toThrow(/strict, but the server's setting cannot be read/);
  });

  it('that acknowledges first is refused by strict', async () => {
    const { url, monitorUrl = '' } = await freshNats({ config: { syncInterval: '2m' } });
    await expect(durabilityOf(url, monitorUrl)).rejects.toThrow(/the server acknowledges before it syncs to disk/);
  });
});

describe('a cluster', () => {
  let cluster: NatsCluster;
  const monitors = (...indexes: number[]) => indexes.map((i) => cluster.servers[i]?.monitorUrl).join(',');

  it('of which one server acknowledges first is refused, whichever is asked first', async () => {
    cluster = await NatsCluster.start(['always', 'always', '2m']);
    for (const order of [monitors(0, 1, 2), monitors(2, 1, 0)]) {
      await expect(durabilityOf(cluster.url, order)).rejects.toThrow(
        `strict, but ${cluster.servers[2]?.monitorUrl} acknowledges before it syncs to disk`,
      );
    }
    expect((await durabilityOf(cluster.url, monitors(0, 1, 2), 'relaxed')).level).toBe('relaxed');
  });

  describe('that syncs always', () => {
    beforeAll(async () => {
      cluster = await NatsCluster.start();
    });

    it('is proven by all of its servers, not by some', async () => {
      expect(await durabilityOf(cluster.url, monitors(0, 1, 2))).toEqual({
        level: 'proven',
        says: expect.stringContaining('(3 copies, 3 servers sync always)'),
      });
      await expect(durabilityOf(cluster.url, monitors(1))).rejects.toThrow(
        'the cluster has 3 servers and NATS_MONITOR_URL names 1',
      );
      await expect(durabilityOf(cluster.url, monitors(1, 1, 0))).rejects.toThrow(/has 3 servers and .* names 2/);
    });

    it('and has lost one lets a node start, which names the one; not when two are gone', async () => {
      await cluster.servers[0]?.kill();
      const { level, says } = await durabilityOf(cluster.url, monitors(0, 1, 2));
      expect([level, says]).toEqual(['partly', expect.stringContaining(`${monitors(0)} did not answer`)]);
      await cluster.servers[1]?.kill();
      await expect(durabilityOf(cluster.url, monitors(0, 1, 2))).rejects.toThrow(
        /only 1 of the cluster's 3 servers can be read/,
      );
    }, 60_000);
  });
});
