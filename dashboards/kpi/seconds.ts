/** Facts in each of the last 60 seconds, by when the stream took them. A chart starts with them. */
const SHOWN = 60;
/** A few more than shown, because the clocks of the nodes and of the stream differ. */
const KEPT = 64;

export class Seconds {
  readonly #counts = new Float64Array(KEPT);
  readonly #seconds = new Float64Array(KEPT);

  add(atMs: number, facts = 1): void {
    const second = Math.floor(atMs / 1000);
    const slot = second % KEPT;
    if ((this.#seconds[slot] as number) > second) return;
    if (this.#seconds[slot] !== second) {
      this.#seconds[slot] = second;
      this.#counts[slot] = 0;
    }
    (this.#counts[slot] as number) += facts;
  }

  /** The last 60 whole seconds, oldest first. */
  read(nowMs: number): number[] {
    const now = Math.floor(nowMs / 1000);
    return Array.from({ length: SHOWN }, (_, index) => {
      const second = now - SHOWN + index;
      const slot = second % KEPT;
      return this.#seconds[slot] === second ? (this.#counts[slot] as number) : 0;
    });
  }

  keep(): [second: number, facts: number][] {
    const kept: [number, number][] = [];
    for (let slot = 0; slot < KEPT; slot++)
      if ((this.#counts[slot] as number) > 0) kept.push([this.#seconds[slot] as number, this.#counts[slot] as number]);
    return kept;
  }

  static load(kept: readonly (readonly [second: number, facts: number])[]): Seconds {
    const seconds = new Seconds();
    for (const [second, facts] of kept) seconds.add(second * 1000, facts);
    return seconds;
  }
}
