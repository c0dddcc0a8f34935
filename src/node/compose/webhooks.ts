/** Connects webhooks to their bucket, their consumers and their metrics. */
import type { Settings } from '../../../config/settings.ts';
import { EVENTS_STREAM, WEBHOOKS_BUCKET, webhookConsumer } from '../../../config/topology.ts';
import type { Clock } from '../../../streams/clock.ts';
import type { NatsBroker } from '../../../streams/nats/broker.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { LimitedLog } from '../../process/limited-log.ts';
import { WebhookDelivery } from '../../webhooks/delivery.ts';
import { WebhookDesk } from '../../webhooks/webhook-desk.ts';

export interface WebhooksDeps {
  /** The connection of requests, so that webhooks cannot delay the journal. */
  readonly broker: NatsBroker;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly limited: LimitedLog;
  readonly settings: Settings;
}

export async function webhooksOf({ broker, clock, metrics, limited, settings }: WebhooksDeps) {
  const { replicas, webhooksPrivate } = settings;
  const parts = {
    clock,
    consumer: (id: string) => broker.durable(EVENTS_STREAM, webhookConsumer(id)),
    allowPrivate: webhooksPrivate === 'on',
  };
  const desk = new WebhookDesk({ ...parts, replicas, keys: await broker.keys(WEBHOOKS_BUCKET, { replicas }) });
  const delivery = new WebhookDelivery({
    ...parts,
    desk,
    chance: Math.random,
    outcome: (outcome) => metrics.countBy('webhook_deliveries_total', outcome),
    trouble: (why) => limited.say('warn', 'webhooks', { why }, 'webhooks cannot be served now; it is tried again'),
  });
  return { desk, delivery };
}
