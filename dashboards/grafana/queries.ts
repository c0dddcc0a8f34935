/**
 * PromQL that the dashboards share. Grafana's variables are $node, $location, $__rate_interval and $__range.
 *
 * Invariant: a name is written here without its prefix `holdfast_`, as in src/metrics/families.ts. Metrics that are not Holdfast's own
 * are written in full.
 */

export const NODE = 'instance=~"$node"';
export const PLACE = `${NODE}, location=~"$location"`;

const labels = (...matchers: string[]) => `{${[NODE, ...matchers].join(', ')}}`;

/** Sum over nodes, by labels if any are named. */
export function sum(name: string, by = '', ...matchers: string[]): string {
  return `sum${by === '' ? '' : ` by (${by}) `}(holdfast_${name}${labels(...matchers)})`;
}

/** A counter's increase per second, summed over nodes. */
export function rate(name: string, by = '', ...matchers: string[]): string {
  return `sum${by === '' ? '' : ` by (${by}) `}(rate(holdfast_${name}${labels(...matchers)}[$__rate_interval]))`;
}

/**
 * A quantile of a histogram over all nodes, or by labels.
 * @param q the quantile, from 0 to 1
 */
export function quantile(q: number, name: string, by = ''): string {
  const kept = by === '' ? 'le' : `le, ${by}`;
  return `histogram_quantile(${q}, sum by (${kept}) (rate(holdfast_${name}_bucket${labels()}[$__rate_interval])))`;
}

/** The buckets of a histogram, for a heat map. */
export function buckets(name: string): string {
  return `sum by (le) (increase(holdfast_${name}_bucket${labels()}[$__rate_interval]))`;
}

/** A share; 0, not unknown, if there is no whole. */
export function share(part: string, whole: string): string {
  return `(${part}) / ((${whole}) > 0) or vector(0)`;
}
