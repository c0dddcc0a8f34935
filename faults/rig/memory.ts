/** Resident memory of a process over time. */
import { readFileSync } from 'node:fs';

/** Resident memory in MiB, or undefined if the process does not run. */
export function residentMib(pid: number): number | undefined {
  try {
    const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kib === undefined ? undefined : Number(kib) / 1024;
  } catch {
    return undefined;
  }
}

/** Samples immediately and then periodically until it is stopped, so there is a sample from the start. */
export class MemorySampler {
  readonly samples: { readonly atMs: number; readonly mib: number }[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(pid: () => number, everyMs: number) {
    const sample = () => {
      const mib = residentMib(pid());
      if (mib !== undefined) this.samples.push({ atMs: performance.now(), mib });
    };
    sample();
    this.#timer = setInterval(sample, everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  get most(): number {
    return Math.max(...this.samples.map(({ mib }) => mib));
  }

  /** Slope in MiB per hour, by least squares. The first `warmUp` fraction of the samples is left out. */
  slopePerHour(warmUp: number): number {
    const kept = this.samples.slice(Math.floor(this.samples.length * warmUp));
    const meanAt = kept.reduce((sum, { atMs }) => sum + atMs, 0) / kept.length;
    const meanMib = kept.reduce((sum, { mib }) => sum + mib, 0) / kept.length;
    const rise = kept.reduce((sum, { atMs, mib }) => sum + (atMs - meanAt) * (mib - meanMib), 0);
    const run = kept.reduce((sum, { atMs }) => sum + (atMs - meanAt) ** 2, 0);
    return (rise / run) * 3_600_000;
  }
}
