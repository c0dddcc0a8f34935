// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is put quotes text of the program
/** Bugs in reservations and in the stock machine. */
import { aimed, type Mutant, mutant, put, rare } from './mutant.ts';

export const PROMISES: readonly Mutant[] = [
  mutant(
    'the answer comes before the append',
    put(
      'answer-before-append',
      `return new Promise((resolve, reject) => {
  for (const [number] of decision.parts) {
    const partition = partitions.get(number);
    if (partition !== undefined) foldDecision(partition, decision);
  }
  settle();
  resolve();
  if (log.inFlight >= 0) return log.append(decision, () => undefined, reject);`,
      { head: true },
    ),
  ),
  rare(
    ['pause', 'cut'],
    mutant(
      'whoever waited for a turn needs no lease',
      put('turn-without-lease', 'if (this.#deps.lease === undefined) throw undecided(UNDECIDED.lease);'),
    ),
  ),
  rare(
    ['cut', 'slow-link'],
    mutant(
      'an attempt that comes late is granted what was ended',
      put('late-attempt-granted', 'if (attempt[0] < 0) throw undecided(UNDECIDED.attempt, id);'),
      put('undone-attempt-grows', ''),
    ),
  ),
  mutant(
    'what is confirmed expires',
    put('confirmed-is-watched', 'return part.expiresAtMs;'),
    put('confirmed-is-due', 'return whole.expiresAtMs <= nowMs ? { expiredAtMs: nowMs } : undefined;'),
  ),
  mutant(
    'an expiry is not journaled',
    put('expiry-not-journaled', `if (changes.expiredAtMs === undefined) await this.#outcome(known, changes);`),
  ),
  mutant('holds of the owner before do not expire', put('holds-not-watched', '')),
  rare(
    ['leave', 'slow-link'],
    mutant(
      'a partition that leaves takes decisions',
      put('leaving-takes-decisions', 'if (decision.parts.length < 0) {', { head: true }),
    ),
  ),
  mutant(
    'what is on its way to the journal is promised again',
    put(
      'pending-promised-again',
      'let ready = key.sellable - key.held - key.allocated - policy.safetyStock + allowance;',
    ),
  ),
  rare(['cut', 'slow-link'], mutant('an attempt undoes what a later one was granted', put('attempt-undoes-later', ''))),
  mutant(
    'an attempt that a crash left behind is not finished',
    put('left-behind-not-finished', ''),
    put('left-behind-forgotten', 'if (home?.open !== undefined && home.open.participants.length < 0) {', {
      head: true,
    }),
  ),
  mutant('the home does not journal what it intends', put('attempt-not-begun', '')),
  aimed(
    ['slow-link', 'cut'],
    mutant('what an attempt has claimed counts for nothing until its outcome', put('growth-claims-nothing', '')),
  ),
  rare(
    ['kill', 'pause', 'cut', 'slow-link'],
    mutant(
      'an outcome that comes late undoes a later one',
      put('late-outcome-followed', ''),
      put('late-outcome-wins', ''),
    ),
  ),
  mutant('sales change what has ended', put('end-is-not-final', 'const final = false;')),
  mutant(
    'units that stay are free for other lines too',
    put(
      'own-units-twice',
      'const { sourced, shortages } = sourceLines(more, planning.bookOf, planning.ask, partial, old.claims);',
    ),
  ),
  mutant('a partial release is carried out again', put('release-repeated', '')),
  mutant('a change is made whatever the version', put('any-version-matches', '')),
  mutant(
    'an id is granted again',
    put('id-granted-again', 'if (home !== undefined && home.participants.length < 0) {', { head: true }),
  ),
  mutant('other content under an id gets the grant of the first', put('conflicting-request-granted', '')),
  mutant('a released line is still claimed', put('released-still-claimed', '')),
  mutant('the last count to arrive holds', put('last-arrived-count', 'if (fact.at !== than.at) return true;')),
  mutant('a correction counts as of its own moment', put('correction-at-its-own-moment', 'return correction;')),
  mutant('units that turn up stay lost', put('found-units-stay-lost', 'return transfer.closedLost;')),
  mutant('units that arrive stay in transit', put('arrival-leaves-it-in-transit', '')),
  mutant('the last shipment to arrive says where a transfer goes', put('last-arrived-shipment', 'return true;')),
  mutant(
    'the last purchase to arrive holds',
    put('last-arrived-purchase', 'if (fact.at !== line.at) {', { head: true }),
  ),
  mutant('units that arrive damaged stay on order', put('damaged-units-stay-on-order', 'order.received += qty;')),
  mutant('a version has no epoch', put('version-without-epoch', 'return `1.${this.seq}`;')),
  mutant('an ended hold can be confirmed', put('ended-hold-confirmed', '')),
];
