/**
 * A caller over HTTP/1.1 with keep-alive on a bare socket, so that the load costs less than the server it measures. It only understands
 * answers with a Content-Length, which all answers here have.
 */
import { connect, type Socket } from 'node:net';

export function atpText(address: string, sku: string): string {
  return `GET /v1/atp/${sku} HTTP/1.1\r\nHost: ${address}\r\n\r\n`;
}

export interface Caller {
  /** Resolves with the status, or with 0 if the connection breaks. */
  ask(text: string): Promise<number>;
  close(): void;
}

export async function openCaller(address: string): Promise<Caller> {
  const [host = '', port = ''] = address.split(':');
  const socket: Socket = connect({ host, port: Number(port), noDelay: true });
  let answered: (status: number) => void = () => undefined;
  let received = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk) => {
    received += chunk as unknown as string;
    const end = received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const length = /\r\ncontent-length: (\d+)/i.exec(received)?.[1];
    if (length === undefined || received.length < end + 4 + Number(length)) return;
    const status = Number(received.slice(9, 12));
    received = '';
    answered(status);
  });
  socket.on('close', () => answered(0));
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => undefined);
  return {
    ask: (text) =>
      new Promise((resolve) => {
        answered = resolve;
        socket.write(text, 'latin1');
      }),
    close: () => socket.destroy(),
  };
}
