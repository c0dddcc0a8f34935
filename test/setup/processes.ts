/** Ends the nodes and servers that a test file started, and removes their folders, after its last test. */
import { afterAll } from 'vitest';
import { endNodes } from '../../harness/processes/node-process.ts';
import { endPrometheus } from '../../harness/servers/prometheus.ts';
import { endServers } from '../../harness/servers/servers.ts';

afterAll(async () => {
  endNodes();
  endPrometheus();
  await endServers();
});
