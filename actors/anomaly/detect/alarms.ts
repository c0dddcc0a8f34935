/**
 * The open alarms of one partition's detectors. An alarm is an anomaly as the detectors see it, without storage or people's steps.
 *
 * Invariants:
 *  AL1 There is one alarm per kind and cause. Its id derives from partition, kind and cause alone, so it is the same after a restart and on
 *      any node.
 *  AL2 `episode` distinguishes occurrences of a cause. A later occurrence has a greater one, and it never changes while the alarm is open.
 *  AL3 `takeChanged` returns every alarm that was raised, raised again or cleared since the last call.
 */
import { ANOMALY_BOUNDS } from '../../../config/anomalies.ts';
import type { AnomalyKind, Severity } from '../../../streams/contract/anomaly-kinds.ts';
import { hash64 } from '../../../streams/hash.ts';

/** What an alarm says, in words and in figures. */
export interface Told {
  readonly says: string;
  readonly figures: Readonly<Record<string, number | string>>;
}

export interface Alarm extends Told {
  readonly kind: AnomalyKind;
  readonly cause: string;
  readonly sku?: string | undefined;
  readonly location?: string | undefined;
  /** When it began, by the time of the data, in microseconds since 1970. */
  readonly at: number;
  readonly episode: number;
  readonly severity: Severity;
}

/** An alarm as a detector raises it. */
interface Raised extends Omit<Alarm, 'kind' | 'cause' | keyof Told> {
  /**
   * Called when somebody reads the alarm, because a key below zero raises it with every fact and hardly anyone reads each. It uses only
   * values of the moment of the raise, so a late reader gets the same text.
   */
  readonly tell: () => Told;
}

export class Alarms {
  readonly partition: number;
  readonly #open = new Map<AnomalyKind, Map<string, OpenAlarm>>();
  #changed = new Map<string, Alarm | undefined>();

  constructor(partition: number) {
    this.partition = partition;
  }

  /** Whether any alarm of a kind is open. Callers ask this first, so that most facts need not build a cause string. */
  any(kind: AnomalyKind): boolean {
    return (this.#open.get(kind)?.size ?? 0) > 0;
  }

  get(kind: AnomalyKind, cause: string): Alarm | undefined {
    return this.#open.get(kind)?.get(cause);
  }

  /** Opens an alarm, or updates an open one, which keeps its beginning. Beyond ANOMALY_BOUNDS.openPerKind none is opened. */
  raise(kind: AnomalyKind, cause: string, raised: Raised): void {
    const ofKind = this.#ofKind(kind);
    const open = ofKind.get(cause);
    if (open === undefined && ofKind.size >= ANOMALY_BOUNDS.openPerKind) return;
    const alarm = new OpenAlarm(open?.id ?? idOf(this.partition, kind, cause), kind, cause, raised, open);
    ofKind.set(cause, alarm);
    this.#changed.set(alarm.id, alarm);
  }

  /** Closes the alarm, because its cause is gone. */
  clear(kind: AnomalyKind, cause: string): void {
    const ofKind = this.#ofKind(kind);
    const alarm = ofKind.get(cause);
    if (alarm === undefined) return;
    ofKind.delete(cause);
    this.#changed.set(alarm.id, undefined);
  }

  *open(): Iterable<[id: string, alarm: Alarm]> {
    for (const ofKind of this.#open.values()) for (const alarm of ofKind.values()) yield [alarm.id, alarm];
  }

  /** The open alarms of one kind, to be judged again. */
  ofKind(kind: AnomalyKind): Alarm[] {
    return [...this.#ofKind(kind).values()];
  }

  /** The changes since the last call; undefined for a cleared alarm (AL3). */
  takeChanged(): Map<string, Alarm | undefined> {
    const changed = this.#changed;
    this.#changed = new Map();
    return changed;
  }

  /** The open alarms as JSON. */
  keep(): string {
    const texts: string[] = [];
    for (const ofKind of this.#open.values()) for (const alarm of ofKind.values()) texts.push(alarm.text);
    return `[${texts.join(',')}]`;
  }

  load(kept: readonly unknown[]): void {
    this.#open.clear();
    this.#changed.clear();
    for (const { kind, cause, says, figures, ...more } of kept as Alarm[]) {
      const tell = () => ({ says, figures });
      this.#ofKind(kind).set(cause, new OpenAlarm(idOf(this.partition, kind, cause), kind, cause, { ...more, tell }));
    }
  }

  #ofKind(kind: AnomalyKind): Map<string, OpenAlarm> {
    let ofKind = this.#open.get(kind);
    if (ofKind === undefined) {
      ofKind = new Map();
      this.#open.set(kind, ofKind);
    }
    return ofKind;
  }
}

class OpenAlarm implements Alarm {
  readonly id: string;
  readonly kind: AnomalyKind;
  readonly cause: string;
  readonly sku: string | undefined;
  readonly location: string | undefined;
  readonly at: number;
  readonly episode: number;
  readonly severity: Severity;
  readonly #tell: () => Told;
  #told: Told | undefined;
  #text: string | undefined;

  /** @param open the alarm so far, whose beginning and episode stay (AL2) */
  constructor(id: string, kind: AnomalyKind, cause: string, raised: Raised, open?: Alarm) {
    this.id = id;
    this.kind = kind;
    this.cause = cause;
    this.sku = raised.sku;
    this.location = raised.location;
    this.at = open?.at ?? raised.at;
    this.episode = open?.episode ?? raised.episode;
    this.severity = raised.severity;
    this.#tell = raised.tell;
  }

  get says(): string {
    return this.#read().says;
  }

  get figures(): Told['figures'] {
    return this.#read().figures;
  }

  /** The alarm as JSON, cached because most alarms have not changed since the last snapshot. */
  get text(): string {
    this.#text ??= JSON.stringify(this);
    return this.#text;
  }

  toJSON(): Alarm {
    const { kind, cause, sku, location, at, episode, severity, says, figures } = this;
    return { kind, cause, sku, location, at, episode, severity, says, figures };
  }

  #read(): Told {
    this.#told ??= this.#tell();
    return this.#told;
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
