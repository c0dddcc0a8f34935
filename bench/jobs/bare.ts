/** The bare transports, answering the same number of bytes. A front cannot be faster than these. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from '@nats-io/transport-node';

/** Answers requests on a subject with a fixed number of bytes. */
export async function serveEcho(options: { nats: string; subject: string; bytes: number }): Promise<void> {
  const nc = await connect({ servers: options.nats });
  const answer = Buffer.alloc(options.bytes, 0x61);
  nc.subscribe(options.subject, { callback: (_error, message) => void message.respond(answer) });
  await nc.flush();
}

/** A node:http server that reads the body and answers with a fixed number of bytes. Returns HOST:PORT. */
export async function serveBareHttp(options: { bytes: number }): Promise<string> {
  const answer = Buffer.alloc(options.bytes, 0x61);
  const server = createServer((request, response) => {
    request.on('data', () => undefined);
    request.on('end', () => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length });
      response.end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
