/**
 * Summarizes a heap snapshot in the program's own terms, to show what a node's memory is used for.
 *
 *   node dist/faults/harness/heap/heap-summary.js FILE.heapsnapshot
 *
 * Each object is counted under the nearest object of a known class that dominates it. An object dominates another if every path from the
 * root to the other passes through it.
 *
 * Invariants:
 *  HS1 Every byte belongs to exactly one term, which is that of the nearest dominator whose class has a term. So the terms add up to the
 *      heap.
 *  HS2 A class without a term is shown under its own name, so unexpected uses of memory are visible.
 */
import { type HeapFile, readHeapFile } from './heap-file.ts';

/** Our own terms, by the class of the object that holds the memory. */
const TERMS: Readonly<Record<string, readonly string[]>> = {
  'reservations, ended ones too': ['ReservationPart', 'CoordinatorEntry', 'KeyedQueue', 'Coordinator', 'Participant'],
  'ends of holds, waiting for their time': ['Expiry', 'Due'],
  'stock keys and movements': ['StockKey', 'SkuEntry', 'TransferRecord'],
  'tables of the books': ['StockBook', 'Partition'],
  'fact ids': ['FactIds'],
  'verdicts and their waiters': ['Intake', 'StreamFactIngress'],
  'KPI windows': [
    'KpiObserver',
    'LocationKpi',
    'Ring',
    'Windows',
    'Seconds',
    'DatedIds',
    'KpiCounters',
    'Inbound',
    'RequestStats',
    'WindowedLatency',
    'KnownFigures',
    'FiguresFeed',
  ],
  anomalies: [
    'AnomalyObserver',
    'AnomalyKeeper',
    'Alarms',
    'Arrivals',
    'Sightings',
    'Hoarding',
    'KeyStates',
    'LocationClocks',
    'LocationClock',
    'ReportingSources',
    'Held',
    'OpenAnomalies',
    'LiveCounts',
  ],
  'journal, followers, marks': ['Journal', 'Follower', 'Followers', 'HighWaterMarks', 'Delivered'],
  'snapshots on their way': ['Snapshotter', 'SnapshotRounds', 'RedisSnapshots', 'Observers'],
  'live feed': ['Hub', 'Reader', 'SkuInterests', 'SkuFeed', 'Roster', 'Gather', 'LiveFeed', 'Connection'],
  metrics: ['Metrics', 'FamilyRegistry', 'Histogram', 'EndpointStats'],
};
const CODE = 'code and shapes of objects';
const REST = 'Node.js, libraries, what several hold';
const OF_THE_REST = '  of the rest: ';
/** Node types that are the program itself, regardless of which object holds them. */
const CODE_TYPES = new Set(['code', 'object shape', 'closure', 'regexp']);
/** Largest number of classes without a term to show. */
const MOST_CLASSES = 8;

export interface HeapTerm {
  readonly term: string;
  readonly bytes: number;
  readonly objects: number;
}
export interface HeapSummary {
  readonly bytes: number;
  /** Largest first. Without the rows that break down the rest, they add up to the whole (HS1). */
  readonly terms: readonly HeapTerm[];
  /** Number of instances, by class, for the classes that have a term. */
  readonly instances: Readonly<Record<string, number>>;
}

export async function summarizeHeap(path: string): Promise<HeapSummary> {
  const heap = await readHeapFile(path);
  const { nodes, type, name, bytes, typeNames, strings } = heap;
  const { order, dominator } = dominators(heap);
  const termOfClass = new Map(Object.entries(TERMS).flatMap(([term, classes]) => classes.map((each) => [each, term])));
  const names: string[] = [REST, CODE];
  const termOf = new Uint16Array(nodes);
  const sums: { bytes: number; objects: number }[] = [];
  const instances: Record<string, number> = {};
  const numberOf = (term: string) => {
    const known = names.indexOf(term);
    return known >= 0 ? known : names.push(term) - 1;
  };
  const ofClass = new Map<number, number>();
  const object = typeNames.indexOf('object');
  // A dominator comes before the nodes that it dominates.
  for (const node of order) {
    let term = termOf[dominator[node] as number] as number;
    if (CODE_TYPES.has(typeNames[type[node] as number] as string)) term = 1;
    else if (type[node] === object) {
      const nameAt = name[node] as number;
      const className = strings[nameAt] as string;
      const named = termOfClass.get(className);
      if (named !== undefined) {
        term = ofClass.get(nameAt) ?? numberOf(named);
        ofClass.set(nameAt, term);
        instances[className] = (instances[className] ?? 0) + 1;
      }
    }
    termOf[node] = term;
    const sum = sums[term] ?? { bytes: 0, objects: 0 };
    sums[term] = sum;
    sum.bytes += bytes[node] as number;
    sum.objects += 1;
  }
  const all = names.map((term, i) => ({ term, bytes: sums[i]?.bytes ?? 0, objects: sums[i]?.objects ?? 0 }));
  all.push(...restByClass(heap, order, termOf));
  const terms = all.filter((each) => each.bytes > 0).sort((a, b) => b.bytes - a.bytes);
  return { bytes: order.reduce((sum, node) => sum + (bytes[node] as number), 0), terms, instances };
}

/** The largest parts of the rest under their own names (HS2). Their bytes are included in the rest as well. */
function restByClass(
  { type, name, bytes, typeNames, strings }: HeapFile,
  order: Uint32Array,
  termOf: Uint16Array,
): HeapTerm[] {
  const sums = new Map<string, { bytes: number; objects: number }>();
  for (const node of order) {
    if (termOf[node] !== 0) continue;
    const kind = typeNames[type[node] as number] as string;
    const what = kind === 'object' || kind === 'native' ? `${kind} ${strings[name[node] as number]}` : kind;
    const sum = sums.get(what) ?? { bytes: 0, objects: 0 };
    sum.bytes += bytes[node] as number;
    sum.objects += 1;
    sums.set(what, sum);
  }
  return [...sums]
    .sort(([, a], [, b]) => b.bytes - a.bytes)
    .slice(0, MOST_CLASSES)
    .map(([what, sum]) => ({ term: `${OF_THE_REST}${what.slice(0, 60)}`, ...sum }));
}

/** Returns the nodes reachable from the root, in reverse postorder, and the immediate dominator of each (Cooper, Harvey, Kennedy 2001). */
function dominators(heap: HeapFile): { order: Uint32Array; dominator: Uint32Array } {
  const { nodes } = heap;
  const order = reversePostorder(heap);
  const rank = new Uint32Array(nodes).fill(0xffff_ffff);
  order.forEach((node, i) => {
    rank[node] = i;
  });
  // The edges into each node, in ranks.
  const [into, starts] = incoming(heap, order, rank);
  const found = new Int32Array(order.length).fill(-1);
  found[0] = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = 1; i < order.length; i++) {
      let nearest = -1;
      for (let edge = starts[i] as number; edge < (starts[i + 1] as number); edge++) {
        let other = into[edge] as number;
        if ((found[other] as number) < 0) continue;
        if (nearest < 0) {
          nearest = other;
          continue;
        }
        while (nearest !== other) {
          while (nearest > other) nearest = found[nearest] as number;
          while (other > nearest) other = found[other] as number;
        }
      }
      if (nearest >= 0 && found[i] !== nearest) {
        found[i] = nearest;
        changed = true;
      }
    }
  }
  const dominator = new Uint32Array(nodes);
  order.forEach((node, i) => {
    dominator[node] = order[found[i] as number] as number;
  });
  return { order, dominator };
}

function incoming(
  { firstEdge, target, isWeak }: HeapFile,
  order: Uint32Array,
  rank: Uint32Array,
): [Uint32Array, Uint32Array] {
  const starts = new Uint32Array(order.length + 1);
  const eachEdge = (of: (from: number, to: number) => void) => {
    order.forEach((node, from) => {
      for (let edge = firstEdge[node] as number; edge < (firstEdge[node + 1] as number); edge++)
        if (isWeak[edge] === 0) of(from, rank[target[edge] as number] as number);
    });
  };
  eachEdge((_, to) => {
    starts[to + 1] = (starts[to + 1] as number) + 1;
  });
  for (let i = 0; i < order.length; i++) starts[i + 1] = (starts[i + 1] as number) + (starts[i] as number);
  const next = starts.slice();
  const into = new Uint32Array(starts[order.length] as number);
  eachEdge((from, to) => {
    into[next[to] as number] = from;
    next[to] = (next[to] as number) + 1;
  });
  return [into, starts];
}

function reversePostorder({ nodes, firstEdge, target, isWeak }: HeapFile): Uint32Array {
  const nextEdge = firstEdge.slice(0, nodes);
  const seen = new Uint8Array(nodes);
  const stack = new Uint32Array(nodes);
  const order = new Uint32Array(nodes);
  let [depth, at] = [1, nodes];
  seen[0] = 1;
  while (depth > 0) {
    const node = stack[depth - 1] as number;
    const edge = nextEdge[node] as number;
    if (edge === firstEdge[node + 1]) {
      order[--at] = node;
      depth -= 1;
      continue;
    }
    nextEdge[node] = edge + 1;
    const to = target[edge] as number;
    if (isWeak[edge] === 1 || seen[to] === 1) continue;
    seen[to] = 1;
    stack[depth++] = to;
  }
  return order.subarray(at);
}

/** Lines for people to read. @param operations number of operations performed, for bytes per operation */
export function heapTable({ bytes, terms, instances }: HeapSummary, operations?: number): string[] {
  const mib = (count: number) => (count / 2 ** 20).toFixed(1).padStart(8);
  const each = (count: number) =>
    operations === undefined ? '' : ` ${(count / operations).toFixed(0).padStart(6)} B/operation`;
  return [
    `${mib(bytes)} MiB in all${each(bytes)}`,
    ...terms.map((term) => `${mib(term.bytes)} MiB${each(term.bytes)}  ${term.term} (${term.objects} objects)`),
    `instances: ${Object.entries(instances)
      .sort(([, a], [, b]) => b - a)
      .slice(0, 12)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ')}`,
  ];
}

/** The same in one line, with the terms that hold at least 1 % of the heap. */
export function heapLine({ bytes, terms }: HeapSummary, operations: number): string {
  const told = terms.filter((term) => term.bytes * 100 >= bytes && !term.term.startsWith(OF_THE_REST));
  const each = told.map((term) => `${term.term} ${(term.bytes / 2 ** 20).toFixed(1)} MiB`);
  return `${(bytes / 2 ** 20).toFixed(1)} MiB after ${operations} operations: ${each.join(' · ')}`;
}

const [, program = '', file] = process.argv;
if (/heap-summary\.[jt]s$/.test(program) && file !== undefined)
  for (const line of heapTable(await summarizeHeap(file))) console.log(line);
