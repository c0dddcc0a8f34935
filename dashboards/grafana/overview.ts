/** Overview: do we promise what we have, and are requests answered in time? It shows rate, errors and duration of all requests. */
import type { Board, Panel } from './board.ts';
import { buckets, quantile, rate, share, sum } from './queries.ts';

const duration = (what: string, name: string, description: string): Panel => ({
  kind: 'time',
  title: `${what}: duration`,
  description,
  unit: 's',
  width: 8,
  queries: [
    { expr: quantile(0.5, name), legend: 'p50' },
    { expr: quantile(0.9, name), legend: 'p90' },
    { expr: quantile(0.99, name), legend: 'p99' },
  ],
});

const faults = (what: string, operation: string): Panel => ({
  kind: 'time',
  title: `${what}: share without an answer`,
  description:
    'Requests that the system is to blame for (503 undecided or not ready, 500) ÷ requests. Refusals, such as not enough stock, are answers. Above 1 % for 5 minutes HoldfastFaultRate fires.',
  unit: 'percentunit',
  width: 8,
  limits: { critical: 0.01 },
  queries: [
    {
      expr: share(
        rate('request_faults_total', '', `operation="${operation}"`),
        rate('requests_total', '', `operation="${operation}"`),
      ),
      legend: 'faults ÷ requests',
    },
  ],
});

export const OVERVIEW: Board = {
  uid: 'overview',
  title: 'Holdfast: overview',
  description:
    'Are we promising what we have, and is everybody answered in time? Rate, errors and duration of what is asked.',
  locations: false,
  sections: [
    {
      title: 'Are we promising what we have?',
      panels: [
        {
          kind: 'now',
          title: 'Available to promise',
          description:
            'Units that may be promised now, over all stock keys: what is sellable and neither held, allocated nor withheld.',
          unit: 'suffix: units',
          width: 4,
          queries: [{ expr: sum('units', '', 'bucket="atp"'), legend: 'available to promise' }],
        },
        {
          kind: 'now',
          title: 'Promised',
          description: 'Units held for carts and allocated to orders that have not gone yet.',
          unit: 'suffix: units',
          width: 4,
          queries: [{ expr: sum('units', '', 'bucket=~"held|allocated"'), legend: 'held and allocated' }],
        },
        {
          kind: 'now',
          title: 'Oversold',
          description:
            'Held and allocated units that are not there. Anything above 0 is a customer who will be disappointed.',
          unit: 'suffix: units',
          width: 4,
          limits: { warning: 1, critical: 20 },
          queries: [{ expr: sum('oversold_units'), legend: 'oversold' }],
        },
        {
          kind: 'now',
          title: 'Unacknowledged anomalies',
          description:
            'Anomalies that are open and that nobody has taken up, of severity warning and critical. A critical one for 5 minutes is an alert.',
          unit: 'none',
          width: 4,
          limits: { warning: 1 },
          queries: [{ expr: sum('anomalies_unacknowledged', 'severity', 'severity!="info"'), legend: '{{severity}}' }],
        },
        {
          kind: 'now',
          title: 'Partitions without service',
          description:
            'Partitions that no node serves: for their SKUs nothing is promised and no fact is counted. More than a minute is an incident.',
          unit: 'none',
          width: 4,
          limits: { critical: 1 },
          // Always over all nodes, because a subset of the owners would look like a gap.
          queries: [{ expr: 'max(holdfast_partitions) - sum(holdfast_partitions_owned)', legend: 'without service' }],
        },
        {
          kind: 'now',
          title: 'Firing alerts',
          description: 'Alerts of config/prometheus/rules that fire now; the runbook says what each means.',
          unit: 'none',
          width: 4,
          limits: { warning: 1 },
          queries: [
            {
              expr: 'count(ALERTS{alertname=~"Holdfast.*", alertstate="firing"}) or vector(0)',
              legend: 'firing',
            },
          ],
        },
      ],
    },
    {
      title: 'Available to promise: what storefronts ask',
      panels: [
        {
          kind: 'time',
          title: 'ATP: requests',
          description: 'Requests for what may be promised, over HTTP and NATS, by node.',
          unit: 'reqps',
          width: 8,
          queries: [{ expr: rate('atp_request_seconds_count', 'instance'), legend: '{{instance}}' }],
        },
        faults('ATP', 'atp'),
        duration(
          'ATP',
          'atp_request_seconds',
          'Time from a readable request to its answer, which comes from memory. A p99 above 100 ms for 5 minutes is an alert: look at the event loop first.',
        ),
      ],
    },
    {
      title: 'Reservations: what is promised',
      panels: [
        {
          kind: 'stacked',
          title: 'Reservations: by outcome',
          description:
            'Requests and expiries by how they ended. Refused says that there was not enough; undecided that the caller must ask again.',
          unit: 'reqps',
          width: 8,
          queries: [{ expr: rate('reservations_total', 'outcome'), legend: '{{outcome}}' }],
        },
        faults('Reservations', 'reservation'),
        duration(
          'Reservations',
          'reservation_seconds',
          'Time from a readable request to its answer, which is on disk by then. It follows the journal’s append: see Internals.',
        ),
      ],
    },
    {
      title: 'Facts: what stores and warehouses report',
      panels: [
        {
          kind: 'stacked',
          title: 'Facts: folded, by type',
          description: 'Facts that changed the stock, each once, by type.',
          unit: 'suffix: facts/s',
          width: 8,
          queries: [{ expr: rate('facts_applied_total', 'type'), legend: '{{type}}' }],
        },
        faults('Facts', 'facts'),
        duration(
          'Facts',
          'facts_request_seconds',
          'Time from a readable request with facts over HTTP to the verdict on each: stored in its stream, and folded by its owner. Facts that come straight over NATS are seen in the lag.',
        ),
        {
          kind: 'time',
          title: 'Facts: came again, or set aside',
          description:
            'Duplicates are harmless: devices resend. Parked facts are not counted until somebody looks at them (page: System; or holdfast parked).',
          unit: 'suffix: facts/s',
          width: 12,
          queries: [
            { expr: rate('facts_duplicate_total'), legend: 'duplicate' },
            { expr: rate('facts_parked_total', 'reason'), legend: 'parked: {{reason}}' },
          ],
        },
        {
          kind: 'time',
          title: 'Facts: not folded yet',
          description:
            'Messages that are stored in a stream and not folded by their owner. It should fall back to 0 within seconds.',
          unit: 'short',
          width: 12,
          queries: [{ expr: sum('stream_lag_messages', 'stream'), legend: '{{stream}}' }],
        },
      ],
    },
    {
      title: 'What was refused, and how long it took',
      panels: [
        {
          kind: 'time',
          title: 'Problems by type',
          description:
            'Requests answered with a problem (RFC 9457), over HTTP and NATS. insufficient-stock is business; invalid-request is a caller’s mistake; undecided, not-ready and internal-error are ours.',
          unit: 'reqps',
          width: 12,
          queries: [{ expr: rate('problems_total', 'problem'), legend: '{{problem}}' }],
        },
        {
          kind: 'heat',
          title: 'Reservations: where the time goes',
          description:
            'Reservation requests by duration. Two bands mean that some wait: for the disk, for another node, or for the event loop.',
          unit: 's',
          width: 12,
          queries: [{ expr: buckets('reservation_seconds'), legend: '{{le}}' }],
        },
      ],
    },
  ],
};
