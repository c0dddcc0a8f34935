/**
 * A TCP link that can be hurt: cut, stopped in one direction or both, delayed, left half-open.
 *
 * TCP delivers in order or not at all, so within a connection nothing can be reordered, lost or doubled here: what a bad network does
 * to packets shows to a program as delay, silence and ended connections, and these are what it can inject.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export type Direction = 'up' | 'down';

export class TcpProxy {
  readonly #server: Server;
  readonly #target: number;
  readonly #pairs = new Set<{ readonly client: Socket; readonly server: Socket }>();
  readonly #held: Record<Direction, boolean> = { up: false, down: false };
  #cut = false;
  #delayMs = 0;
  #waiting: (() => void)[] = [];

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** @param target port on loopback */
  static async to(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends all connections and takes no new ones. */
  cut(): void {
    this.#cut = true;
    this.#endAll();
  }

  /** Bytes in that direction stand still: `up` is to the server. Connections stay open. */
  hold(...directions: Direction[]): void {
    for (const direction of directions) this.#held[direction] = true;
  }

  /** The server sees all connections end, the clients see nothing. */
  halfOpen(): void {
    this.hold('up', 'down');
    for (const { server } of this.#pairs) server.destroy();
  }

  /** Every piece of data takes so much longer in each direction. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /**
   * Everything flows again.
   * @param kept whether connections live on and get what was held; else what was held is lost with them
   */
  heal(kept = true): void {
    this.#cut = false;
    this.#delayMs = 0;
    if (!kept) this.#endAll();
    this.#held.up = this.#held.down = false;
    for (const go of this.#waiting.splice(0)) go();
  }

  close(): void {
    this.#endAll();
    this.#server.close();
  }

  #endAll(): void {
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
  }

  #accept(client: Socket): void {
    if (this.#cut) return void client.destroy();
    const server = connect(this.#target, '127.0.0.1');
    const pair = { client, server };
    this.#pairs.add(pair);
    for (const socket of [client, server]) socket.setNoDelay(true).on('error', () => undefined);
    client.once('close', () => {
      this.#pairs.delete(pair);
      server.destroy();
    });
    server.once('close', () => {
      // A half-open link does not tell.
      if (this.#held.down) this.#waiting.push(() => client.destroy());
      else client.destroy();
    });
    this.#flow(client, server, 'up');
    this.#flow(server, client, 'down');
  }

  #flow(from: Socket, to: Socket, direction: Direction): void {
    const write = (bytes: Buffer) => {
      if (to.destroyed) return;
      if (this.#held[direction]) {
        from.pause();
        this.#waiting.push(() => {
          write(bytes);
          from.resume();
        });
      } else if (!to.write(bytes)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    };
    // Timers of one length fire in the order in which they were set, so the order of the bytes stays.
    from.on('data', (bytes) => (this.#delayMs > 0 ? setTimeout(write, this.#delayMs, bytes) : write(bytes)));
  }
}
