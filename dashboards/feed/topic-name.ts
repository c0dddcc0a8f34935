/**
 * Names of topics, as readers give them: `kpi`, `anomaly`, `system`, `atp:SKU`, `stock:SKU`, `location:ID`, ids percent-encoded.
 *
 * Invariant TN1: one topic has one name: what is sent back is the name in its canonical form, ids as encodeURIComponent writes them.
 */
import { isStoredName } from '../../streams/names.ts';

const WHOLE = ['kpi', 'anomaly', 'system'] as const;
const OF_ID = ['atp', 'stock', 'location'] as const;
export const TOPIC_RULE = 'kpi, anomaly, system, atp:SKU, stock:SKU or location:ID, ids percent-encoded';

export type TopicKind = (typeof WHOLE)[number] | (typeof OF_ID)[number];
export interface TopicName {
  readonly kind: TopicKind;
  /** SKU or location; '' for topics of the whole system. */
  readonly id: string;
  readonly name: string;
}

/** Undefined if it is none (TN1). */
export function parseTopic(text: string): TopicName | undefined {
  const colon = text.indexOf(':');
  if (colon < 0) {
    const kind = WHOLE.find((each) => each === text);
    return kind === undefined ? undefined : { kind, id: '', name: kind };
  }
  const kind = OF_ID.find((each) => each === text.slice(0, colon));
  const id = decoded(text.slice(colon + 1));
  if (kind === undefined || !isStoredName(id)) return undefined;
  return { kind, id, name: `${kind}:${encodeURIComponent(id)}` };
}

/**
 * Topics of a query's raw value, commas between them: as they are, or the whole encoded once more, as URLSearchParams does it.
 * @returns the first that is no topic, if one is not
 */
export function parseTopics(raw: string): { readonly topics: readonly TopicName[] } | { readonly wrong: string } {
  const list = /[,:]/.test(raw) ? raw : decoded(raw);
  const topics: TopicName[] = [];
  for (const text of list.split(',')) {
    const topic = parseTopic(text.includes(':') ? text : decoded(text));
    if (topic === undefined) return { wrong: text };
    if (!topics.some((each) => each.name === topic.name)) topics.push(topic);
  }
  return { topics };
}

/** As it is where it is not encoded: a SKU may hold a percent sign. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
