/** Finds the folder with all the real data, which is not part of the repository. Only one month is shipped. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../../src/process/package-root.ts';

/** The shipped month. */
export const SHIPPED_MONTH = join(packageRoot(), 'config', 'demo', 'online-retail-2010-12.csv.gz');

/**
 * The folder named by HOLDFAST_DATA or beside the repository, or undefined. `up` also keeps its servers' data in HOLDFAST_DATA, so a folder
 * counts only if it holds the data set.
 */
export function dataFolder(): string | undefined {
  const candidates = [process.env.HOLDFAST_DATA, join(packageRoot(), '..', 'shared', 'data')];
  return candidates.find((folder) => folder !== undefined && existsSync(join(folder, 'online-retail')));
}

/** The file of a month, or undefined. */
export function monthFile(month: string): string | undefined {
  const folder = dataFolder();
  const file = folder === undefined ? undefined : join(folder, 'online-retail', `online-retail-${month}.csv.gz`);
  if (file !== undefined && existsSync(file)) return file;
  return SHIPPED_MONTH.includes(month) ? SHIPPED_MONTH : undefined;
}

/** The sample of complete-journey, or undefined. */
export function journeyFile(): string | undefined {
  const folder = dataFolder();
  const file = folder === undefined ? undefined : join(folder, 'complete-journey', 'transactions_sample.csv.gz');
  return file !== undefined && existsSync(file) ? file : undefined;
}
