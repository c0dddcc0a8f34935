/** Load over HTTP/1.1 with keep-alive and one connection per caller. */
import { closedLoop, type LoadOptions, type LoadResult, type Outcome } from '../../closed-loop.ts';
import { atpText, type Caller, openCaller } from '../http-caller.ts';
import { placeBody, skuName } from '../requests.ts';

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
  if (what === 'atp') return atpText(address, sku);
  const body = placeBody(sku);
  const head = `Host: ${address}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
  return `POST /v1/reservations HTTP/1.1\r\n${head}\r\n\r\n${body}`;
}
