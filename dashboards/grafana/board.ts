/**
 * Turns a plain description of a dashboard into Grafana's JSON. This is the one file that imports Grafana's foundation SDK.
 *
 * Invariants:
 *  GB1 Every panel has a title, a description for people, a unit, and a legend for each query. The types require all of them.
 *  GB2 The same description gives the same bytes, because ids and places follow from the order alone, without clock or chance.
 *  GB3 Every query asks the data source that the reader chose, and covers the nodes that the reader chose unless it needs all of them.
 */

import { PanelBuilder as BarGauge } from '@grafana/grafana-foundation-sdk/bargauge';
import {
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  FieldColorBuilder,
  FieldColorModeId,
  QueryVariableBuilder,
  RowBuilder,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import {
  PanelBuilder as Heatmap,
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  YAxisConfigBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as Timeseries } from '@grafana/grafana-foundation-sdk/timeseries';

export interface Query {
  readonly expr: string;
  /** A name. Labels are written as {{label}}. */
  readonly legend: string;
}
/** Grafana's ids for units. */
export type Unit =
  | 'short'
  | 'none'
  | 's'
  | 'bytes'
  | 'percentunit'
  | 'ops'
  | 'reqps'
  | 'suffix: units'
  | 'suffix: units/s'
  | 'suffix: facts/s';

/** Values from which the colour changes. */
export interface Limits {
  readonly warning?: number;
  readonly critical?: number;
  /** Less is worse, so the colour changes below these values. */
  readonly below?: true;
}

export interface Panel {
  /**
   * `now`: one large figure; `time`: lines; `stacked`: parts of a whole over time; `bars`: one bar per series now; `heat`: a histogram over
   * time.
   */
  readonly kind: 'now' | 'time' | 'stacked' | 'bars' | 'heat';
  readonly title: string;
  /** What the panel shows, and what a reader should conclude. */
  readonly description: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** Width in columns, of 24. */
  readonly width: 3 | 4 | 6 | 8 | 12 | 24;
  readonly limits?: Limits;
  /** A click on a series opens this view of the live page for the value of the series' label. */
  readonly opens?: { readonly view: 'locations/' | 'anomalies?kind='; readonly label: 'location' | 'kind' };
}
export interface Section {
  readonly title: string;
  readonly panels: readonly Panel[];
}
export interface Board {
  /** The file is UID.json, and Grafana's address of the dashboard is holdfast-UID. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** Whether readers can choose locations too. */
  readonly locations: boolean;
  readonly sections: readonly Section[];
}

const TAG = 'holdfast';
/** Address of a node's page, as compose publishes it. In another installation it is changed in this one place. */
const PAGE = 'http://127.0.0.1:8080/';
// A variable, so every query asks the data source that the reader chose (GB3).
const SOURCE = { type: 'prometheus', uid: '$' + '{datasource}' };
const HEIGHTS: Readonly<Record<Panel['kind'], number>> = { now: 4, time: 8, stacked: 8, bars: 8, heat: 8 };

/** Returns the dashboard as Grafana's file provider reads it (GB2). */
export function dashboardOf(board: Board): Dashboard {
  const builder = new DashboardBuilder(board.title)
    .uid(`holdfast-${board.uid}`)
    .description(board.description)
    .tags([TAG])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .timezone('browser')
    .time({ from: 'now-1h', to: 'now' })
    .refresh('10s')
    .annotation(firingAlerts())
    .link(linkToBoards())
    .link(linkToPage())
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
    .withVariable(choice('node', 'Node', 'label_values(holdfast_partitions, instance)'));
  if (board.locations) {
    builder.withVariable(choice('location', 'Location', 'label_values(holdfast_units, location)'));
  }
  let id = 0;
  for (const { title, panels } of board.sections) {
    builder.withRow(new RowBuilder(title).id(++id));
    for (const panel of panels) builder.withPanel(panelOf(panel).id(++id));
  }
  const built = builder.build();
  // The SDK's default would hide the links in a menu.
  for (const link of built.links ?? []) delete link.placement;
  return built;
}

/** A choice of several values of a label. At first all are chosen. */
function choice(name: string, label: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .query(query)
    .definition(query)
    .datasource(SOURCE)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: 'All', value: '$__all' });
}

function linkToBoards(): DashboardLinkBuilder {
  return new DashboardLinkBuilder('Holdfast dashboards')
    .type(DashboardLinkType.Dashboards)
    .tags([TAG])
    .tooltip('The other dashboards, at the same time and for the same nodes')
    .includeVars(true)
    .keepTime(true);
}

function linkToPage(): DashboardLinkBuilder {
  return new DashboardLinkBuilder('Live page')
    .type(DashboardLinkType.Link)
    .icon('external link')
    .url(PAGE)
    .tooltip('The node’s own page: single SKUs, reservations, anomalies, live')
    .targetBlank(true);
}

function linkToView({ view, label }: NonNullable<Panel['opens']>): DashboardLinkBuilder {
  return new DashboardLinkBuilder(`The ${label} on the live page`)
    .type(DashboardLinkType.Link)
    .url(`${PAGE}#/${view}\${__field.labels.${label}:percentencode}`)
    .targetBlank(true);
}

function firingAlerts(): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name('Firing alerts')
    .datasource(SOURCE)
    .enable(true)
    .iconColor('red')
    .expr('ALERTS{alertname=~"Holdfast.*", alertstate="firing"}');
}

// Sets for every kind of panel what GB1 requires.
function panelOf(panel: Panel): Stat | Timeseries | BarGauge | Heatmap {
  const built = drawn(panel)
    .title(panel.title)
    .description(panel.description)
    .datasource(SOURCE)
    .span(panel.width)
    .height(HEIGHTS[panel.kind])
    .unit(panel.unit)
    .thresholds(thresholds(panel.limits));
  if (panel.opens !== undefined) built.dataLinks([linkToView(panel.opens)]);
  panel.queries.forEach(({ expr, legend }, index) => {
    const query = new DataqueryBuilder()
      .refId(String.fromCharCode(65 + index))
      .expr(expr)
      .legendFormat(legend)
      .datasource(SOURCE);
    if (panel.kind === 'heat') query.format(PromQueryFormat.Heatmap);
    if (panel.kind === 'bars') query.instant();
    else query.range();
    built.withTarget(query);
  });
  return built;
}

function drawn({ kind, limits }: Panel): Stat | Timeseries | BarGauge | Heatmap {
  const last = new ReduceDataOptionsBuilder().calcs(['lastNotNull']);
  switch (kind) {
    case 'now':
      return new Stat()
        .reduceOptions(last)
        .colorScheme(limits === undefined ? fixed('text') : new FieldColorBuilder().mode(FieldColorModeId.Thresholds));
    case 'bars':
      return new BarGauge()
        .reduceOptions(last)
        .orientation(VizOrientation.Horizontal)
        .colorScheme(limits === undefined ? fixed('blue') : new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
        .min(0);
    case 'heat':
      return new Heatmap()
        .hideLegend()
        .yAxis(new YAxisConfigBuilder().unit('s'))
        .color(new HeatmapColorOptionsBuilder().mode(HeatmapColorMode.Scheme));
    case 'time':
      return lines();
    case 'stacked':
      return lines().stacking(new StackingConfigBuilder().mode(StackingMode.Normal)).fillOpacity(40);
  }
}

function lines(): Timeseries {
  return new Timeseries()
    .lineWidth(1)
    .fillOpacity(8)
    .axisSoftMin(0)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi))
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .calcs(['lastNotNull', 'max']),
    );
}

function fixed(color: string): FieldColorBuilder {
  return new FieldColorBuilder().mode(FieldColorModeId.Fixed).fixedColor(color);
}

/** Green, then yellow, then red; in reverse if less is worse. */
function thresholds({ warning, critical, below }: Limits = {}): ThresholdsConfigBuilder {
  const steps: Threshold[] = [];
  if (below === true) {
    steps.push({ value: null, color: critical === undefined ? 'yellow' : 'red' });
    if (critical !== undefined) steps.push({ value: critical, color: warning === undefined ? 'green' : 'yellow' });
    if (warning !== undefined) steps.push({ value: warning, color: 'green' });
  } else {
    steps.push({ value: null, color: 'green' });
    if (warning !== undefined) steps.push({ value: warning, color: 'yellow' });
    if (critical !== undefined) steps.push({ value: critical, color: 'red' });
  }
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}
