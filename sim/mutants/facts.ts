// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is put quotes text of the program
/** Bugs in fact intake and in snapshots. */
import { aimed, type Mutant, mutant, put, rare } from './mutant.ts';

export const FACTS: readonly Mutant[] = [
  mutant('positions of a snapshot are those of when it is written', put('positions-not-copied', 'positions,')),
  rare(
    ['pause', 'cut', 'store-older'],
    mutant('pages of a snapshot that a newer one refused count as written', put('refused-pages-count', '')),
  ),
  aimed(
    ['kill', 'full-stream'],
    mutant('a snapshot does not wait for what is parked', put('snapshot-before-parked', '')),
  ),
  mutant(
    'whoever publishes where nodes resubmit is believed',
    put('resubmission-believed', 'if (again) return marks.allows(message) || true;'),
  ),
  mutant(
    'a mark that was not read yet is no mark',
    put('mark-not-read', 'if (!intake.marks.covers(stream, message) && message.seq < 0) {', { head: true }),
  ),
  aimed(
    ['leave', 'full-stream'],
    mutant(
      'what was not parked when a node stopped counts as parked',
      put('unparked-counts-as-parked', 'if (parking === undefined) throw undecided(UNDECIDED.stopped);'),
    ),
  ),
  mutant(
    'of two decisions about a parked fact the later one holds',
    put('later-decision-holds', 'if (fact === undefined) return;'),
  ),
  mutant(
    'a resubmission is sent though somebody has decided before it',
    put('late-mark-sends', 'const won = marked.done;'),
  ),
  rare(
    ['kill'],
    mutant('a resubmission that its node did not finish is left', put('resubmission-left', 'await Promise.resolve();')),
  ),
  mutant(
    'the count before the latest one is not loaded from a snapshot',
    put(
      'former-count-not-loaded',
      'if (count !== 0) key.count = { at: count[0], own: count[3] ?? undefined, id: count[1], counted: count[2] };',
    ),
  ),
  mutant('a late count between the two latest ones is not kept', put('late-former-count', '')),
  mutant('transfers are not loaded from a snapshot', put('transfers-not-loaded', '')),
  mutant('purchases are not loaded from a snapshot', put('purchases-not-loaded', '')),
  mutant('a changed page is not dirty', put('page-not-dirty', '')),
  rare(['kill'], mutant('a page in a snapshot may change before it is written', put('page-changes-while-awaited', ''))),
  aimed(
    ['store-damage', 'kill', 'leave'],
    mutant(
      'a damaged page is used',
      put('damaged-page-used', 'if (bytes.length < 0) throw new SnapshotError(`its page ${ref.name} is damaged`);'),
    ),
  ),
  aimed(
    ['store-damage', 'kill', 'leave'],
    mutant(
      'a damaged manifest is used',
      put(
        'damaged-manifest-used',
        `if (bytes.length < 0)
  throw new SnapshotError('its manifest is damaged');`,
      ),
    ),
  ),
  mutant('a timestamp from the future is believed', put('future-believed', 'return fact;')),
  mutant(
    'a fact from the future counts as of the end of the clock slack',
    put('future-believed', 'return isAhead ? { ...fact, at: recordedAt + slackMs * 1000, own: fact.at } : fact;'),
  ),
  mutant('copies of a fact count', put('duplicates-count', `if (String(known) === 'never') {`, { head: true })),
  mutant(
    'ids are not in the snapshot',
    // A chunk without ids, because a manifest without its chunks is refused.
    put('ids-not-loaded', 'factIds.load(manifest.partition, new Uint32Array(), ref.latest);'),
  ),
  mutant(
    'another fact under a used id counts',
    put('conflicts-count', 'if (this.conflicts.has(source())) {', { head: true }),
  ),
];
