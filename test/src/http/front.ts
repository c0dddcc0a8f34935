/** The HTTP front over memory ports, for tests. */
import type { FastifyInstance } from 'fastify';
import type { Readiness } from '../../../actors/ports/ports.ts';
import { Hub, type HubEvents } from '../../../dashboards/feed/hub.ts';
import { EventsAnswers } from '../../../src/api/events-answers.ts';
import type { BodyReader } from '../../../src/http/body-reader.ts';
import { LiveFront } from '../../../src/http/live-socket.ts';
import { buildHttp } from '../../../src/http/server.ts';
import type { LiveEnding } from '../../../src/metrics/families.ts';
import { Metrics } from '../../../src/metrics/metrics.ts';
import type { Log } from '../../../src/process/log.ts';
import { SteadyClock } from '../../../src/process/steady-clock.ts';
import { WebhookDesk } from '../../../src/webhooks/webhook-desk.ts';
import { MemoryBroker, MemoryKeys } from '../../../streams/memory/broker.ts';
import { MemoryLog } from '../../../streams/memory/log.ts';
import { memoryPolicies } from './memory/memory-policies.ts';
import { MemoryFacts, MemoryStockService, NO_ANOMALIES } from './memory/memory-ports.ts';
import { MemorySystem } from './memory/memory-system.ts';

export interface Front {
  readonly app: FastifyInstance;
  readonly stock: MemoryStockService;
  readonly facts: MemoryFacts;
  readonly system: MemorySystem;
  readonly metrics: Metrics;
  readonly hub: Hub;
  readonly live: LiveFront;
  /** How connections of the live feed ended. */
  readonly ended: LiveEnding[];
  /** Messages logged as errors. */
  readonly logged: string[];
  ready: Readiness;
}

export function front(name = 'node-1', bodies?: BodyReader, events: Partial<HubEvents> = {}): Front {
  const clock = new SteadyClock();
  const facts = new MemoryFacts();
  const stock = new MemoryStockService().put('85123A', 'store-12', 5).put('85123A', 'dc-1', 12);
  const metrics = new Metrics();
  const system = new MemorySystem(facts.book);
  const logged: string[] = [];
  const none = () => undefined;
  const turn = (call: () => void) => void setImmediate(call);
  const quiet = { opened: none, closed: none, versioned: () => false, sent: none, encoded: none, skipped: none, turn };
  const hub = new Hub({ ...quiet, ...events });
  const ended: LiveEnding[] = [];
  const live = new LiveFront({ hub, closed: (why) => void ended.push(why) });
  const built: { ready: Readiness } = {
    ready: { ready: true, reasons: [], owned: 1, partitions: 32, owns: [{ partition: 3, epoch: 41 }] },
  };
  const app = buildHttp({
    stock,
    items: facts,
    facts,
    parked: facts,
    anomalies: NO_ANOMALIES,
    policies: memoryPolicies(),
    webhooks: new WebhookDesk({
      clock,
      keys: new MemoryKeys(new MemoryLog(1, () => clock.nowMs()), 'webhooks'),
      consumer: () => ({ make: async () => undefined, remove: async () => undefined }),
      replicas: 1,
      allowPrivate: false,
    }),
    events: new EventsAnswers({ broker: new MemoryBroker(new MemoryLog(1, () => clock.nowMs()), clock), clock }),
    system,
    live,
    metrics,
    log: logInto(logged),
    callers: { hosts: ['localhost', '127.0.0.1', '[::1]'], origins: ['https://shop.example'] },
    ...(bodies === undefined ? {} : { bodies }),
    name,
    readiness: () => built.ready,
  });
  return Object.assign(built, { app, stock, facts, system, metrics, hub, live, ended, logged });
}

export function logInto(errors: string[]): Log {
  const nothing = () => undefined;
  return { debug: nothing, info: nothing, warn: nothing, error: (_fields, message) => void errors.push(message) };
}

export const SALE = {
  id: 'till-3:1:1',
  type: 'sale',
  sku: '85123A',
  location: 'store-12',
  occurredAt: '2026-11-24T09:15:00Z',
  qty: 2,
};

/** 64 characters, each two UTF-16 units and four UTF-8 bytes. */
export const ASTRAL = '\u{1F9E6}'.repeat(64);
