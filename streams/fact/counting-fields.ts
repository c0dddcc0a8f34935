/**
 * The fields that would change what is counted. A fact that has one on a type that does not define it is refused, because to ignore it
 * would count something else than its sender means: a count of the damaged units is not a count of the sellable ones.
 *
 * The list is the contract's. It is closed, and new types do not extend it. Other unknown fields are kept and have no effect. It holds from
 * version 3 of the rules on.
 */
import { ONE_PIECE } from '../../config/rules.ts';
import { FACT_TYPES, type FactType } from '../subjects.ts';

/** The types that define each field. A test compares it with the schemas of streams/fact/fact.ts. */
const DEFINED_BY: ReadonlyMap<string, ReadonlySet<unknown>> = new Map(
  Object.entries({
    bucket: ['adjustment'],
    counted: ['count'],
    delta: ['adjustment'],
    disposition: ['return'],
    damaged: ['receipt', 'transfer'],
    phase: ['transfer'],
    from: ['transfer'],
    to: ['transfer'],
    components: [],
    uom: [],
    unit: [],
    pack: [],
  } satisfies Record<string, FactType[]>).map(([field, types]) => [field, new Set(types)]),
);
export const COUNTING_FIELDS: readonly string[] = [...DEFINED_BY.keys()];
/** Quantities are in single pieces, so one of these may say just that. */
const UNITS: ReadonlySet<string> = new Set(['uom', 'unit', 'pack']);
const TYPES: ReadonlySet<unknown> = new Set(FACT_TYPES);

type Sent = Readonly<Record<string, unknown>>;

/**
 * Finds a field of the list that the fact's type does not define.
 * @param pieces what a unit may say, in lower case
 * @returns the field, and the rule that it breaks; undefined if there is none, or if the type is unknown
 */
export function misplacedField(
  sent: Sent,
  pieces: readonly string[] = ONE_PIECE,
): { field: string; rule: string } | undefined {
  for (const field in sent) {
    const types = DEFINED_BY.get(field);
    if (types === undefined || types.has(sent.type) || isAbsent(sent[field]) || !TYPES.has(sent.type)) continue;
    if (!UNITS.has(field))
      return {
        field,
        rule: `must not be in a fact of type ${sent.type as FactType}, because it would change what is counted`,
      };
    if (!pieces.includes(wordOf(sent[field])))
      return { field, rule: `must say one piece (${pieces.join(', ')}), because quantities are in single pieces` };
  }
  return undefined;
}

/** The fact without its absent fields; the same object if it has none. What is nested stays as it is. */
export function withoutAbsent(sent: Sent): Sent {
  const all = Object.entries(sent);
  const present = all.filter(([, said]) => !isAbsent(said));
  return present.length === all.length ? sent : Object.fromEntries(present);
}

/** Null and the empty text say nothing, so a field that has one of them counts as absent. */
function isAbsent(said: unknown): boolean {
  return said === null || said === '' || said === undefined;
}

function wordOf(said: unknown): string {
  return typeof said === 'string' || typeof said === 'number' ? String(said).toLowerCase() : '';
}
