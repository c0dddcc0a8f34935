/**
 * The Prometheus text format: families of series, each read at every scrape.
 *
 * Invariants:
 *  ET1 No series is kept between scrapes, so a label value that no longer exists disappears from the text.
 *  ET2 Counting only adds to a plain number. No label is hashed, neither when counting nor when reading.
 */

/** One series, or several that differ in their labels. */
export interface Family {
  /** The name without its prefix `holdfast_`. */
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly read: () => Iterable<FamilyValue>;
}
export interface FamilyValue {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** `_bucket`, `_sum` and `_count` of a histogram. */
  readonly suffix?: string;
}

/** The text of a family, including its final line break (ET1). */
export function familyText({ name, help, type, read }: Family): string {
  const whole = `holdfast_${name}`;
  let text = `# HELP ${whole} ${escaped(help)}\n# TYPE ${whole} ${type}\n`;
  for (const { labels, value, suffix } of read())
    text += `${whole}${suffix ?? ''}${labelText(labels)} ${number(value)}\n`;
  return text;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  let text = '';
  for (const name in labels) text += `${text === '' ? '' : ','}${name}="${quoted(labels[name] as string)}"`;
  return text === '' ? '' : `{${text}}`;
}

function quoted(value: string): string {
  return /["\\\n]/.test(value) ? escaped(value).replaceAll('"', '\\"') : value;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

/** Counts how many values fell into each bucket. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  /** @param bounds inclusive upper bounds, in ascending order */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  // A few comparisons and additions; nothing is hashed (ET2).
  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && value > (this.#bounds[bucket] as number)) bucket += 1;
    (this.#counts[bucket] as number) += 1;
    this.#sum += value;
  }

  *read(): Iterable<FamilyValue> {
    let count = 0;
    for (let bucket = 0; bucket <= this.#bounds.length; bucket++) {
      count += this.#counts[bucket] as number;
      const le = bucket < this.#bounds.length ? String(this.#bounds[bucket]) : '+Inf';
      yield { suffix: '_bucket', labels: { le }, value: count };
    }
    yield { suffix: '_sum', labels: {}, value: this.#sum };
    yield { suffix: '_count', labels: {}, value: count };
  }
}
