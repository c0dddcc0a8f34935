/** Bugs in the journal, in following streams and in recovery. */
import { aimed, type Mutant, mutant, put, rare } from './mutant.ts';

export const LOG: readonly Mutant[] = [
  mutant(
    'a time-out of the append counts as not stored',
    put(
      'timeout-is-not-stored',
      `if ((error as BrokerError).kind === 'unknown') {
  for (const each of this.#batch.splice(0)) {
    each.dropped('timed out');
    this.#settle([each]);
  }
  return undefined;
}
const outcome = await this.#outcome(bytes, n, error as Error);`,
    ),
  ),
  mutant(
    'the append has no expectation',
    put('append-without-expectation', 'const seq = await this.#broker.publish(this.#subject, bytes, {});'),
  ),
  mutant(
    'it serves before the fence is in',
    put('serve-before-fence', ''),
    put(
      'fence-after-serving',
      `partitions.serve(recovered.partitions);
void this.#fence(claims).catch(() => undefined);`,
    ),
  ),
  mutant('nobody is fenced', put('serve-before-fence', '')),
  aimed(
    ['cut'],
    mutant(
      'what the streams hold is read before the fence',
      put(
        'end-read-early',
        `const early = await this.#recoveryDeps();
const claims = await this.#fenced(won);`,
      ),
      put('end-read-before-fence', 'const deps = early;'),
    ),
  ),
  rare(
    ['pause', 'store-empty', 'store-older', 'store-damage'],
    mutant('a partition that was dropped is copied, without its ids', put('dropped-is-copied', '')),
  ),
  mutant('a fence drops no decision', put('fence-drops-none', '')),
  mutant('a fence takes no partition', put('fence-takes-none', '')),
  mutant('a fence is taken for all that is held', put('fence-drops-none', 'this.#dropFor([]);')),
  aimed(
    ['small-records', 'kill'],
    mutant(
      'a record that the server does not take is tried again and again',
      put('refused-record-tried-again', `return error instanceof BrokerError && error.kind === 'refused';`),
    ),
  ),
  rare(
    ['small-records', 'cut', 'slow-link', 'server-crash'],
    mutant(
      'a refused batch is formed anew while it may still be stored',
      put('refused-batch-formed-again', 'if (isForWhatItIs(error)) return error;'),
    ),
  ),
  mutant(
    'a record of an unknown writer counts',
    put('unknown-writer-counts', 'return seq !== this.#foundedAt || this.#subjects.has(subject);'),
  ),
  mutant(
    'the journal is not replayed',
    put('journal-not-replayed', 'const decisions = await replayJournal(deps, partitions, tips, 0);'),
  ),
  rare(
    ['kill', 'leave', 'cut', 'slow-link'],
    mutant('own decisions of an earlier time are not waited for', put('own-decisions-not-awaited', '')),
  ),
  aimed(['cut'], mutant('a connection that was lost is taken for whole', put('lost-connection-is-whole', ''))),
  mutant('a gap in delivery is passed over', put('delivery-gap-passed', '')),
  mutant(
    'a silent follower waits for ever',
    put('silence-for-ever', `else if (this.#clock.monoMs() - this.#heardAt > 1e12) this.#again('silence');`),
  ),
];
