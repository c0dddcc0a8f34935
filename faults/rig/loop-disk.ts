/**
 * A small disk in a file, mounted: what is on it after a power cut is what had reached the file when the power went.
 *
 * A cut copies the file while the file system is mounted and its writers stand still: what they wrote but did not sync is in the
 * kernel's cache of the inner file system, and not in the copy. The copy takes the place of the disk.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, renameSync } from 'node:fs';
import type { Rig } from './rig.ts';

const MEBIBYTES = 96;

/** Why no disk in a file can be had here. */
export function lacksLoopDisk(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'mounting a disk needs Linux and root';
  if (spawnSync('mkfs.ext4', ['-V']).error !== undefined) return 'mkfs.ext4 is not installed';
  return spawnSync('losetup', ['-f']).status === 0 ? undefined : 'this machine has no loop devices';
}

export class LoopDisk {
  readonly folder: string;
  readonly #image: string;
  #mounted = false;

  constructor(rig: Rig, name: string) {
    this.folder = rig.path(name);
    // In memory, so that the speed of this machine's disk does not matter; what is lost is what the inner file system had not written.
    this.#image = rig.memoryPath(`${name}.img`);
    mkdirSync(this.folder);
    execFileSync('truncate', ['-s', `${MEBIBYTES}M`, this.#image]);
    execFileSync('mkfs.ext4', ['-q', '-F', this.#image]);
    this.mount();
    rig.defer(() => this.unmount());
  }

  mount(): void {
    execFileSync('mount', ['-o', 'loop', this.#image, this.folder]);
    this.#mounted = true;
  }

  unmount(): void {
    if (!this.#mounted) return;
    execFileSync('umount', [this.folder]);
    this.#mounted = false;
  }

  /** What the disk would hold if the power went now. */
  freeze(): void {
    copyFileSync(this.#image, `${this.#image}.cut`);
  }

  /** The power comes back: the disk is what it was when it was frozen. Nothing may be open on it. */
  thaw(): void {
    this.unmount();
    renameSync(`${this.#image}.cut`, this.#image);
    this.mount();
  }
}
