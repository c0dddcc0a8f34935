/** `holdfast node`: runs one node until a signal ends it. */

import { armFailpoint } from '../../config/failpoints.ts';
import { loadSettings } from '../../config/load-settings.ts';
import type { SettingFlags } from '../../config/settings.ts';
import { LimitedLog } from '../process/limited-log.ts';
import { createLog } from '../process/log.ts';
import { startNode, UNSIGNED_SNAPSHOTS } from './node.ts';
import { isChildNode, parentGone, reportToParent } from './parent-channel.ts';
import { catchStrayErrors } from './stray-errors.ts';

/** Resolves with the exit code. Rejects with a SettingError for a wrong setting. */
export async function runNode(flags: SettingFlags): Promise<number> {
  const settings = loadSettings(flags, process.env);
  armFailpoint(process.env.HOLDFAST_FAILPOINT);
  const log = createLog({ level: settings.logLevel, name: settings.name });
  // The private Redis of `up` listens to this machine only.
  if (settings.snapshotKey === undefined && !isChildNode()) log.warn({}, UNSIGNED_SNAPSHOTS);
  const ended = Promise.race([signalled(), parentGone()]);
  const starting = startNode(settings, log);
  const node = await Promise.race([starting, ended.then(() => undefined)]);
  if (node === undefined) {
    await starting.then(
      (late) => late.stop(),
      () => undefined,
    );
    return 0;
  }
  log.info({ http: node.http }, 'HTTP listens');
  const silence = reportToParent(node);
  catchStrayErrors(node, new LimitedLog(log));
  const why = await Promise.race([ended.then(() => undefined), node.failed]);
  silence();
  await node.stop();
  log.info({}, 'stopped');
  return why === undefined ? 0 : 1;
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. Takes the place of what bin/holdfast.js does meanwhile. */
export function signalled(): Promise<void> {
  return new Promise((resolve) => {
    let times = 0;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const before = process.listeners(signal);
      process.on(signal, () => {
        times += 1;
        if (times === 1) resolve();
        else process.exit(1);
      });
      // Never without any: between the last one and the next the signal itself would end the process, or be lost.
      for (const each of before) process.removeListener(signal, each);
    }
  });
}
