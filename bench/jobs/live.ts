/** Fast and slow readers of the live feed, and callers at a fixed rate beside them. */
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { atpText, type Caller, openCaller } from './http-caller.ts';
import { skuName } from './requests.ts';

export interface LiveReaders {
  readonly address: string;
  readonly readers: number;
  /** Number of readers that read nothing. */
  readonly slow: number;
  readonly skus: number;
}

/** Facts in one request. */
const MOST_FACTS = 1_000;

let sockets: WebSocket[] = [];
let read = { messages: 0, bytes: 0, closed: 0 };

/** Opens the readers. Each subscribes to the page's topics and to the ATP of one SKU, like a storefront. */
export async function openReaders({ address, readers, slow, skus }: LiveReaders): Promise<void> {
  read = { messages: 0, bytes: 0, closed: 0 };
  const opening = Array.from({ length: readers }, (_, index) => {
    const topics = `kpi,system,anomaly,atp:${skuName(index % skus)}`;
    const socket = new WebSocket(`ws://${address}/v1/live?topics=${topics}`);
    socket.on('message', (data: Buffer) => {
      read.messages += 1;
      read.bytes += data.length;
    });
    return new Promise<WebSocket>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('open', () => {
        socket.on('error', () => undefined);
        socket.on('close', () => {
          read.closed += 1;
        });
        if (index < slow) socket.pause();
        resolve(socket);
      });
    });
  });
  sockets = await Promise.all(opening);
}

export async function closeReaders(): Promise<typeof read> {
  const result = { ...read };
  for (const socket of sockets) socket.terminate();
  sockets = [];
  return result;
}

export interface PacedLoad {
  readonly address: string;
  readonly perSecond: number;
  readonly factsPerSecond: number;
  readonly seconds: number;
  readonly skus: number;
}

/**
 * Asks for ATP at a fixed rate while facts arrive. Times count from when a request was due, so a stall counts for every request due during
 * it.
 */
export async function paceAtp(options: PacedLoad): Promise<{ p50Ms: number; p99Ms: number; asked: number }> {
  const { address, perSecond, factsPerSecond, seconds, skus } = options;
  const times: number[] = [];
  const failures: unknown[] = [];
  const callers = new Callers(address);
  const began = performance.now();
  const end = began + seconds * 1000;
  const failed = (error: unknown) => void failures.push(error);
  const facts = sendFacts(address, factsPerSecond, end, skus).catch(failed);
  const asking: Promise<void>[] = [];
  for (let n = 0; ; n++) {
    const due = began + (n * 1000) / perSecond;
    if (due >= end) break;
    const early = due - performance.now();
    if (early > 1) await delay(early);
    const answered = (status: number) => {
      if (status !== 200) throw new Error(`ATP was answered ${status}`);
      times.push(performance.now() - due);
    };
    asking.push(
      callers
        .ask(atpText(address, skuName(n % skus)))
        .then(answered)
        .catch(failed),
    );
  }
  await Promise.all([...asking, facts]);
  callers.close();
  if (failures.length > 0) throw failures[0];
  times.sort((a, b) => a - b);
  const quantile = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
  return { p50Ms: quantile(0.5), p99Ms: quantile(0.99), asked: times.length };
}

/** A pool that opens a connection whenever all others are in use. */
class Callers {
  readonly #address: string;
  readonly #all: Caller[] = [];
  readonly #free: Caller[] = [];

  constructor(address: string) {
    this.#address = address;
  }

  async ask(text: string): Promise<number> {
    const caller = this.#free.pop() ?? (await this.#open());
    const status = await caller.ask(text);
    this.#free.push(caller);
    return status;
  }

  close(): void {
    for (const caller of this.#all) caller.close();
  }

  async #open(): Promise<Caller> {
    const caller = await openCaller(this.#address);
    this.#all.push(caller);
    return caller;
  }
}

let sent = 0;

/** Books a receipt of each SKU, so that every SKU is known. */
export async function receiveAll({ address, skus }: { address: string; skus: number }): Promise<void> {
  for (let from = 0; from < skus; from += MOST_FACTS) await post(address, Math.min(MOST_FACTS, skus - from), skus);
}

async function sendFacts(address: string, perSecond: number, end: number, skus: number): Promise<void> {
  const began = performance.now();
  const before = sent;
  while (performance.now() < end) {
    const due = Math.floor(((performance.now() - began) / 1000) * perSecond) - (sent - before);
    if (due > 0) await post(address, Math.min(MOST_FACTS, due), skus);
    await delay(20);
  }
}

async function post(address: string, count: number, skus: number): Promise<void> {
  const facts = Array.from({ length: count }, () => {
    sent += 1;
    const sku = skuName(sent % skus);
    const id = `live-${process.pid}-${sent}`;
    return { id, type: 'receipt', sku, location: `loc-${sent % 20}`, occurredAt: new Date().toISOString(), qty: 1 };
  });
  const answer = await fetch(`http://${address}/v1/facts`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(facts),
  });
  await answer.arrayBuffer();
  if (answer.status !== 200) throw new Error(`facts were answered ${answer.status}`);
}
