/** What a front could do at most: the transport alone, answering the same number of bytes. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from '@nats-io/transport-node';

/** Answers requests on a subject with so many bytes. */
export async function serveEcho(options: { nats: string; subject: string; bytes: number }): Promise<void> {
  const nc = await connect({ servers: options.nats });
  const answer = Buffer.alloc(options.bytes, 0x61);
  nc.subscribe(options.subject, { callback: (_error, message) => void message.respond(answer) });
  await nc.flush();
}

/** node:http that reads the body and answers JSON of so many bytes. Returns HOST:PORT. */
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
