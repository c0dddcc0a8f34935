/** Writes the dashboards' JSON into the given folder. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dashboardFiles } from './boards.ts';

const folder = process.argv[2] ?? '.';
for (const { name, text } of dashboardFiles()) {
  writeFileSync(join(folder, name), text);
  console.log(join(folder, name));
}
