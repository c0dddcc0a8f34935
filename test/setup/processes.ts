/** After a test file's last test: the nodes and servers that it started are ended, and their folders removed. */
import { afterAll } from 'vitest';
import { endNodes } from '../fixtures/node-process.ts';
import { endPrometheus } from '../fixtures/prometheus.ts';
import { endServers } from '../fixtures/servers.ts';

afterAll(async () => {
  endNodes();
  endPrometheus();
  await endServers();
});
