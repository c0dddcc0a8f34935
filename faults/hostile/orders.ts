/** Messages between the scenario and the attackers' process. */
import type { Target } from './attack.ts';

export interface Order {
  readonly attack: string;
  readonly seed: number;
  /** Duration in milliseconds. 0 only prepares the attack. */
  readonly ms: number;
  readonly target: Target;
}
/** Sent when an attack is over. */
export interface Told {
  readonly attack: string;
  /** Answers that the attack must never get, each once. */
  readonly wrong: readonly string[];
  /** Why the attacker could not go on. */
  readonly failed?: string;
}
