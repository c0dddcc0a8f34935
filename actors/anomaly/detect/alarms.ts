/**
 * The open alarms of one partition's detectors. An alarm is an anomaly as the detectors see it, without storage or people's steps.
 *
 * Invariants:
 *  AL1 There is one alarm per kind and cause. Its id derives from partition, kind and cause alone, so it is the same after a restart and on
 *      any node.
 *  AL2 `episode` distinguishes occurrences of a cause. A later occurrence has a greater one, and it never changes while the alarm is open.
 *  AL3 `takeChanged` returns every alarm that was raised, changed or cleared since the last call.
 */
import { ANOMALY_BOUNDS } from '../../../config/anomalies.ts';
import type { AnomalyKind, Severity } from '../../../streams/contract/anomaly-kinds.ts';
import { hash64 } from '../../../streams/hash.ts';

export interface Alarm {
  readonly kind: AnomalyKind;
  readonly cause: string;
  readonly sku?: string;
  readonly location?: string;
  /** When it began, by the time of the data, in microseconds since 1970. */
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

  /** Whether any alarm of a kind is open. Callers ask this first, so that most facts need not build a cause string. */
  any(kind: AnomalyKind): boolean {
    return (this.#counts.get(kind) ?? 0) > 0;
  }

  get(kind: AnomalyKind, cause: string): Alarm | undefined {
    return this.#open.get(nameOf(kind, cause));
  }

  /** Opens an alarm, or updates an open one, which keeps its beginning. Beyond ANOMALY_BOUNDS.openPerKind none is opened. */
  raise(kind: AnomalyKind, cause: string, raised: Raised): void {
    const name = nameOf(kind, cause);
    const open = this.#open.get(name);
    if (open === undefined) {
      const count = this.#counts.get(kind) ?? 0;
      if (count >= ANOMALY_BOUNDS.openPerKind) return;
      this.#counts.set(kind, count + 1);
    } else if (open.says === raised.says && open.severity === raised.severity) return;
    // An open alarm keeps its episode (AL2).
    const alarm = { ...raised, kind, cause, at: open?.at ?? raised.at, episode: open?.episode ?? raised.episode };
    this.#open.set(name, alarm);
    this.#changed.set(idOf(this.partition, kind, cause), alarm);
  }

  /** Closes the alarm, because its cause is gone. */
  clear(kind: AnomalyKind, cause: string): void {
    if (!this.#open.delete(nameOf(kind, cause))) return;
    this.#counts.set(kind, (this.#counts.get(kind) ?? 1) - 1);
    this.#changed.set(idOf(this.partition, kind, cause), undefined);
  }

  *open(): Iterable<[id: string, alarm: Alarm]> {
    for (const alarm of this.#open.values()) yield [idOf(this.partition, alarm.kind, alarm.cause), alarm];
  }

  /** The open alarms of one kind, to be judged again. */
  ofKind(kind: AnomalyKind): Alarm[] {
    if (!this.any(kind)) return [];
    return [...this.#open.values()].filter((alarm) => alarm.kind === kind);
  }

  /** The changes since the last call; undefined for a cleared alarm (AL3). */
  takeChanged(): Map<string, Alarm | undefined> {
    const changed = this.#changed;
    this.#changed = new Map();
    return changed;
  }

  /** The open alarms as JSON. Each alarm's text is cached, because most have not changed since the last snapshot. */
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

/** `<partition>.<kind>.<hash of the cause>`, which is valid as a key of a key-value bucket and in a URL path (AL1). */
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
