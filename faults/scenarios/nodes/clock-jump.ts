/** The system clock of a running node jumps forwards and backwards by an hour and by a day. Holds must still last as long as promised. */
import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { ask, askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { findFaketime, JumpingClock } from '../../rig/faketime.ts';
import type { Outcome, Run, Scenario } from '../../scenario.ts';

export const clockJump: Scenario = {
  name: 'clock-jump',
  injects: 'wall clock of a running node set by +1 h, −1 h, +1 d, −1 d (libfaketime)',
  holds: 'no hold ends early by more than 0.1 s, none later than 2 s after its time',
  trials: 8,
  slice: 2,
  lacks: () => (process.platform === 'linux' ? undefined : 'libfaketime is for Linux'),
  run: jumpClock,
};

const JUMPS_SECONDS = [86_400, -86_400, 3_600, -3_600];
const TTL_SECONDS = 3;

async function jumpClock({ rig, trials, say }: Run): Promise<Outcome> {
  const library = findFaketime(rig);
  if (library === undefined) throw new Error('libfaketime cannot be had: apt-get download libfaketime fails');
  const clock = new JumpingClock(rig, library);
  clock.jump(7_200);
  const seen = execFileSync(process.execPath, ['-p', 'Date.now()'], { env: { ...process.env, ...clock.env } });
  if (Math.abs(Number(seen) - Date.now() - 7_200_000) > 60_000)
    throw new Error('libfaketime does not move the clock of Node.js');
  clock.jump(0);
  const servers = await rig.servers();
  const node = await rig.node(servers, { env: clock.env });
  await node.up();
  const url = () => node.url;
  const receipt = {
    id: 'r',
    type: 'receipt',
    sku: 'C',
    location: 'x',
    qty: 1_000,
    occurredAt: new Date().toISOString(),
  };
  await askUntilDecided(url, 'POST', '/v1/facts', receipt);
  const broken: string[] = [];
  const lasted: number[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const jump = JUMPS_SECONDS[trial % JUMPS_SECONDS.length] as number;
    const long = await ask(node.url, 'POST', '/v1/reservations', {
      id: `long-${trial}`,
      ttlSeconds: 1_800,
      lines: [{ sku: 'C', qty: 1 }],
    });
    const began = performance.now();
    const short = await ask(node.url, 'POST', '/v1/reservations', {
      id: `short-${trial}`,
      ttlSeconds: TTL_SECONDS,
      lines: [{ sku: 'C', qty: 1 }],
    });
    if (long.status !== 201 || short.status !== 201) throw new Error(`holds: ${long.status} ${short.status}`);
    clock.jump(jump);
    let status = 'held';
    while (status === 'held' && performance.now() - began < TTL_SECONDS * 1000 + 5_000) {
      await delay(20);
      status = (await askUntilDecided(url, 'GET', `/v1/reservations/short-${trial}`)).body.status;
    }
    const ms = performance.now() - began;
    lasted.push(ms);
    if (status !== 'expired' || ms < TTL_SECONDS * 1000 - 100 || ms > TTL_SECONDS * 1000 + 2_000)
      broken.push(`jump of ${jump} s: a hold of ${TTL_SECONDS} s is ${status} after ${Math.round(ms)} ms`);
    const still = (await askUntilDecided(url, 'GET', `/v1/reservations/long-${trial}`)).body.status;
    if (still !== 'held') broken.push(`jump of ${jump} s: a hold of 30 min is ${still}`);
    clock.jump(0);
    say(`${jump} s: a hold of ${TTL_SECONDS} s lasted ${Math.round(ms)} ms`);
  }
  return {
    trials,
    broken,
    figures: { 'holds of 3 s lasted': `${Math.round(Math.min(...lasted))}–${Math.round(Math.max(...lasted))} ms` },
  };
}
