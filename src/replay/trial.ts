/**
 * The first facts of a replay, looked at before they are sent. A wrong encoding, column or date makes all of them wrong, and then
 * thousands of facts would be parked that a person has to work through.
 *
 * What can be known without the server is found here: facts that cannot be read, and facts that happened before the server's horizon.
 */
import type { Clock } from '../../streams/clock.ts';
import { parseFact } from '../../streams/fact/fact.ts';
import type { Refusal } from './entry.ts';
import type { Read } from './read.ts';

export const TRIAL_FACTS = 100;

/** What to do about refusals, by code. */
const ADVICE: Readonly<Record<string, string>> = {
  'too-old':
    'too-old: they happened before the idempotency horizon. Give the first node HOLDFAST_HORIZON=off, or later end all nodes and run holdfast horizon off, or use --from-now.',
  'id-conflict':
    'id-conflict: these ids were stored with other content before. Other stamps (by --from-now), another encoding and another order of the rows are other content.',
};

export function adviceOn(byCode: Readonly<Record<string, number>>): string[] {
  return Object.keys(byCode).flatMap((code) => ADVICE[code] ?? []);
}

interface Judge {
  readonly clock: Clock;
  readonly horizonMs?: (() => Promise<number | undefined>) | undefined;
  readonly fromNow?: boolean | undefined;
}

/**
 * Reads ahead until there are `facts` that are not skipped.
 * @returns what was read, and all entries from the first on. An error of the reading comes after what was read before it
 */
export async function tried(
  entries: AsyncGenerator<Read>,
  facts: number,
): Promise<{ first: readonly Read[]; all: AsyncGenerator<Read> }> {
  const first: Read[] = [];
  let failure: { readonly error: unknown } | undefined;
  try {
    for (let found = 0; found < facts; ) {
      const next = await entries.next();
      if (next.done === true) break;
      first.push(next.value);
      if (next.value.entry.kind !== 'skipped') found++;
    }
  } catch (error) {
    failure = { error };
  }
  async function* all(): AsyncGenerator<Read> {
    yield* first;
    if (failure !== undefined) throw failure.error;
    yield* entries;
  }
  return { first, all: all() };
}

/** Says why none of the first facts can count; undefined if there are fewer than TRIAL_FACTS, or if one of them may count. */
export async function doubtAbout(first: readonly Read[], judge: Judge): Promise<string | undefined> {
  const facts = first.filter(({ entry }) => entry.kind !== 'skipped');
  if (facts.length < TRIAL_FACTS) return undefined;
  // Stamps that are moved to now are not too old.
  const horizonMs = judge.fromNow === true ? undefined : await judge.horizonMs?.();
  const oldest = horizonMs === undefined ? Number.NEGATIVE_INFINITY : (judge.clock.nowMs() - horizonMs) * 1000;
  const refusals: Refusal[] = [];
  for (const read of facts) {
    const refusal = refusalOf(read, oldest);
    if (refusal === undefined) return undefined;
    refusals.push(refusal);
  }
  const codes: Record<string, number> = {};
  for (const { code } of refusals) codes[code] = (codes[code] ?? 0) + 1;
  return doubtText(refusals, codes, false);
}

export function doubtText(
  [first]: readonly Refusal[],
  byCode: Readonly<Record<string, number>>,
  sent: boolean,
): string | undefined {
  if (first === undefined) return undefined;
  const codes = Object.entries(byCode).map(([code, count]) => `${count} ${code}`);
  const { file, place, id, code, message } = first;
  const what = sent ? 'were all refused' : 'would all be refused, so nothing was sent';
  const which = `${file}:${place}${id === undefined ? '' : ` ${id}`} ${code}: ${message}`;
  return [
    `the first ${TRIAL_FACTS} facts ${what} (${codes.join(', ')}). The first is ${which}`,
    ...adviceOn(byCode),
  ].join('\n');
}

function refusalOf({ file, entry }: Read, oldest: number): Refusal | undefined {
  if (entry.kind === 'skipped') return undefined;
  const { place } = entry;
  if (entry.kind === 'refused') return { file, place, code: 'unreadable', message: entry.message };
  const { id, occurredAt } = entry.fact;
  const at = { file, place, ...(typeof id === 'string' ? { id } : {}) };
  const parsed = parseFact(entry.fact);
  if (!parsed.ok) return { ...at, code: 'invalid', message: parsed.message };
  if (parsed.fact.at >= oldest) return undefined;
  return { ...at, code: 'too-old', message: `occurredAt is ${occurredAt}, which is before the idempotency horizon` };
}
