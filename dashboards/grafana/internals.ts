/** Internals: how the nodes do their work, for anyone woken by an alert. */
import type { Board, Panel, Query, Unit } from './board.ts';
import { NODE, quantile, rate, sum } from './queries.ts';

const byNode = (title: string, unit: Unit, expr: string, description: string, width: Panel['width'] = 8): Panel => ({
  kind: 'time',
  title,
  description,
  unit,
  width,
  queries: [{ expr, legend: '{{instance}}' }],
});
const own = (name: string) => `${name}{job="holdfast", ${NODE}}`;
const quantiles = (name: string, ...wanted: number[]): Query[] =>
  wanted.map((q) => ({ expr: quantile(q, name, 'instance'), legend: `p${q * 100} {{instance}}` }));

export const INTERNALS: Board = {
  uid: 'internals',
  title: 'Holdfast: internals',
  description: 'Partitions, journal, snapshots, lag, the process, and the servers that a node needs.',
  locations: false,
  sections: [
    {
      title: 'Health',
      panels: [
        {
          kind: 'now',
          title: 'Nodes ready',
          description: 'Nodes that serve all partitions that they should, as /readyz says.',
          unit: 'none',
          width: 4,
          limits: { critical: 1, below: true },
          queries: [{ expr: sum('ready'), legend: 'ready' }],
        },
        {
          kind: 'now',
          title: 'Nodes with a lease',
          description:
            'Nodes whose lease NATS has confirmed. Without it a node answers nothing, rather than something old.',
          unit: 'none',
          width: 4,
          limits: { critical: 1, below: true },
          queries: [{ expr: sum('lease_held'), legend: 'leased' }],
        },
        {
          kind: 'now',
          title: 'Quarantined partitions',
          description:
            'Partitions that are not served because the log has lost what was acknowledged, or the book does not add up. The log of the node says which and why.',
          unit: 'none',
          width: 4,
          limits: { critical: 1 },
          queries: [{ expr: sum('partitions_quarantined'), legend: 'quarantined' }],
        },
        {
          kind: 'now',
          title: 'Durability strict',
          description:
            '1 if every node has proof that the servers sync before they acknowledge; 0 if a power cut may lose the newest answers.',
          unit: 'none',
          width: 4,
          limits: { critical: 1, below: true },
          queries: [{ expr: `min(holdfast_durability_strict{${NODE}})`, legend: 'strict' }],
        },
        {
          kind: 'now',
          title: 'Self-audit breaches',
          description:
            'Derived totals that did not equal their parts, since the nodes started. Anything but 0 is a bug: report it.',
          unit: 'none',
          width: 4,
          limits: { critical: 1 },
          queries: [{ expr: sum('self_audit_breaches_total'), legend: 'breaches' }],
        },
        {
          kind: 'now',
          title: 'Versions',
          description: 'How many nodes run each version; more than one during an upgrade only.',
          unit: 'none',
          width: 4,
          queries: [{ expr: sum('build_info', 'version'), legend: '{{version}}' }],
        },
      ],
    },
    {
      title: 'Partitions and memory of the books',
      panels: [
        {
          kind: 'stacked',
          title: 'Partitions served, by node',
          description: 'Their sum is all partitions when every SKU is served. A gap is a take-over.',
          unit: 'none',
          width: 8,
          queries: [{ expr: sum('partitions_owned', 'instance'), legend: '{{instance}}' }],
        },
        byNode('Stock keys in memory', 'short', sum('actors', 'instance'), 'Actors: one for each SKU at a location.'),
        {
          kind: 'time',
          title: 'Remembered',
          description:
            'Fact ids within the idempotency horizon, and reservations, counted in each partition that they touch, ended ones included while a repeat may ask for them.',
          unit: 'short',
          width: 8,
          queries: [
            { expr: sum('seen_ids', 'instance'), legend: 'fact ids {{instance}}' },
            { expr: sum('reservations_remembered', 'instance'), legend: 'reservations {{instance}}' },
          ],
        },
      ],
    },
    {
      title: 'Journal: the disk behind every promise',
      panels: [
        {
          kind: 'time',
          title: 'Append',
          description:
            'Time from a journal append to its acknowledgement: the fsync of the NATS server, and the way there and back.',
          unit: 's',
          width: 8,
          queries: quantiles('journal_append_seconds', 0.5, 0.99),
        },
        {
          kind: 'time',
          title: 'Decisions and records',
          description:
            'Decisions journaled each second, and the records that carry them: one record is in flight for each node, the rest gathers.',
          unit: 'ops',
          width: 8,
          queries: [
            { expr: rate('journal_batch_size_sum', 'instance'), legend: 'decisions {{instance}}' },
            { expr: rate('journal_batch_size_count', 'instance'), legend: 'records {{instance}}' },
          ],
        },
        byNode(
          'Decisions that wait',
          'short',
          sum('journal_waiting', 'instance'),
          'Decisions that are held in memory and not stored yet. It grows when appends are slow, or when NATS is away.',
        ),
      ],
    },
    {
      title: 'Snapshots and recovery',
      panels: [
        byNode(
          'Age of the oldest snapshot',
          's',
          sum('snapshot_age_seconds', 'instance'),
          'Of a partition that has changed since. What is younger than the snapshot is replayed at a restart.',
        ),
        {
          kind: 'time',
          title: 'Writing a snapshot',
          description: 'Time to write the snapshot of one partition to Redis: only pages that have changed.',
          unit: 's',
          width: 8,
          queries: quantiles('snapshot_seconds', 0.5, 0.99),
        },
        {
          kind: 'time',
          title: 'Take-overs',
          description: 'Mean seconds from taking partitions over to serving them, since each node started.',
          unit: 's',
          width: 8,
          queries: [
            {
              expr: `${sum('recovery_seconds_sum', 'instance')} / (${sum('recovery_seconds_count', 'instance')} > 0)`,
              legend: '{{instance}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Streams',
      panels: [
        {
          kind: 'time',
          title: 'Lag by stream and node',
          description: 'Messages that are stored and not folded yet, in the partitions that the node owns.',
          unit: 'short',
          width: 12,
          queries: [{ expr: sum('stream_lag_messages', 'stream, instance'), legend: '{{stream}} {{instance}}' }],
        },
        {
          kind: 'time',
          title: 'Followers restarted',
          description:
            'A few at a take-over or a reconnection. Many in a row: the stream’s server does not keep up, or restarts.',
          unit: 'ops',
          width: 12,
          queries: [{ expr: rate('follower_restarts_total', 'stream'), legend: '{{stream}}' }],
        },
      ],
    },
    {
      title: 'NATS and Redis, as the nodes see them',
      panels: [
        {
          kind: 'time',
          title: 'Answers a ping',
          description:
            '1 if the server answered the latest ping. Without NATS nothing is decided; without Redis only snapshots wait.',
          unit: 'none',
          width: 8,
          queries: [{ expr: `holdfast_server_up{${NODE}}`, legend: '{{server}} {{instance}}' }],
        },
        {
          kind: 'time',
          title: 'Round trip',
          description:
            'Of a ping, every 5 s. More than a few milliseconds on a local network: the server, the network, or this node’s event loop.',
          unit: 's',
          width: 8,
          queries: [{ expr: `holdfast_server_round_trip_seconds{${NODE}}`, legend: '{{server}} {{instance}}' }],
        },
        {
          kind: 'time',
          title: 'Pings without an answer',
          description: 'Pings each second that were not answered in time.',
          unit: 'ops',
          width: 8,
          queries: [{ expr: rate('server_pings_failed_total', 'server, instance'), legend: '{{server}} {{instance}}' }],
        },
      ],
    },
    {
      title: 'Process',
      panels: [
        {
          kind: 'time',
          title: 'Event-loop delay',
          description:
            'How late timers are, which includes their resolution of 10 ms. Everything that a node does shares this loop: above 250 ms at p99 every answer waits.',
          unit: 's',
          width: 8,
          queries: [
            { expr: own('nodejs_eventloop_lag_p50_seconds'), legend: 'p50 {{instance}}' },
            { expr: own('nodejs_eventloop_lag_p99_seconds'), legend: 'p99 {{instance}}' },
            { expr: own('nodejs_eventloop_lag_max_seconds'), legend: 'max {{instance}}' },
          ],
        },
        byNode(
          'CPU',
          'percentunit',
          `rate(${own('process_cpu_seconds_total')}[$__rate_interval])`,
          'Cores used. One is the event loop; above it, garbage collection and the thread pool.',
        ),
        {
          kind: 'time',
          title: 'Memory',
          description:
            'Resident memory of the process, and what of it is the JavaScript heap. It follows the number of stock keys and remembered ids.',
          unit: 'bytes',
          width: 8,
          queries: [
            { expr: own('process_resident_memory_bytes'), legend: 'resident {{instance}}' },
            { expr: own('nodejs_heap_size_used_bytes'), legend: 'heap {{instance}}' },
          ],
        },
        {
          kind: 'time',
          title: 'Garbage collection',
          description:
            'Share of time spent in it, by kind. Major ones stop the loop: much of them says that the heap is near its limit.',
          unit: 'percentunit',
          width: 8,
          queries: [
            {
              expr: `sum by (kind, instance) (rate(${own('nodejs_gc_duration_seconds_sum')}[$__rate_interval]))`,
              legend: '{{kind}} {{instance}}',
            },
          ],
        },
        byNode(
          'Open files',
          'short',
          own('process_open_fds'),
          'Sockets and files. It follows callers and readers of the live feed.',
        ),
        byNode(
          'Time of a scrape',
          's',
          own('scrape_duration_seconds'),
          'How long Prometheus waits for /metrics. The node makes its text in less than 20 ms, with a million stock keys too.',
        ),
      ],
    },
    {
      title: 'Live feed',
      panels: [
        byNode(
          'Readers',
          'short',
          sum('live_clients', 'instance'),
          'Sockets of the live feed (/v1/live) on each node.',
        ),
        {
          kind: 'time',
          title: 'Messages',
          description:
            'Messages sent each second, and values that slow readers did not get because newer ones took their place.',
          unit: 'ops',
          width: 8,
          queries: [
            { expr: rate('live_messages_total'), legend: 'sent' },
            { expr: rate('live_skipped_total'), legend: 'skipped' },
          ],
        },
        {
          kind: 'time',
          title: 'Connections that ended',
          description: 'By reason. Slow and silent ones were closed by the node, so that they do not cost memory.',
          unit: 'ops',
          width: 8,
          queries: [{ expr: rate('live_closed_total', 'reason'), legend: '{{reason}}' }],
        },
      ],
    },
  ],
};
