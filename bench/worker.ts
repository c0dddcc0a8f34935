/** Entry of a child process of the bench. It performs the jobs that it receives as messages. */
import { serveBareHttp, serveEcho } from './jobs/bare.ts';
import { publishFacts, readFactsBare } from './jobs/facts-stream.ts';
import { closeReaders, openReaders, paceAtp, receiveAll } from './jobs/live.ts';
import { loadFacts, publishAlone } from './jobs/load/facts-ingress.ts';
import { loadHttp } from './jobs/load/load-http.ts';
import { loadNats } from './jobs/load/load-nats.ts';
import { loadPostgres, preparePostgres } from './jobs/load/load-postgres.ts';
import { loadRedisLua } from './jobs/load/load-redis.ts';
import { foldFacts, measureActors, measureHolds, parseFacts } from './jobs/machine.ts';
import { awaitFacts, cpuMicros, memoryUsed, startHoldfast, stopHoldfast, unitsHeld } from './jobs/node.ts';
import { loadSnapshots, readSnapshotsRaw, writeSnapshots } from './jobs/snapshots.ts';

const jobs = {
  awaitFacts,
  closeReaders,
  cpuMicros,
  foldFacts,
  loadFacts,
  loadHttp,
  loadNats,
  loadPostgres,
  loadRedisLua,
  loadSnapshots,
  measureActors,
  measureHolds,
  memoryUsed,
  openReaders,
  paceAtp,
  parseFacts,
  preparePostgres,
  publishAlone,
  publishFacts,
  readFactsBare,
  readSnapshotsRaw,
  receiveAll,
  serveBareHttp,
  serveEcho,
  startHoldfast,
  stopHoldfast,
  unitsHeld,
  writeSnapshots,
};
export type Jobs = typeof jobs;
export type JobName = keyof Jobs;

process.on('message', (message) => {
  const { id, name, options } = message as { id: number; name: JobName; options: unknown[] };
  const job = jobs[name] as (...given: unknown[]) => Promise<unknown>;
  job(...options).then(
    (result) => process.send?.({ id, result }),
    (error: unknown) =>
      process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
// A worker has nothing to do without its bench. An orderly exit lets --cpu-prof write its profile.
process.on('disconnect', () => process.exit(0));
