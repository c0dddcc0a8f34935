/** `holdfast node` runs one node until a signal ends it, its parent goes away, or it fails. */

import { armFailpoint } from '../../config/failpoints.ts';
import { loadSettings } from '../../config/load-settings.ts';
import type { SettingFlags } from '../../config/settings.ts';
import { LimitedLog } from '../process/limited-log.ts';
import { createLog } from '../process/log.ts';
import { startNode, UNSIGNED_SNAPSHOTS } from './node.ts';
import { isChildNode, parentGone, reportToParent } from './parent-channel.ts';
import { catchStrayErrors } from './stray-errors.ts';

/** Resolves with the exit code. Rejects with a SettingError if a setting is wrong. */
export async function runNode(flags: SettingFlags): Promise<number> {
  const settings = loadSettings(flags, process.env);
  armFailpoint(process.env.HOLDFAST_FAILPOINT);
  const log = createLog({ level: settings.logLevel, name: settings.name });
  // A child of `up` is not warned, because the private Redis of `up` accepts connections from this machine only.
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

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. Replaces the handlers that bin/holdfast.js installed. */
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
      // The old handlers go last. Without any handler, a signal at this moment would kill the process.
      for (const each of before) process.removeListener(signal, each);
    }
  });
}
