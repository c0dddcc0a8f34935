/** What the scenario and its attackers, which are a process of their own, tell each other. */
import type { Target } from './attack.ts';

export interface Order {
  readonly attack: string;
  readonly seed: number;
  /** How long it goes on; 0: it is only prepared. */
  readonly ms: number;
  readonly target: Target;
}
/** Sent when an attack is over. */
export interface Told {
  readonly attack: string;
  /** What it was answered and must not be, each once. */
  readonly wrong: readonly string[];
  /** What went wrong for the attacker. */
  readonly failed?: string;
}
