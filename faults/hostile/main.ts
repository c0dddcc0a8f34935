/** The attackers' process, which takes orders from its parent. */
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { chance } from '../../harness/chance.ts';
import type { Ground } from './attack.ts';
import { ATTACKS } from './attacks.ts';
import type { Order, Told } from './orders.ts';

/** A connection error of an attacker is not a finding. */
process.on('uncaughtException', () => undefined);
process.on('unhandledRejection', () => undefined);

const prepared = new Set<string>();
let nats: Promise<NatsConnection> | undefined;
let count = 0;

process.on('message', (order: Order) => {
  perform(order)
    .then((told) => process.send?.(told))
    .catch(() => undefined);
});
process.on('disconnect', () => process.exit(0));

async function perform({ attack: name, seed, ms, target }: Order): Promise<Told> {
  const attack = ATTACKS.find((each) => each.name === name);
  if (attack === undefined) return { attack: name, wrong: [], failed: 'there is no such attack' };
  nats ??= connect({ servers: target.nats, maxReconnectAttempts: -1, reconnectTimeWait: 250, noEcho: true });
  const connection = await nats;
  const wrong = new Set<string>();
  let end = Number.POSITIVE_INFINITY;
  const ground: Ground = {
    target,
    nats: connection,
    maxPayload: connection.info?.max_payload ?? 1_048_576,
    random: chance(seed),
    fresh: (what) => `${what}-${seed}-${++count}`,
    isOver: () => performance.now() > end,
    wrong: (what) => void (wrong.size < 20 && wrong.add(what)),
  };
  try {
    if (!prepared.has(name)) await attack.prepare?.(ground);
    prepared.add(name);
    end = performance.now() + ms;
    if (ms > 0) await attack.run(ground);
    return { attack: name, wrong: [...wrong] };
  } catch (error) {
    return { attack: name, wrong: [...wrong], failed: (error as Error).message };
  }
}
