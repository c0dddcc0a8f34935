/**
 * A fault scenario. Each one is a file under scenarios/ and is listed in catalogue.ts.
 *
 * Invariants:
 *  FS1 A scenario judges by the answers that clients got and by what the program reports at the end, never by its internals.
 *  FS2 A scenario that a machine cannot run is skipped with a reason, never silently.
 */
import type { Rig } from './rig/rig.ts';

export interface Run {
  readonly rig: Rig;
  /** How often the fault is injected. */
  readonly trials: number;
  /** Number of the first trial. A trial's number is the seed of its random choices, so a failed trial can be repeated. */
  readonly first: number;
  /** Duration of scenarios that last for a time instead of counting trials. */
  readonly minutes: number;
  /** Names of the attacks of the hostile scenario. An empty list means all. */
  readonly attacks: readonly string[];
  /** Reports progress to the person who watches. */
  readonly say: (line: string) => void;
}

export interface Outcome {
  /** Number of faults injected. */
  readonly trials: number;
  /** Each thing that did not hold, as a sentence (FS1). */
  readonly broken: readonly string[];
  /** Measurements, with the unit in each name. */
  readonly figures: Readonly<Record<string, number | string>>;
}

export interface Scenario {
  readonly name: string;
  readonly injects: string;
  readonly holds: string;
  /** Trials of a whole run, and of the slice that the tests run. */
  readonly trials: number;
  readonly slice: number;
  /** Duration of a whole run, for scenarios that last for a time. */
  readonly minutes?: number;
  /** Returns why this machine cannot run it, or undefined if it can (FS2). */
  readonly lacks?: () => string | undefined;
  readonly run: (run: Run) => Promise<Outcome>;
}
