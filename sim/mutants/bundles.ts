// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is put quotes text of the program
/** Bugs in bundles of facts, and in what a node answers about them. */
import { type Mutant, mutant, put } from './mutant.ts';

const UNSTORED = (kind: string) => `for (const fact of facts)
  if ((error as { kind?: string }).kind === '${kind}') fact.resolve('applied');
  else fact.reject(error);`;

export const BUNDLES: readonly Mutant[] = [
  mutant(
    'a bundle has passed when its first fact is folded',
    put('passed-at-first-fact', 'taken.add(partition);\npartition.positions[stream] = whole.seq;'),
  ),
  mutant('a fact of a bundle is known by its message only', put('place-not-in-source', 'return `${stream}.${seq}`;')),
  mutant(
    'copies of a fact count in bundles',
    put('duplicates-count', `if (known === 'duplicate' && stored.place === undefined) {`, { head: true }),
  ),
  mutant(
    'a moment in a bundle is believed beyond the clock slack',
    put('moment-believed', 'const isKept = acceptedAt <= recordedAt;'),
  ),
  mutant(
    'a moment in a bundle is believed though the stream says earlier',
    put('moment-believed', 'const isKept = acceptedAt >= recordedAt - slackMicros;'),
  ),
  mutant('a bundle in the lane of others is taken', put('foreign-lane-taken', '')),
  mutant('facts count as accepted though their bundle was refused', put('unstored-acknowledged', UNSTORED('full'))),
  mutant(
    'facts count as accepted though nobody knows whether their bundle is stored',
    put('unstored-acknowledged', UNSTORED('unknown')),
  ),
  mutant('a bundle has no bound', put('bundle-unbounded', 'if (most < 0) break;')),
  mutant(
    'verdicts go to the first facts of a bundle',
    put('verdicts-mixed-up', 'for (const i of those.keys()) present(facts[i]).resolve(present(outcomes[i]));'),
  ),
  mutant(
    'what an earlier owner has judged is taken for accepted',
    put('earlier-verdict-guessed', `const usual = 'applied';`),
  ),
  mutant(
    'only one lane of bundles is followed',
    put(
      'lanes-not-followed',
      'for (const lane of [...lanes].slice(0, 1)) filters.push(...types.map((type) => storedBundleSubject(type, lane)));',
    ),
  ),
];
