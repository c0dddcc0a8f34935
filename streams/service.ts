/** The NATS micro service: endpoints that answer requests of callers, with figures for `$SRV.STATS`. */
import { Svcm } from '@nats-io/services';
import { type Msg, type NatsConnection, headers as newHeaders } from '@nats-io/transport-node';
import { EndpointStats } from './endpoint-stats.ts';
import { headerOf } from './nats-messages.ts';

export interface ServiceReply {
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly errorCode?: number | undefined;
  readonly errorText?: string | undefined;
}
export interface ServiceEndpoint {
  readonly group: string;
  readonly name: string;
  readonly handler: (data: Uint8Array, contentType: string | undefined) => Promise<ServiceReply>;
}

/** Registers a NATS micro service ($SRV.PING, INFO, STATS) with its endpoints `<group>.<name>`. */
export async function registerService(
  nc: NatsConnection,
  name: string,
  version: string,
  description: string,
  endpoints: readonly ServiceEndpoint[],
): Promise<{ stop(): Promise<void> }> {
  const stats = new Map<string, EndpointStats>();
  const statsHandler = async (endpoint: { subject: string }) => stats.get(endpoint.subject)?.show(endpoint);
  const service = await new Svcm(nc as never).add({ name, version, description, statsHandler });
  for (const { group, name: endpoint, handler } of endpoints) {
    const counted = new EndpointStats();
    stats.set(`${group}.${endpoint}`, counted);
    service.addGroup(group).addEndpoint(endpoint, {
      handler: (error, message) => {
        if (error !== null) return;
        void answer(message as unknown as Msg, handler, counted);
      },
    });
  }
  return { stop: async () => void (await service.stop()) };
}

async function answer(message: Msg, handler: ServiceEndpoint['handler'], stats: EndpointStats): Promise<void> {
  const began = performance.now();
  const reply = await handler(message.data, headerOf(message.headers, 'Content-Type'));
  const headers = newHeaders();
  headers.set('Content-Type', reply.contentType);
  if (reply.errorCode !== undefined) {
    headers.set('Nats-Service-Error-Code', String(reply.errorCode));
    headers.set('Nats-Service-Error', reply.errorText ?? '');
  }
  message.respond(reply.body, { headers });
  stats.count(
    performance.now() - began,
    reply.errorCode === undefined ? undefined : `${reply.errorCode} ${reply.errorText ?? ''}`,
  );
}
