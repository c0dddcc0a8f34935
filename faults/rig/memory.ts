/** Resident memory of a process over time. */
import { readFileSync } from 'node:fs';

/** MiB; undefined if it does not run. */
export function residentMib(pid: number): number | undefined {
  try {
    const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kib === undefined ? undefined : Number(kib) / 1024;
  } catch {
    return undefined;
  }
}

/** Samples at once, and then until it is stopped: what is asked for early has one. */
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

  /** Least squares through the samples behind the first fraction, MiB an hour. */
  slopePerHour(warmUp: number): number {
    const kept = this.samples.slice(Math.floor(this.samples.length * warmUp));
    const meanAt = kept.reduce((sum, { atMs }) => sum + atMs, 0) / kept.length;
    const meanMib = kept.reduce((sum, { mib }) => sum + mib, 0) / kept.length;
    const rise = kept.reduce((sum, { atMs, mib }) => sum + (atMs - meanAt) * (mib - meanMib), 0);
    const run = kept.reduce((sum, { atMs }) => sum + (atMs - meanAt) ** 2, 0);
    return (rise / run) * 3_600_000;
  }
}
