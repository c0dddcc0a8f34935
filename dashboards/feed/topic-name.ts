/**
 * Names of topics as readers give them. They are `kpi`, `anomaly`, `system`, `atp:SKU`, `stock:SKU` and `location:ID`, with ids
 * percent-encoded.
 *
 * Invariant TN1: one topic has one name. Answers carry it in canonical form, with the id as encodeURIComponent writes it.
 */
import { isStoredName } from '../../streams/names.ts';

const WHOLE = ['kpi', 'anomaly', 'system'] as const;
const OF_ID = ['atp', 'stock', 'location'] as const;
export const TOPIC_RULE = 'kpi, anomaly, system, atp:SKU, stock:SKU or location:ID, ids percent-encoded';

export type TopicKind = (typeof WHOLE)[number] | (typeof OF_ID)[number];
export interface TopicName {
  readonly kind: TopicKind;
  /** The SKU or location; '' for topics of the whole system. */
  readonly id: string;
  readonly name: string;
}

/** The topic of a name in any encoding (TN1); undefined if the text is not a topic. */
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
 * Topics from the raw value of a query, separated by commas. The whole value may be encoded once more, as URLSearchParams does.
 * @returns the topics without repeats, or the first text that is not a topic
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

/** Returns the text itself if it is not encoded, because a SKU may hold a percent sign. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
