// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is put quotes text of the program
/** Bugs in leases, in claims and in handing partitions over. */
import { aimed, type Mutant, mutant, put, rare } from './mutant.ts';

export const OWNERS: readonly Mutant[] = [
  mutant('a node appends before it is enrolled', put('append-before-enrolled', '')),
  rare(
    ['leave', 'cut', 'slow-link'],
    mutant(
      'what is handed back with decisions in flight is not fenced',
      put('handed-back-unfenced', 'const left = drained || fence.length >= 0 ? fence : [...fence, writer];'),
    ),
  ),
  rare(
    ['kill', 'cut', 'slow-link'],
    mutant(
      'a claim whose answer was lost stays',
      put(
        'lost-claim-stays',
        'if (owner?.writer === this.#self.writer && partition < 0) await this.#leave(partition, owner, entry?.revision ?? 0, false);',
      ),
    ),
  ),
  aimed(
    ['kill', 'cut'],
    mutant(
      'who lives is read before who owns',
      put(
        'live-read-before-owners',
        `const live = await this.live();
const owners = new Map((await this.#owners.all()).map((entry) => [entry.key, entry]));`,
        { statements: 2 },
      ),
    ),
  ),
  aimed(
    ['pause', 'cut'],
    mutant(
      'a lease that runs out while it is renewed counts on',
      put('lapsed-during-renewal', 'const lapsed = this.#leasedUntil < sent;'),
    ),
  ),
  mutant(
    'the clock follows the system at once',
    put('clock-follows-system', 'return Math.floor(this.#system.wallMs());'),
  ),
  rare(
    ['leave', 'cut', 'slow-link'],
    mutant(
      'a leave that comes late ends the lease of the next process',
      put('late-leave', 'return await this.#nodes.delete(name);'),
    ),
  ),
  mutant('a lease never ends', put('lease-never-ends', 'return this.#leasedUntil > 0;')),
  rare(
    ['cut', 'slow-link'],
    mutant(
      'a lease counts from its answer',
      put('lease-from-answer', 'this.#leasedUntil = this.#clock.monoMs() + sent * 0 + this.#leaseMs;'),
    ),
  ),
  rare(['kill', 'cut', 'slow-link'], mutant('what a dead process said late counts', put('dead-process-counts', ''))),
  mutant(
    'a lease that ran out counts again at once',
    put('lapsed-lease-counts', 'if (lapsed && sent < 0) {', { head: true }),
  ),
  mutant(
    'partitions are taken from owners that live',
    put(
      'taken-from-live-owner',
      `if (owner !== undefined && owner.writer !== '' && owner.writer !== this.#self.writer && writers.has(owner.writer))
  await Promise.resolve();`,
    ),
  ),
  rare(
    ['kill', 'pause', 'slow-link'],
    mutant(
      'an owner key is written without comparing',
      put(
        'owner-not-compared',
        'const epoch = await this.#owners.put(`p.${partition}`, JSON.stringify(info)).catch(() => revision * 0 || undefined);',
      ),
    ),
  ),
  rare(
    ['kill', 'cut', 'slow-link'],
    mutant(
      'writers that an earlier claim left unfenced are forgotten',
      put(
        'unfenced-writers-forgotten',
        `const fence = [
  ...new Set([...(owner === undefined || owner.writer === '' ? [] : [owner.writer])]),
];`,
      ),
    ),
  ),
  aimed(
    ['leave', 'kill', 'full-stream'],
    mutant('a partition is handed over with decisions in flight', put('handed-over-in-flight', '')),
  ),
  rare(
    ['pause', 'cut'],
    mutant(
      'a node without its lease answers for its parts',
      put('parts-without-lease', 'const serves = (number: number) => engine.partitions.get(number)?.serving === true;'),
    ),
  ),
];
