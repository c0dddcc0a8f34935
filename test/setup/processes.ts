/** After a test file's last test: the nodes and servers that it started are ended, and their folders removed. */
import { afterAll } from 'vitest';
import { endNodes } from '../../harness/processes/node-process.ts';
import { endPrometheus } from '../../harness/servers/prometheus.ts';
import { endServers } from '../../harness/servers/servers.ts';

afterAll(async () => {
  endNodes();
  endPrometheus();
  await endServers();
});
