/**
 * Fetches a server from the system's Debian-like mirror and unpacks it into the project's folder.
 *
 * This works as any user, and on a system whose own package lists are empty, because apt gets its own lists and cache in a folder of
 * this fetch. The packages are unpacked with dpkg-deb, not installed.
 *
 * Invariants:
 *  AP1 apt reads the system's configuration (proxies, mirrors, keyrings) and writes nothing that is the system's. Its lists, cache and
 *     log belong to the fetch, and hooks that a system may run after an update are cleared.
 *  AP2 A tree is handed on only after its program has been run and has reported an accepted version.
 */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type AptSource, readAptSources, showAptSource } from './apt-sources.ts';
import { type CommandOutcome, run } from './command.ts';
import { EXECUTABLE, type ServerKind } from './kind.ts';
import type { Trial } from './program.ts';
import { settle, tryTree, tryUnpacked, withLock } from './unpacked.ts';

const UPDATE_LIMIT_MS = 240_000;
const DOWNLOAD_LIMIT_MS = 240_000;
const UNPACK_LIMIT_MS = 60_000;

/** Packages downloaded by name. The shared libraries that they need and the system does not have come along. */
const PACKAGES: Readonly<Record<ServerKind, readonly string[]>> = {
  nats: ['nats-server'],
  redis: ['redis-server', 'redis-tools'],
};

export interface AptFetch {
  readonly folder: string;
  readonly report: (line: string) => void;
  /** The path of a tool on PATH; undefined if it is not there. */
  readonly tool: (name: string) => string | undefined;
  readonly etcApt?: string;
}

export interface AptTools {
  readonly aptGet: string;
  readonly aptCache: string;
  readonly dpkgDeb: string;
  readonly dpkgQuery: string;
}

export async function fetchFromApt(kind: ServerKind, fetch: AptFetch): Promise<Trial> {
  const tools = findTools(fetch.tool);
  if (!tools) return { refused: 'no Debian-like system: apt-get, apt-cache, dpkg-deb and dpkg-query are not all here' };
  const candidates = candidateSources(kind, readAptSources(fetch.etcApt), osRelease());
  if (candidates.length === 0) return { refused: 'the apt sources name no mirror of the distribution' };
  const folder = resolve(fetch.folder);
  return withLock(folder, fetch.report, async () => {
    const there = await tryUnpacked(kind, folder);
    if ('program' in there) return there;
    const refusals: string[] = [];
    for (const sources of candidates) {
      const suites = [...new Set(sources.flatMap((source) => source.suites))].join(', ');
      fetch.report(`${EXECUTABLE[kind]}: fetching the package from ${suites}`);
      const fetched = await fetchInto(kind, folder, sources, tools);
      if ('program' in fetched) {
        fetch.report(`${EXECUTABLE[kind]}: ${fetched.program.version} unpacked in ${folder}`);
        return fetched;
      }
      refusals.push(`apt (${suites}): ${fetched.refused}`);
    }
    return { refused: refusals.join('; ') };
  });
}

/**
 * Returns the sources to ask, the best first. For nats-server these are the distribution's newest suite, because releases carry old
 * versions, and then the system's own. For redis-server only the system's own are asked, because their libraries fit.
 */
export function candidateSources(
  kind: ServerKind,
  system: readonly AptSource[],
  os: Readonly<Record<string, string>>,
): AptSource[][] {
  const codename = os.VERSION_CODENAME ?? '';
  const names = [codename, os.DEBIAN_CODENAME, os.UBUNTU_CODENAME, 'stable', 'testing', 'unstable', 'sid'];
  const bases = names.filter((name) => name !== undefined && name !== '');
  const isOwn = (suite: string) => bases.some((base) => suite === base || suite.startsWith(`${base}-`));
  const own = system
    .filter((source) => source.components.includes('main') && source.uris.some((uri) => !uri.startsWith('cdrom:')))
    .map((source) => ({ ...source, suites: source.suites.filter(isOwn) }))
    .filter((source) => source.suites.length > 0);
  if (own.length === 0) return [];
  if (kind === 'redis') return [own];

  const main = own.find((source) => source.suites.some((suite) => bases.includes(suite)));
  if (!main) return [own];
  const isUbuntu = os.ID === 'ubuntu' || os.UBUNTU_CODENAME !== undefined;
  const newest = isUbuntu
    ? { ...main, suites: ['devel'], components: ['main', 'universe'] }
    : { ...main, suites: ['unstable'], components: ['main'] };
  return [[newest], own];
}

// The program in the tree is run before the tree is settled in the folder (AP2).
async function fetchInto(
  kind: ServerKind,
  folder: string,
  sources: readonly AptSource[],
  tools: AptTools,
): Promise<Trial> {
  const work = mkdtempSync(join(folder, `fetch-${kind}-`));
  try {
    const unpacked = await unpackPackages(PACKAGES[kind], work, sources, tools);
    if ('refused' in unpacked) return unpacked;
    const proven = await tryTree(kind, unpacked.tree);
    return 'program' in proven ? await settle(kind, unpacked.tree, folder) : proven;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Downloads packages by name, with the shared libraries that they need and the system does not have, and unpacks all into one tree.
 * @param work an empty folder, in which the tree is made
 */
export async function unpackPackages(
  names: readonly string[],
  work: string,
  sources: readonly AptSource[],
  tools: AptTools,
): Promise<{ readonly tree: string } | { readonly refused: string }> {
  const config = writeAptConfig(work, sources);
  const apt = (file: string, args: readonly string[], timeoutMs: number) =>
    run(file, [`-c=${config}`, '-q', ...args], { cwd: work, env: { ...process.env, LC_ALL: 'C' }, timeoutMs });

  const updated = await apt(tools.aptGet, ['update'], UPDATE_LIMIT_MS);
  if (!updated.ok) return { refused: `update: ${updated.why}` };
  const depends = await apt(tools.aptCache, ['depends', '--recurse', ...names], UNPACK_LIMIT_MS);
  if (!depends.ok) return { refused: `depends: ${depends.why}` };
  const libraries = neededLibraries(names, depends.stdout, await installedPackages(tools));
  const downloaded = await apt(tools.aptGet, ['download', ...names, ...libraries], DOWNLOAD_LIMIT_MS);
  if (!downloaded.ok) return { refused: `download: ${downloaded.why}` };

  const tree = join(work, 'tree');
  const unpacked = await unpack(work, tree, tools);
  return unpacked.ok ? { tree } : { refused: `unpack: ${unpacked.why}` };
}

async function unpack(work: string, tree: string, tools: AptTools): Promise<CommandOutcome> {
  const packages = readdirSync(work).filter((name) => name.endsWith('.deb'));
  for (const name of packages) {
    const unpacked = await run(tools.dpkgDeb, ['-x', join(work, name), tree], { timeoutMs: UNPACK_LIMIT_MS });
    if (!unpacked.ok) return unpacked;
  }
  return { ok: true, stdout: '' };
}

/** Writes an apt configuration for this fetch alone. apt reads it after the system's, so proxies and the like stay in force (AP1). */
function writeAptConfig(work: string, sources: readonly AptSource[]): string {
  for (const name of ['lists/partial', 'cache/archives/partial', 'sources.d', 'empty', 'log']) {
    mkdirSync(join(work, name), { recursive: true });
  }
  writeFileSync(join(work, 'sources.d', 'holdfast.sources'), sources.map(showAptSource).join('\n'));
  const at = (name: string) => JSON.stringify(join(work, name));
  const config = join(work, 'apt.conf');
  writeFileSync(
    config,
    [
      'Dir::Etc::sourcelist "/dev/null";',
      `Dir::Etc::sourceparts ${at('sources.d')};`,
      'Dir::Etc::preferences "/dev/null";',
      `Dir::Etc::preferencesparts ${at('empty')};`,
      `Dir::State::lists ${at('lists')};`,
      `Dir::Cache ${at('cache')};`,
      `Dir::Log ${at('log')};`,
      'APT::Sandbox::User "root";',
      'APT::Get::List-Cleanup "true";',
      'Acquire::Languages { "none"; };',
      'Acquire::Retries "2";',
      '#clear APT::Update::Pre-Invoke;',
      '#clear APT::Update::Post-Invoke;',
      '#clear APT::Update::Post-Invoke-Success;',
      '',
    ].join('\n'),
  );
  return config;
}

/**
 * Follows the output of "depends --recurse" from the packages along libraries only. Leaves out what the system has, scripts for
 * browsers, and libc itself, because a second libc beside the system's loader would not start.
 */
export function neededLibraries(roots: readonly string[], depends: string, installed: ReadonlySet<string>): string[] {
  const edges = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of depends.split('\n')) {
    const name = /^([a-z0-9][a-z0-9+.-]*)(?::\w+)?$/.exec(line)?.[1];
    if (name !== undefined) {
      current = [];
      edges.set(name, current);
    } else {
      const target = /^[ |]{1,2}(?:Pre)?Depends: ([a-z0-9][a-z0-9+.-]*)/.exec(line)?.[1];
      if (target !== undefined) current.push(target);
    }
  }
  const needed = new Set<string>();
  const visit = (name: string): void => {
    for (const next of edges.get(name) ?? []) {
      if (
        !next.startsWith('lib') ||
        /^libc6|^libc-|^libgcc|^libjs-/.test(next) ||
        installed.has(next) ||
        needed.has(next)
      )
        continue;
      if (!edges.has(next)) continue;
      needed.add(next);
      visit(next);
    }
  };
  for (const root of roots) visit(root);
  return [...needed];
}

async function installedPackages(tools: AptTools): Promise<Set<string>> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const query = ['-W', '-f', '${db:Status-Abbrev} ${Package}\\n'];
  const listed = await run(tools.dpkgQuery, query, { timeoutMs: UNPACK_LIMIT_MS });
  if (!listed.ok) return new Set();
  return new Set(listed.stdout.split('\n').flatMap((line) => /^ii\S*\s+(\S+)/.exec(line)?.[1] ?? []));
}

/** Finds the tools that a fetch needs; undefined on a system that is not Debian-like. */
export function findTools(tool: AptFetch['tool']): AptTools | undefined {
  const [aptGet, aptCache] = [tool('apt-get'), tool('apt-cache')];
  const [dpkgDeb, dpkgQuery] = [tool('dpkg-deb'), tool('dpkg-query')];
  return aptGet && aptCache && dpkgDeb && dpkgQuery ? { aptGet, aptCache, dpkgDeb, dpkgQuery } : undefined;
}

export function osRelease(): Record<string, string> {
  const fields: Record<string, string> = {};
  let text = '';
  try {
    text = readFileSync('/etc/os-release', 'utf8');
  } catch {
    return fields;
  }
  for (const line of text.split('\n')) {
    const field = /^([A-Z_]+)="?([^"]*)"?$/.exec(line);
    if (field) fields[field[1] ?? ''] = field[2] ?? '';
  }
  return fields;
}
