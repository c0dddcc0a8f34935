/**
 * What a fault scenario is. Every one is a file under scenarios/ and stands in catalogue.ts.
 *
 * Invariants:
 *  FS1 A scenario judges by what clients were told and by what the program says at the end, never by its insides.
 *  FS2 What a machine cannot do is skipped with a reason, never silently.
 */
import type { Rig } from './rig/rig.ts';

export interface Run {
  readonly rig: Rig;
  /** How often the fault is injected. */
  readonly trials: number;
  /** Number of the first trial, which is the seed of its chance: one that went wrong can be injected again. */
  readonly first: number;
  /** Length of those that last a time instead of counting trials. */
  readonly minutes: number;
  /** Names of the attacks that the hostile scenario makes; all if there are none. */
  readonly attacks: readonly string[];
  /** Tells whoever watches how far it is. */
  readonly say: (line: string) => void;
}

export interface Outcome {
  /** Faults that were injected. */
  readonly trials: number;
  /** What did not hold, a sentence each; none: all held (FS1). */
  readonly broken: readonly string[];
  /** What was measured, with its unit in the name. */
  readonly figures: Readonly<Record<string, number | string>>;
}

export interface Scenario {
  readonly name: string;
  readonly injects: string;
  readonly holds: string;
  /** Trials of a whole run, and of the slice that the tests run. */
  readonly trials: number;
  readonly slice: number;
  /** Length of a whole run, of those that last a time. */
  readonly minutes?: number;
  /** Why this machine cannot do it; undefined if it can (FS2). */
  readonly lacks?: () => string | undefined;
  readonly run: (run: Run) => Promise<Outcome>;
}
