/**
 * The project's own folder of server programs: FOLDER/nats and FOLDER/redis, each the unpacked tree of its packages.
 *
 * Invariants:
 *  UP1 FOLDER/KIND appears by one rename of a tree whose program has already been run, so it is whole or absent.
 *  UP2 Two processes may fetch at once without harm, because the rename decides and the loser takes the winner's tree.
 *     The lock only saves the second download. It may be broken if its owner is dead or no longer touches it.
 */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EXECUTABLE, type ServerKind } from './kind.ts';
import { type Trial, tryProgram } from './program.ts';

const LOCK_POLL_MS = 200;
const LOCK_TOUCH_MS = 2_000;
/** A lock that its owner has not touched for this long counts as abandoned. */
const LOCK_STALE_MS = 15_000;

/** The program in FOLDER/KIND, if there is an accepted one. */
export async function tryUnpacked(kind: ServerKind, folder: string): Promise<Trial> {
  const tree = join(folder, kind);
  if (!existsSync(tree)) return { refused: `nothing in ${tree}` };
  return tryTree(kind, tree);
}

/** The program in an unpacked tree, with the tree's own libraries. */
export async function tryTree(kind: ServerKind, tree: string): Promise<Trial> {
  const places = ['usr/sbin', 'usr/bin', 'sbin', 'bin'].map((place) => join(tree, place, EXECUTABLE[kind]));
  const path = places.find((place) => existsSync(place));
  if (!path) return { refused: `no ${EXECUTABLE[kind]} in ${tree}` };
  const libraries = libraryFolders(tree);
  return tryProgram(kind, path, libraries.length === 0 ? {} : { LD_LIBRARY_PATH: libraries.join(':') });
}

/**
 * Moves a proven tree to its place and returns the program there, which may be that of another process's equal tree
 * (UP1).
 */
export async function settle(kind: ServerKind, tree: string, folder: string): Promise<Trial> {
  const place = join(folder, kind);
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      renameSync(tree, place);
      return tryTree(kind, place);
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
    const there = await tryTree(kind, place);
    if ('program' in there) return there;
    // The tree there is not accepted (below a newer floor, or damaged). Move it aside, out of the way of others.
    const aside = `${tree}.old${attempt}`;
    try {
      renameSync(place, aside);
    } catch {
      continue;
    }
    rmSync(aside, { recursive: true, force: true });
  }
  return { refused: `${place} could not be replaced` };
}

/** Runs `work` while holding the folder's lock (FD3). */
export async function withLock<T>(folder: string, report: (line: string) => void, work: () => Promise<T>): Promise<T> {
  mkdirSync(folder, { recursive: true });
  const lock = join(folder, 'fetch.lock');
  for (let told = false; !take(lock); told = true) {
    if (!told) report('another process is fetching servers: waiting for it');
    if (isStale(lock)) rmSync(lock, { recursive: true, force: true });
    else await pause(LOCK_POLL_MS);
  }
  const touch = setInterval(() => {
    const now = new Date();
    try {
      utimesSync(lock, now, now);
    } catch {
      // Another process believed us dead and broke the lock; settle() keeps the result right.
    }
  }, LOCK_TOUCH_MS);
  try {
    return await work();
  } finally {
    clearInterval(touch);
    rmSync(lock, { recursive: true, force: true });
  }
}

function take(lock: string): boolean {
  try {
    writeFileSync(lock, `${process.pid}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (isTaken(error)) return false;
    throw error;
  }
}

function isStale(lock: string): boolean {
  try {
    return Date.now() - statSync(lock).mtimeMs > LOCK_STALE_MS;
  } catch {
    return false;
  }
}

// These codes mean that another process was first (UP2).
function isTaken(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EEXIST' || code === 'ENOTEMPTY' || code === 'EPERM';
}

function libraryFolders(tree: string): string[] {
  const found: string[] = [];
  for (const base of ['usr/lib', 'lib']) {
    const folder = join(tree, base);
    if (!existsSync(folder)) continue;
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (!entry.isDirectory() || !/-linux-/.test(entry.name)) continue;
      const inside = join(folder, entry.name);
      if (readdirSync(inside).some((name) => name.includes('.so'))) found.push(inside);
    }
  }
  return found;
}
