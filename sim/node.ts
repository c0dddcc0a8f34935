/**
 * A simulated node: the real core (engine, desks, ownership, journal, snapshots) on the ports of a simulated world. The node keeps its name
 * while its processes start and end.
 */
import { buildCore, type Core } from '../actors/engine/core.ts';
import { answerRequest, packRefusal, packRequest, readAnswer } from '../actors/ports/peer-messages.ts';
import type { PeerAnswer, PeerOperationName, PeerRequest } from '../actors/ports/peer-operations.ts';
import type { Peers } from '../actors/ports/ports.ts';
import { UNDECIDED, undecided } from '../actors/ports/refusal.ts';
import { LIMITS } from '../config/limits.ts';
import {
  HORIZONS_BUCKET,
  MARKS_BUCKET,
  NODES_BUCKET,
  OWNERS_BUCKET,
  SKIPS_BUCKET,
  WRITERS_BUCKET,
} from '../config/topology.ts';
import { delay, every } from '../streams/clock.ts';
import { Host } from './host.ts';
import { Connection, SimBroker, SimKeys } from './servers/broker.ts';
import { Link } from './servers/link.ts';
import type { Network } from './servers/network.ts';
import { SimStore } from './servers/store.ts';

export class SimNode {
  readonly name: string;
  readonly #world: Network;
  #starts = 0;
  host: Host;
  link: Link;
  core: Core | undefined;
  /** The reason why its last process ended, unless it was killed. */
  ended: string | undefined;

  constructor(name: string, world: Network) {
    this.name = name;
    this.#world = world;
    this.host = new Host(name, world.scheduler, 0, 0);
    this.host.die();
    this.link = new Link(this.host, world.scheduler, world.random.fork(`${name} link`));
  }

  get running(): boolean {
    return this.host.alive;
  }

  get ready(): boolean {
    return this.host.alive && this.core?.engine.readiness.ready === true;
  }

  /** Starts a new process. */
  start(): void {
    const { scheduler, random, server, shelves, options } = this.#world;
    this.#starts += 1;
    this.ended = undefined;
    const start = `${this.name}-${this.#starts}`;
    const host = new Host(this.name, scheduler, options.skewMs(this.name), options.turnMs);
    const link = new Link(host, scheduler, random.fork(`${start} link`));
    this.host = host;
    this.link = link;
    this.core = undefined;
    const connection = new Connection(host, link, server);
    const broker = new SimBroker(connection);
    const peers: Peers = { ask: (partition, operation, body) => this.#ask(connection, partition, operation, body) };
    const nothing = () => undefined;
    const nonces = random.fork(`${start} nonces`);
    const core = buildCore({
      broker,
      clock: host.clock,
      store: new SimStore(shelves, host, scheduler, random.fork(`${start} store`)),
      // Streams are never trimmed in this world.
      baselines: async () => [],
      nodes: new SimKeys(connection, NODES_BUCKET),
      owners: new SimKeys(connection, OWNERS_BUCKET),
      highWaterMarks: new SimKeys(connection, MARKS_BUCKET),
      horizons: new SimKeys(connection, HORIZONS_BUCKET),
      writers: new SimKeys(connection, WRITERS_BUCKET),
      skips: new SimKeys(connection, SKIPS_BUCKET),
      peers,
      self: () => ({ name: this.name, writer: start, http: '', process: options.oneMachine ? start : undefined }),
      isDead: (process) => this.#world.isDead(process),
      created: server.log.created,
      nonce: () => `${start}-${nonces.whole(0, 1e9)}`,
      settings: options.settings,
      events: {
        applied: nothing,
        duplicate: nothing,
        parked: nothing,
        expired: nothing,
        journaled: nothing,
        snapshot: nothing,
        recovered: nothing,
        followerRestarted: nothing,
        breach: (what) => this.#world.fail(`the self-audit of ${start} found: ${what}`),
        note: (level, message, detail) => {
          const text = `${start} ${level} ${message} ${JSON.stringify(detail)}`;
          this.#world.note(text);
          // An error would mean that acknowledged data was lost, which must never happen in this world.
          if (level === 'error') this.#world.fail(text);
        },
        failed: (why) => this.#end(host, why),
      },
    });
    core.engine.partitions.observe({
      servedChanged: (numbers) => link.toServer(() => server.reach(() => this.#world.subscribe(this, host, numbers))),
    });
    this.#world.processes.set(start, host);
    void (async () => {
      for (;;) {
        try {
          if ((await core.ownership.namesake()) === undefined) break;
        } catch {
          // Try again.
        }
        await delay(host.clock, 200);
      }
      this.core = core;
      every(host.clock, 60_000, () => host.clock.follow());
      await core.engine.start();
      await core.parked.run(new AbortController().signal);
    })().catch((error: Error) => this.#end(host, error.message));
  }

  /** Ends the process like `kill -9`. */
  kill(): void {
    this.host.die();
    this.#world.unsubscribe(this);
  }

  /** Stops the process like SIGTERM. */
  stop(): void {
    const { host, core } = this;
    host.reach(() => {
      if (core === undefined) this.#end(host, 'stopped');
      else
        core.engine
          .stop()
          .then(() => this.#end(host, 'stopped'))
          .catch((error: Error) => this.#end(host, error.message));
    });
  }

  /** Serves a request from another node or from this one. */
  serve(partition: number, bytes: Uint8Array, answer: (bytes: Uint8Array) => void): void {
    const { core } = this;
    if (core === undefined) return;
    if (!core.serves(partition)) {
      answer(packRefusal(undecided(UNDECIDED.moving)));
      return;
    }
    answerRequest(core.handlers, partition, bytes, (misfit) =>
      this.#world.fail(`${this.name} cannot read what it is asked: ${misfit.message}`),
    ).then(answer, (error: Error) => this.#world.fail(`${this.name} failed to answer: ${error.stack}`));
  }

  #end(host: Host, why: string): void {
    if (!host.alive) return;
    this.#world.note(`${this.name} ended: ${why}`);
    host.die();
    if (host === this.host) {
      this.ended = why;
      this.#world.unsubscribe(this);
    }
  }

  async #ask<N extends PeerOperationName>(
    connection: Connection,
    partition: number,
    operation: N,
    body: PeerRequest<N>,
  ): Promise<PeerAnswer<N>> {
    const bytes = packRequest(operation, body);
    let answered: Uint8Array;
    try {
      answered = await connection.ask<Uint8Array>((_log, answer) => {
        const owners = this.#world.subscribers(partition);
        if (owners.length === 0) answer(new Error('no responders'));
        for (const { node, host } of owners) {
          node.link.toHost(() => {
            if (node.host !== host) return;
            node.serve(partition, bytes, (back) =>
              node.link.toServer(() => this.#world.server.reach(() => answer(back))),
            );
          });
        }
      }, LIMITS.requestMs + 500);
    } catch (error) {
      throw undecided(UNDECIDED.owner, error);
    }
    return readAnswer(operation, answered);
  }
}
