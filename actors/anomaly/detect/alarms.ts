/**
 * What detectors of one partition have open. An alarm is an anomaly before people have to do with it.
 *
 * Invariants:
 *  AL1 One alarm per kind and cause. Its id is made of partition, kind and cause alone: the same after a restart or elsewhere.
 *  AL2 `episode` tells one occurrence of a cause from the next: it is greater for a later one, and stays while the alarm is open.
 *  AL3 `changed` names each alarm that was raised, changed or cleared since it was last taken.
 */
import { ANOMALY_BOUNDS } from '../../../config/anomalies.ts';
import type { AnomalyKind, Severity } from '../../../streams/contract/anomaly-kinds.ts';
import { hash64 } from '../../../streams/hash.ts';

export interface Alarm {
  readonly kind: AnomalyKind;
  readonly cause: string;
  readonly sku?: string;
  readonly location?: string;
  /** When it began, by the data's own time, in microseconds since 1970. */
  readonly at: number;
  readonly episode: number;
  readonly severity: Severity;
  readonly says: string;
  readonly figures: Readonly<Record<string, number | string>>;
}
type Raised = Omit<Alarm, 'kind' | 'cause'>;

export class Alarms {
  readonly partition: number;
  readonly #open = new Map<string, Alarm>();
  readonly #counts = new Map<AnomalyKind, number>();
  #changed = new Map<string, Alarm | undefined>();
  readonly #texts = new WeakMap<Alarm, string>();

  constructor(partition: number) {
    this.partition = partition;
  }

  /** Whether any of a kind is open: asked first, it spares nearly every fact the making of a cause. */
  any(kind: AnomalyKind): boolean {
    return (this.#counts.get(kind) ?? 0) > 0;
  }

  get(kind: AnomalyKind, cause: string): Alarm | undefined {
    return this.#open.get(nameOf(kind, cause));
  }

  /** Opens it, or brings an open one up to date: where it began stays. Beyond the bound of its kind it is not opened. */
  raise(kind: AnomalyKind, cause: string, raised: Raised): void {
    const name = nameOf(kind, cause);
    const open = this.#open.get(name);
    if (open === undefined) {
      const count = this.#counts.get(kind) ?? 0;
      if (count >= ANOMALY_BOUNDS.openPerKind) return;
      this.#counts.set(kind, count + 1);
    } else if (open.says === raised.says && open.severity === raised.severity) return;
    // The episode of an open alarm stays (AL2).
    const alarm = { ...raised, kind, cause, at: open?.at ?? raised.at, episode: open?.episode ?? raised.episode };
    this.#open.set(name, alarm);
    this.#changed.set(idOf(this.partition, kind, cause), alarm);
  }

  /** Its cause is gone. */
  clear(kind: AnomalyKind, cause: string): void {
    if (!this.#open.delete(nameOf(kind, cause))) return;
    this.#counts.set(kind, (this.#counts.get(kind) ?? 1) - 1);
    this.#changed.set(idOf(this.partition, kind, cause), undefined);
  }

  *open(): Iterable<[id: string, alarm: Alarm]> {
    for (const alarm of this.#open.values()) yield [idOf(this.partition, alarm.kind, alarm.cause), alarm];
  }

  /** Those of one kind, to be looked at again. */
  ofKind(kind: AnomalyKind): Alarm[] {
    if (!this.any(kind)) return [];
    return [...this.#open.values()].filter((alarm) => alarm.kind === kind);
  }

  // AL3.
  takeChanged(): Map<string, Alarm | undefined> {
    const changed = this.#changed;
    this.#changed = new Map();
    return changed;
  }

  /** As JSON. An alarm's text is made once: most of those that are open have not changed since the last snapshot. */
  keep(): string {
    const texts: string[] = [];
    for (const alarm of this.#open.values()) {
      let text = this.#texts.get(alarm);
      if (text === undefined) {
        text = JSON.stringify(alarm);
        this.#texts.set(alarm, text);
      }
      texts.push(text);
    }
    return `[${texts.join(',')}]`;
  }

  load(kept: readonly unknown[]): void {
    this.#open.clear();
    this.#counts.clear();
    this.#changed.clear();
    for (const alarm of kept as Alarm[]) {
      this.#open.set(nameOf(alarm.kind, alarm.cause), alarm);
      this.#counts.set(alarm.kind, (this.#counts.get(alarm.kind) ?? 0) + 1);
    }
  }
}

/** `<partition>.<kind>.<hash of the cause>`: fit for a key of a key-value bucket and for a path (AL1). */
function idOf(partition: number, kind: AnomalyKind, cause: string): string {
  const { hi, lo } = hash64(cause);
  return `${partition}.${kind}.${hex(hi)}${hex(lo)}`;
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0');
}

function nameOf(kind: AnomalyKind, cause: string): string {
  return `${kind}\u0001${cause}`;
}
