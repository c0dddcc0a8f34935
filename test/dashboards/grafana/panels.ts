/** The queries of a dashboard, as Grafana runs them. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';

export interface PanelQuery {
  readonly panel: string;
  readonly expr: string;
}

/** Every query of every panel. */
export function expressionsOf(board: Dashboard): PanelQuery[] {
  return (board.panels ?? []).flatMap((panel) => {
    const targets = 'targets' in panel ? (panel.targets ?? []) : [];
    return targets.map((target) => ({
      panel: `${board.title} / ${panel.title}`,
      expr: (target as { expr?: string }).expr ?? '',
    }));
  });
}

/** The query as Grafana sends it with all values of the variables. */
export function substituted(expr: string, times: { readonly rateInterval: string; readonly range: string }): string {
  return expr
    .replaceAll('$node', '.*')
    .replaceAll('$location', '.*')
    .replaceAll('$__rate_interval', times.rateInterval)
    .replaceAll('$__range', times.range);
}

/** The queries of the variables: label_values(SELECTOR, LABEL). */
export function variablesOf(board: Dashboard): { readonly selector: string; readonly label: string }[] {
  return (board.templating?.list ?? []).flatMap(({ query }) => {
    const found = typeof query === 'string' ? /^label_values\((.+), (\w+)\)$/.exec(query) : null;
    return found === null ? [] : [{ selector: found[1] ?? '', label: found[2] ?? '' }];
  });
}

/** The series in an expression, each with its labels. ALERTS is left out, because it exists only while an alert fires. */
export function selectorsIn(expr: string): string[] {
  const found = expr.matchAll(/\b(?:holdfast|nodejs|process|scrape)_\w+(?:\{[^}]*\})?|\bup\{[^}]*\}/g);
  return [...new Set([...found].map(([selector]) => selector))];
}
