/**
 * A chart over time (uPlot, which draws on a canvas). To a screen reader the canvas is a picture, so the caller describes it in words.
 *
 * Invariant CT1: colours come from the style sheet and are read again when the theme changes. The chart follows the width of its container.
 */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { theme } from '../base/theme.ts';
import type { Columns } from '../data/history.ts';

export interface Line {
  readonly label: string;
  /** Name of a colour in the style sheet, such as `held`. */
  readonly color: string;
  /** Fills the area below the line, for quantities. */
  readonly area?: boolean;
  readonly stepped?: boolean;
  readonly dash?: readonly number[];
  /** Bridges moments without a value, for figures measured over a longer time than lies between two points. */
  readonly joined?: boolean;
}

/** The shortest time axis, so that a page that was just opened shows its few samples in place within a minute. */
const SHORTEST_SECONDS = 60;

interface ChartProps {
  readonly columns: Columns;
  readonly lines: readonly Line[];
  readonly height: number;
  /** A sentence that describes the chart. */
  readonly says: string;
  readonly value: (value: number) => string;
  /** Whether the axis starts at 0 whatever the values are. */
  readonly fromZero?: boolean;
}

export function Chart({ columns, lines, height, says, value, fromZero = true }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const newest = useRef(columns);
  newest.current = columns;
  const shown = theme.value;

  // A new theme has other colours, so the chart is made again. `lines` and `value` do not change.
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const made = new uPlot(
      options(element, lines, height, value, fromZero),
      newest.current as uPlot.AlignedData,
      element,
    );
    plot.current = made;
    const follow = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    follow.observe(element);
    return () => {
      follow.disconnect();
      made.destroy();
    };
  }, [shown, height]);

  useEffect(() => {
    plot.current?.setData(columns as uPlot.AlignedData);
  }, [columns]);

  return <div class="chart" ref={place} role="img" aria-label={says} style={{ height: `${height}px` }} />;
}

function options(
  place: HTMLElement,
  lines: readonly Line[],
  height: number,
  value: (value: number) => string,
  fromZero: boolean,
): uPlot.Options {
  const color = paints(place);
  const font = `12px ${getComputedStyle(place).fontFamily}`;
  const axis: uPlot.Axis = {
    stroke: color('muted'),
    font,
    grid: { stroke: color('line'), width: 1 },
    ticks: { show: false },
  };
  return {
    width: place.clientWidth,
    height,
    padding: [8, 22, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: true, range: (_plot, low, high) => [Math.min(low, high - SHORTEST_SECONDS), high] },
      y: {
        range: (_plot, low, high) => {
          const top = Math.max(high ?? 1, fromZero ? 1e-9 : (low ?? 0) + 1);
          return [fromZero ? Math.min(0, low ?? 0) : (low ?? 0), top + (top - Math.min(0, low ?? 0)) * 0.12];
        },
      },
    },
    axes: [
      { ...axis, size: 26, space: 90, values: '{HH}:{mm}:{ss}' },
      { ...axis, size: 56, space: 34, values: (_plot, splits) => splits.map(value) },
    ],
    series: [
      {},
      ...lines.map(
        (line): uPlot.Series => ({
          label: line.label,
          stroke: color(line.color),
          width: 2,
          ...(line.area === true ? { fill: color(line.color, 0.16) } : {}),
          ...(line.dash === undefined ? {} : { dash: [...line.dash] }),
          ...(line.stepped === true && uPlot.paths.stepped !== undefined
            ? { paths: uPlot.paths.stepped({ align: 1 }) }
            : {}),
          spanGaps: line.joined === true,
          points: { show: false },
        }),
      ),
    ],
  };
}

/** The style sheet's colours in a form that a canvas understands, because the browser resolves light-dark() only for an element (CT1). */
function paints(place: HTMLElement): (name: string, alpha?: number) => string {
  const probe = place.appendChild(document.createElement('span'));
  const known = new Map<string, string>();
  for (const name of ['muted', 'line', 'promise', 'held', 'allocated', 'facts', 'bad', 'warn']) {
    probe.style.color = `var(--${name})`;
    known.set(name, getComputedStyle(probe).color);
  }
  probe.remove();
  return (name, alpha = 1) => (known.get(name) ?? 'gray').replace(/^rgb\((.*)\)$/, `rgba($1, ${alpha})`);
}
