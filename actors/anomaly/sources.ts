/**
 * Detects device_silent, late_facts and clock_ahead: a source (a location, or a device at one) that no longer reports as it used to, or whose clock is wrong. The location's home
 * partition judges its sources, from the sightings of all partitions.
 *
 * Model of silence: for each hour of the week, learn in how many of its minutes the source is heard, as an exponentially weighted mean over
 * weeks (a seasonal EWMA; Winters, Management Science 6, 1960, without trend). The minutes expected during a silence are the sum over its
 * hours. P(nothing heard) is that of a negative binomial with certainty `silentCertainty` (probability.ts), so nights, Sundays and slow
 * days raise no alarm. Any fact ends a silence. A silence enters the model only when it ends. A device counts as silent only while its
 * location is heard, because a closed shop is one cause.
 *
 * Model of lateness: the exponentially weighted share of the source's facts that came at least `lateMs` later than the fastest fact of its
 * location. It has a threshold to raise and a lower one to clear.
 *
 * A clock is ahead as long as the latest stored fact happened later than the clock slack after it was stored. A clock that is behind, and a
 * source that always sends late, look the same: by its least lag of a day.
 *
 * Time is the source's own (location-clock.ts, PL1). Hearing a minute twice is harmless because minutes form a set.
 */

import { ANOMALY_BOUNDS } from '../../config/anomalies.ts';
import { present } from '../../streams/assert.ts';
import { counted, type DetectorContext, rounded } from './detect/context.ts';
import { silenceTail } from './detect/probability.ts';
import { type ClockReading, dayOf, type Heard } from './detect/sightings.ts';

const MINUTE = 60_000_000;
const HOUR = 60 * MINUTE;
const WEEK_HOURS = 168;
/** Number of minutes remembered individually, so that a minute heard by several partitions counts once. */
const RECENT = 180;

interface Source {
  readonly location: string;
  readonly device: string | undefined;
  readonly since: number;
  /** Minutes expected since the device was last heard, while its whole location was silent. They do not count against the device. */
  excused: number;
  /** Latest own time, least lag and latest recorded time, in microseconds. */
  at: number;
  lag: number;
  recordedAt: number;
  lateShare: number;
  lateness: number;
  /** Mean number of minutes heard, by hour of the week. */
  readonly week: Float32Array;
  /** The current hour, counted from 1970, and the minutes heard in it so far. */
  hour: number;
  minutes: number;
  recent: number[];
  /** The latest reading of its clock, and its least lag of the day before that on which it was heard. */
  clock?: ClockReading | undefined;
  lagBefore?: number | undefined;
}

/** How a source's clock compares with the times at which its facts are stored. */
export interface SourceClock {
  readonly location: string;
  readonly device: string | undefined;
  /** How far it is ahead, in microseconds; 0 if it is not. */
  readonly ahead: number;
  /** Least lag of a fact in the latest whole day in which it was heard, otherwise in the first one; in microseconds. */
  readonly lag: number;
}

export class ReportingSources {
  readonly #context: DetectorContext;
  #sources = new Map<string, Source>();

  constructor(context: DetectorContext) {
    this.#context = context;
  }

  get size(): number {
    return this.#sources.size;
  }

  hear(heard: Heard): void {
    const source = this.#of(heard);
    const { alarms } = this.#context;
    const name = nameOf(source);
    if (heard.at > source.at) {
      alarms.clear('device_silent', name);
      source.excused = 0;
    }
    if (source.device === undefined) this.#excuse(source, heard.minutes);
    source.at = Math.max(source.at, heard.at);
    source.lag = Math.min(source.lag, heard.lag);
    source.recordedAt = Math.max(source.recordedAt, heard.recordedAt);
    for (const minute of heard.minutes) this.#learn(source, minute);
    this.#judgeLate(source, heard);
    if (heard.clock !== undefined) this.#judgeClock(source, heard.clock);
  }

  clocks(): SourceClock[] {
    return [...this.#sources.values()].flatMap(({ location, device, clock, lagBefore }) =>
      clock === undefined ? [] : [{ location, device, ahead: clock.ahead, lag: lagBefore ?? clock.lag }],
    );
  }

  /** The own time up to which silence counts. A device's silence counts only until its location was last heard. */
  #knownUntil({ location, device }: Source, now: number): number {
    return device === undefined ? now : Math.min(now, this.#sources.get(location)?.at ?? now);
  }

  /** Looks for silent sources. @param wall wall time, in microseconds since 1970 */
  tick(wall: number): void {
    const { alarms, parameters } = this.#context;
    for (const [name, source] of this.#sources) {
      const now = this.#knownUntil(source, wall - source.lag);
      const silence = now - source.at;
      if (wall - source.lag - source.at > parameters.silentForgetMs * 1000) {
        this.#forget(name);
        continue;
      }
      if (silence < parameters.silentMinMs * 1000) continue;
      if (source.at - source.since < parameters.silentLearnMs * 1000) continue;
      if (alarms.get('device_silent', name) !== undefined) continue;
      const minutes = Math.max(0, expected(source, source.at, now) - source.excused);
      const tail = silenceTail(minutes, parameters.silentCertainty);
      if (tail > parameters.silentTail) continue;
      const lastHeard = source.at;
      alarms.raise('device_silent', name, {
        location: source.location,
        at: source.at,
        episode: source.recordedAt,
        severity: source.device === undefined ? 'critical' : 'warning',
        tell: () => ({
          says: `Nothing heard of ${spoken(source)}, where facts in ${Math.round(minutes)} minutes were to be expected since.`,
          figures: {
            ...deviceOf(source),
            lastHeard,
            expectedMinutes: Math.round(minutes),
            probability: rounded(tail),
          },
        }),
      });
    }
  }

  /** Excuses the devices for gaps in which their whole location was not heard. */
  #excuse(location: Source, minutes: readonly number[]): void {
    let last = location.at;
    for (const minute of minutes) {
      const at = minute * MINUTE;
      if (at - last >= this.#context.parameters.silentMinMs * 1000) this.#excuseDevices(location.location, last, at);
      last = Math.max(last, at);
    }
  }

  #excuseDevices(location: string, from: number, until: number): void {
    for (const source of this.#sources.values()) {
      if (source.device !== undefined && source.location === location)
        source.excused += expected(source, Math.max(source.at, from), until);
    }
  }

  #of({ location, device, at, lag, recordedAt }: Heard): Source {
    const name = nameOf({ location, device });
    let source = this.#sources.get(name);
    // Re-inserted below, so the map is in order of last hearing and its first source is evicted first.
    if (source !== undefined) this.#sources.delete(name);
    else {
      const week = new Float32Array(WEEK_HOURS);
      const hour = Math.floor(at / HOUR);
      source = {
        location,
        device,
        since: at,
        excused: 0,
        at,
        lag,
        recordedAt,
        lateShare: 0,
        lateness: 0,
        week,
        hour,
        minutes: 0,
        recent: [],
      };
      if (this.#sources.size >= ANOMALY_BOUNDS.sources) this.#forget(present(this.#sources.keys().next().value));
    }
    this.#sources.set(name, source);
    return source;
  }

  #forget(name: string): void {
    this.#sources.delete(name);
    this.#context.alarms.clear('device_silent', name);
    this.#context.alarms.clear('late_facts', name);
    this.#context.alarms.clear('clock_ahead', name);
  }

  #learn(source: Source, minute: number): void {
    const { recent } = source;
    if (recent.includes(minute) || minute < (recent[0] ?? 0)) return;
    recent.push(minute);
    if (recent.length > RECENT) recent.shift();
    const hour = Math.floor((minute * MINUTE) / HOUR);
    if (hour > source.hour) this.#endHour(source, hour);
    if (hour === source.hour) source.minutes += 1;
  }

  /** Adds the hours that have passed to the week's pattern, at most one week of them, so that a long silence counts once. */
  #endHour(source: Source, hour: number): void {
    const weeks = (source.at - source.since) / (WEEK_HOURS * HOUR) + 1;
    const weight = Math.max(this.#context.parameters.silentWeight, 1 / weeks);
    const end = Math.min(hour, source.hour + WEEK_HOURS);
    for (let each = source.hour; each < end; each++) {
      const at = each % WEEK_HOURS;
      const heard = each === source.hour ? source.minutes : 0;
      source.week[at] = (source.week[at] as number) + weight * (heard - (source.week[at] as number));
    }
    source.hour = hour;
    source.minutes = 0;
  }

  #judgeLate(source: Source, { facts, late, lateness, at, recordedAt }: Heard): void {
    if (facts === 0) return;
    const { alarms, parameters } = this.#context;
    const weight = 1 - (1 - parameters.lateWeight) ** facts;
    source.lateShare += weight * (late / facts - source.lateShare);
    source.lateness = late > 0 ? lateness : source.lateness;
    const name = nameOf(source);
    if (source.lateShare >= parameters.lateShare) {
      const hours = rounded(source.lateness / HOUR);
      const share = rounded(source.lateShare);
      alarms.raise('late_facts', name, {
        location: source.location,
        at,
        episode: recordedAt,
        severity: 'info',
        tell: () => ({
          says: `Facts of ${spoken(source)} come up to ${hours} hours after they happened.`,
          figures: { ...deviceOf(source), share, hours },
        }),
      });
    } else if (source.lateShare <= parameters.lateClearShare) alarms.clear('late_facts', name);
  }

  /** Partitions report separately, so an older reading than the latest one judges nothing. */
  #judgeClock(source: Source, heard: ClockReading): void {
    const { clock = heard } = source;
    const [day, before] = [dayOf(heard.recordedAt), dayOf(clock.recordedAt)];
    if (day < before) return;
    if (day > before) source.lagBefore = clock.lag;
    const lag = day > before ? heard.lag : Math.min(heard.lag, clock.lag);
    source.clock = heard.recordedAt < clock.recordedAt ? { ...clock, lag } : { ...heard, lag };
    const { ahead, recordedAt } = source.clock;
    const { alarms } = this.#context;
    const name = nameOf(source);
    if (ahead === 0) alarms.clear('clock_ahead', name);
    else
      alarms.raise('clock_ahead', name, {
        location: source.location,
        at: recordedAt,
        episode: recordedAt,
        severity: 'warning',
        tell: () => ({
          says: `The clock of ${spoken(source)} is ${span(ahead)} ahead. Its facts count as of the moment at which they were stored. Set the clock.`,
          figures: { ...deviceOf(source), aheadSeconds: Math.round(ahead / 1e6) },
        }),
      });
  }

  keep(): unknown[] {
    return [...this.#sources.values()].map((source): Kept => ({ ...source, week: packed(source.week) }));
  }

  load(kept: readonly unknown[]): void {
    const sources = (kept as Kept[]).map((source): Source => ({ ...source, week: unpacked(source.week) }));
    this.#sources = new Map(sources.map((source) => [nameOf(source), source]));
  }
}

type Kept = Omit<Source, 'week'> & { readonly week: string };

/** A week in base64, because writing it as JSON numbers would take ten times as long. */
function packed(week: Float32Array): string {
  return Buffer.from(week.buffer).toString('base64');
}

function unpacked(text: string): Float32Array {
  const bytes = new Uint8Array(WEEK_HOURS * 4);
  bytes.set(Buffer.from(text, 'base64').subarray(0, bytes.length));
  return new Float32Array(bytes.buffer);
}

/** Minutes expected to be heard between two moments, by the source's week. */
function expected(source: Source, since: number, until: number): number {
  let sum = 0;
  const last = until / HOUR;
  for (let from = since / HOUR; from < last; ) {
    const end = Math.min(last, Math.floor(from) + 1);
    sum += (end - from) * (source.week[Math.floor(from) % WEEK_HOURS] as number);
    from = end;
  }
  return sum;
}

function nameOf({ location, device }: { location: string; device: string | undefined }): string {
  return device === undefined ? location : `${location}\u0001${device}`;
}

function spoken({ location, device }: Source): string {
  return device === undefined ? location : `device ${device} at ${location}`;
}

/** A duration in words. @param micros at least a minute */
export function span(micros: number): string {
  for (const [unit, size] of [
    ['day', 24 * HOUR],
    ['hour', HOUR],
  ] as const)
    if (micros >= 2 * size) return `${rounded(micros / size)} ${unit}s`;
  return counted(Math.round(micros / MINUTE), 'minute');
}

function deviceOf({ device }: Source): { device?: string } {
  return device === undefined ? {} : { device };
}
