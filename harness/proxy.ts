/**
 * A TCP link with faults. It can be cut, held in one or both directions, delayed or left half-open.
 *
 * TCP delivers in order or not at all, so nothing can be reordered, lost or duplicated within a connection. A program sees a bad network
 * only as delay, silence and ended connections. The proxy injects exactly these.
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

  /** Ends all connections and accepts no new ones. */
  cut(): void {
    this.#cut = true;
    this.#endAll();
  }

  /** Holds bytes in these directions while connections stay open. `up` is towards the server. */
  hold(...directions: Direction[]): void {
    for (const direction of directions) this.#held[direction] = true;
  }

  /** Ends all connections for the server, while the clients notice nothing. */
  halfOpen(): void {
    this.hold('up', 'down');
    for (const { server } of this.#pairs) server.destroy();
  }

  /** Delays every chunk of data by this time in each direction. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /**
   * Lets everything flow again.
   * @param kept whether connections stay open and get the held bytes; otherwise both are lost
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
      // A half-open link does not tell the client that the server is gone.
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
    // Timers of equal length fire in the order in which they were set, so the bytes keep their order.
    from.on('data', (bytes) => (this.#delayMs > 0 ? setTimeout(write, this.#delayMs, bytes) : write(bytes)));
  }
}
