/**
 * Load over HTTP/1.1 with keep-alive: a connection for each caller, on bare sockets, so that the load costs less than what
 * it measures. Reads answers that have a Content-Length, which is all that is asked here.
 */
import { connect, type Socket } from 'node:net';
import { closedLoop, type LoadOptions, type LoadResult, type Outcome } from '../closed-loop.ts';
import { placeBody, skuName } from './requests.ts';

export interface HttpLoad extends LoadOptions {
  /** HOST:PORT */
  readonly address: string;
  readonly what: 'place' | 'atp';
  readonly skus: number;
}

export async function loadHttp(options: HttpLoad): Promise<LoadResult> {
  const callers = await Promise.all(Array.from({ length: options.callers }, () => openCaller(options.address)));
  let turn = 0;
  const result = await closedLoop(options, async (number): Promise<Outcome> => {
    turn = (turn + 1) % options.skus;
    const status = await (callers[number] as Caller).ask(requestText(options, skuName(turn)));
    if (status === 200 || status === 201) return 'done';
    return status === 409 ? 'refused' : 'failed';
  });
  for (const caller of callers) caller.close();
  return result;
}

function requestText({ address, what }: HttpLoad, sku: string): string {
  if (what === 'atp') return `GET /v1/atp/${sku} HTTP/1.1\r\nHost: ${address}\r\n\r\n`;
  const body = placeBody(sku);
  const head = `Host: ${address}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
  return `POST /v1/reservations HTTP/1.1\r\n${head}\r\n\r\n${body}`;
}

interface Caller {
  /** The status; 0 if the connection broke. */
  ask(text: string): Promise<number>;
  close(): void;
}

async function openCaller(address: string): Promise<Caller> {
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
