/**
 * The Chromium that tests use. It is the one on PATH, or otherwise the distribution's own package. The package is unpacked in the project's
 * ignored folder, with a font and the libraries that the system is missing. It is never installed.
 *
 * Invariant CP1: FOLDER/chromium appears by one rename of a tree whose program has been run, so it is complete or absent.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../src/process/package-root.ts';
import { candidateSources, findTools, osRelease, unpackPackages } from '../../../src/servers/fetch/apt.ts';
import { readAptSources } from '../../../src/servers/fetch/apt-sources.ts';
import { run } from '../../../src/servers/fetch/command.ts';
import { executables } from '../../../src/servers/fetch/path-search.ts';
import { withLock } from '../../../src/servers/fetch/unpacked.ts';

export interface ChromiumProgram {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const PACKAGES = ['chromium', 'chromium-common', 'fonts-dejavu-core'];

/** Rejects with every attempt made if Chromium is missing and cannot be fetched. */
export async function findChromium(folder = join(packageRoot(), '.servers')): Promise<ChromiumProgram> {
  const onPath = NAMES.flatMap((name) => executables(name, process.env))[0];
  if (onPath !== undefined) return { path: onPath, env: {} };
  const place = join(folder, 'chromium');
  if (existsSync(place)) return programOf(place);
  mkdirSync(folder, { recursive: true });
  return withLock(folder, console.log, async () => (existsSync(place) ? programOf(place) : fetchInto(folder, place)));
}

// The folder appears by one rename, after the program has run (CP1).
async function fetchInto(folder: string, place: string): Promise<ChromiumProgram> {
  const tools = findTools((name) => executables(name, process.env)[0]);
  // Uses the system's own suites, as for redis-server, so that the libraries fit.
  const sources = candidateSources('redis', readAptSources(), osRelease())[0];
  if (tools === undefined || sources === undefined) {
    throw new Error('no Chromium on PATH, and no Debian-like system to fetch it from: install chromium');
  }
  console.log('chromium: fetching the package and what it needs');
  const work = mkdtempSync(join(folder, 'fetch-chromium-'));
  try {
    const unpacked = await unpackPackages(PACKAGES, work, sources, tools);
    if ('refused' in unpacked) throw new Error(`no Chromium on PATH, and it cannot be fetched: ${unpacked.refused}`);
    const { path, env } = programOf(unpacked.tree);
    const proven = await run(path, ['--version'], { env: { ...process.env, ...env }, timeoutMs: 30_000 });
    if (!proven.ok) throw new Error(`the fetched Chromium does not run: ${proven.why}`);
    renameSync(unpacked.tree, place);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return programOf(place);
}

/**
 * Debian's /usr/bin/chromium is a script for the installed program. This is the program itself, with the paths of its libraries and fonts.
 */
function programOf(tree: string): ChromiumProgram {
  const libraries = ['usr/lib', 'lib'].flatMap((base) => {
    const folder = join(tree, base);
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => name.includes('-linux-'))
      .flatMap((name) => ['', 'pulseaudio', 'nss'].map((inside) => join(folder, name, inside)))
      .filter((each) => existsSync(each));
  });
  const fonts = join(tree, 'fonts.conf');
  if (!existsSync(fonts)) {
    const folders = [join(tree, 'usr', 'share', 'fonts'), '/usr/share/fonts'];
    writeFileSync(fonts, `<fontconfig>${folders.map((each) => `<dir>${each}</dir>`).join('')}</fontconfig>\n`);
  }
  return {
    path: join(tree, 'usr', 'lib', 'chromium', 'chromium'),
    env: {
      LD_LIBRARY_PATH: libraries.join(':'),
      ...(existsSync('/etc/fonts/fonts.conf') ? {} : { FONTCONFIG_FILE: fonts }),
    },
  };
}
