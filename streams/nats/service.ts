/** The NATS micro service: endpoints that answer callers' requests, with figures for `$SRV.STATS`. */
import { Svcm } from '@nats-io/services';
import { type Msg, type NatsConnection, headers as newHeaders } from '@nats-io/transport-node';
import type { MessageFault } from '../broker.ts';
import { mayBeAnswered } from '../subjects.ts';
import { EndpointStats } from './endpoint-stats.ts';
import { headerOf, roomOf } from './messages.ts';

export interface ServiceReply {
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly errorCode?: number | undefined;
  readonly errorText?: string | undefined;
}
export interface ServiceEndpoint {
  readonly group: string;
  readonly name: string;
  /** @param room most bytes that the body of an answer may have; a larger answer cannot be sent */
  readonly handler: (data: Uint8Array, contentType: string | undefined, room: number) => Promise<ServiceReply>;
}

/** Name, version and description of a service, as `$SRV.INFO` shows them. */
export interface ServiceName {
  readonly name: string;
  readonly version: string;
  readonly description: string;
}

/** Registers a NATS micro service ($SRV.PING, INFO, STATS). Its endpoints are `<group>.<name>`. */
export async function registerService(
  nc: NatsConnection,
  named: ServiceName,
  endpoints: readonly ServiceEndpoint[],
  fault: MessageFault,
): Promise<{ stop(): Promise<void> }> {
  const stats = new Map<string, EndpointStats>();
  const statsHandler = async (endpoint: { subject: string }) => stats.get(endpoint.subject)?.show(endpoint);
  const service = await new Svcm(nc as never).add({ ...named, statsHandler });
  for (const { group, name: endpoint, handler } of endpoints) {
    const counted = new EndpointStats();
    stats.set(`${group}.${endpoint}`, counted);
    service.addGroup(group).addEndpoint(endpoint, {
      handler: (error, message) => {
        if (error !== null) return;
        answer(nc, message as unknown as Msg, handler, counted).catch((failed) => fault('requests', failed));
      },
    });
  }
  return { stop: async () => void (await service.stop()) };
}

async function answer(
  nc: NatsConnection,
  message: Msg,
  handler: ServiceEndpoint['handler'],
  stats: EndpointStats,
): Promise<void> {
  const began = performance.now();
  const { reply } = message;
  // Without a reply subject that may be answered, the message is not a request.
  if (!mayBeAnswered(reply)) return;
  const said = await handler(message.data, headerOf(message.headers, 'Content-Type'), roomOf(nc));
  const headers = newHeaders();
  headers.set('Content-Type', said.contentType);
  if (said.errorCode !== undefined) {
    headers.set('Nats-Service-Error-Code', String(said.errorCode));
    headers.set('Nats-Service-Error', said.errorText ?? '');
  }
  nc.publish(reply, said.body, { headers });
  stats.count(
    performance.now() - began,
    said.errorCode === undefined ? undefined : `${said.errorCode} ${said.errorText ?? ''}`,
  );
}
