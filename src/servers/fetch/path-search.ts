/** Finds the executable files of a name on PATH, in PATH's order. */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/**
 * Searches sbin too, because Debian keeps servers there and not every user's PATH has it. An empty PATH finds
 * nothing.
 */
export function executables(name: string, env: NodeJS.ProcessEnv): string[] {
  const path = env.PATH ?? env.Path ?? '';
  if (path === '') return [];
  const folders = path.split(delimiter).filter((folder) => isAbsolute(folder));
  if (process.platform !== 'win32') folders.push('/usr/local/sbin', '/usr/sbin');
  const file = process.platform === 'win32' ? `${name}.exe` : name;
  return [...new Set(folders)].map((folder) => join(folder, file)).filter(isExecutableFile);
}

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
