/** Messages between nodes, forged by a stranger (case 2), and records that no node wrote (case 12). */
import { type Attack, type Ground, paced, pickOf, randomBytes } from '../attack.ts';
import { bent, overhear, pack, retold } from './overheard.ts';

const REPORTS = 'holdfast.live.nodes';

/** Values that fit no schema, and some that nearly do. */
function nonsense(ground: Ground): Uint8Array {
  if (ground.random() < 0.4) return randomBytes(ground, 300);
  return pack(
    pickOf(ground, [
      null,
      7,
      'x',
      [],
      {},
      [null],
      [{ kind: 'atp' }],
      { writer: 7 },
      { writer: 'evil', owns: 7, figures: {}, asked: [] },
      { writer: 'evil', owns: [[0]], figures: null, asked: null },
      { writer: 'evil', figures: { name: 'evil' }, owns: Array(5_000).fill([0, 9e15]), asked: [[1, 2]] },
      { operation: 7, body: null },
      { operation: 'atp', body: null },
      { operation: 'atp', body: { lines: [{ sku: null }] } },
      { operation: 'explain', body: {} },
      { operation: 'place', body: { id: 'x', lines: 'none' } },
      { operation: 'grantPart', body: { request: { id: 'x-forged' } } },
      {
        operation: 'grantPart',
        body: { request: { id: 7 }, lines: [{ sku: 'X-FORGED', qty: -5_000 }], participants: 'all' },
      },
      { operation: 'stepPart', body: { id: 'x-forged', step: 'nothing', participants: [99_999, -1] } },
      { operation: 'undoPart', body: { id: null, expiresAtMs: 'x', participants: null } },
      { operation: 'getPart', body: { id: 'x', participants: [1e9] } },
      { operation: 'gather', body: { operation: 'kpi', partitions: Array(10_000).fill(0) } },
      { operation: 'gather', body: { operation: 7, partitions: 'all' } },
      { operation: 'live-want', body: { reader: 'x', topics: Array(5_000).fill(['atp', 'X']) } },
      { operation: 'live-want', body: { reader: '>', topics: [[7, 7]] } },
      { operation: 'verdict', body: { stream: 'NONE', seq: -1 } },
      { operation: '__proto__', body: { __proto__: { ok: true } } },
    ]),
  );
}

export const nilReport: Attack = {
  name: 'nil-report',
  of: 2,
  does: 'one byte, MessagePack nil, on the subject of the nodes’ reports',
  run: (ground) => paced(ground, 2, () => ground.nats.publish(REPORTS, Uint8Array.of(0xc0))),
};

export const garbageReports: Attack = {
  name: 'garbage-reports',
  of: 2,
  does: 'random bytes and wrong shapes on every subject that nodes listen to',
  run: async (ground) => {
    const known = (await overhear(ground, REPORTS)).map(({ value }) => (value as { writer?: unknown }).writer);
    await paced(ground, 100, () => {
      const subjects = [
        REPORTS,
        'anomaly.shortfall',
        'anomaly.nothing',
        ...known.map((writer) => `holdfast.live.changes.${String(writer)}`),
      ];
      ground.nats.publish(pickOf(ground, subjects), nonsense(ground));
    });
  },
};

export const garbageToOwners: Attack = {
  name: 'garbage-to-owners',
  of: 2,
  does: 'random bytes and wrong shapes to the owners of partitions, with and without a place for the answer',
  run: (ground) =>
    paced(ground, 100, () => {
      const subject = `holdfast.owner.${Math.floor(ground.random() * ground.target.partitions)}`;
      ground.nats.publish(subject, nonsense(ground), ground.random() < 0.5 ? {} : { reply: ground.fresh('_INBOX.x') });
    }),
};

/** Each report claims another node, because a receiver that keeps reports must search all of them. */
export const forgedReports: Attack = {
  name: 'forged-reports',
  of: 2,
  does: 'reports of 2,000 nodes a second that do not exist, each as a real one says it',
  run: async (ground) => {
    const [real] = (await overhear(ground, REPORTS)).map(({ value }) => value);
    await paced(ground, 10, () => {
      for (let i = 0; i < 200; i++) {
        const name = ground.fresh('evil');
        ground.nats.publish(REPORTS, pack(retold(real, (text, key) => (/^(writer|name)$/.test(key) ? name : text))));
      }
    });
  },
};

/** Fields that name things. Bent messages get other names, so that no honest number changes. */
const NAMING = /^(id|sku|skus|location|locations|lines|topics|reader)$/;

export const bentMessages: Attack = {
  name: 'bent-messages',
  of: 2,
  does: 'messages that nodes have sent each other, told again with one value that is something else',
  run: async (ground) => {
    const heard = (
      await Promise.all(['holdfast.owner.*', 'holdfast.live.>'].map((from) => overhear(ground, from)))
    ).flat();
    const others = heard.map(({ subject, value }) => ({
      subject,
      value: retold(value, (text, key) => (NAMING.test(key) ? `x-${text}` : text)),
    }));
    await paced(ground, 100, () => {
      const { subject, value } = pickOf(ground, others);
      const isRequest = subject.startsWith('holdfast.owner.');
      ground.nats.publish(subject, pack(bent(ground, value)), isRequest ? { reply: ground.fresh('_INBOX.x') } : {});
    });
  },
};

export const forgedRecords: Attack = {
  name: 'forged-records',
  of: 12,
  does: 'records of writers that never owned anything on journal.>, readable and not',
  run: (ground) =>
    paced(ground, 5, () => {
      const writer = ground.fresh('attacker');
      const parts = [[Math.floor(ground.random() * ground.target.partitions), 9_000]];
      const decision = [2, 'x-forged', Date.now(), parts];
      ground.nats.publish(`journal.${writer}`, ground.random() < 0.5 ? 'hello' : pack([1, writer, 1, '', [decision]]));
    }),
};
