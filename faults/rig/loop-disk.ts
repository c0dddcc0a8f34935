/**
 * A small disk in a file, mounted. After a power cut it holds what had reached the file when the power failed.
 *
 * A cut copies the file while it is mounted and its writers are paused. Writes that were not synced are still in the kernel's cache of the
 * inner file system, so the copy does not have them. The copy then replaces the disk.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, renameSync } from 'node:fs';
import type { Rig } from './rig.ts';

const MEBIBYTES = 96;

/** The reason why this machine cannot mount a disk in a file, if there is one. */
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
    // In memory, so that this machine's disk speed does not matter. A cut still loses what the inner file system had not written.
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

  /** Copies what the disk would hold if the power failed now. */
  freeze(): void {
    copyFileSync(this.#image, `${this.#image}.cut`);
  }

  /** Restores the disk as it was when it was frozen. No file on it may be open. */
  thaw(): void {
    this.unmount();
    renameSync(`${this.#image}.cut`, this.#image);
    this.mount();
  }
}
