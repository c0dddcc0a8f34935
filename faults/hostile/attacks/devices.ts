/** Messages of a lying till (cases 4, 10 and 12). They go to the subjects of facts, which every device may write. */
import { headers as natsHeaders } from '@nats-io/transport-node';
import { ask } from '../../../harness/callers/http-caller.ts';
import { encodeToken } from '../../../streams/subjects.ts';
import { type Attack, anyNode, fact, type Ground, paced, pickOf, randomBytes } from '../attack.ts';
import { hit } from './hit.ts';

type Fields = Readonly<Record<string, string>>;

/** Publishes like a device that does not wait for an acknowledgement. */
function tell(ground: Ground, subject: string, data: string | Uint8Array, fields: Fields = {}): void {
  const headers = natsHeaders();
  for (const [name, value] of Object.entries(fields)) headers.set(name, value);
  ground.nats.publish(subject, data, { headers });
}

/** Names spread over all partitions. */
const sku = (ground: Ground, prefix: string) => `${prefix}-${Math.floor(ground.random() * 64)}`;
const LONG_TYPE = `text/${'x'.repeat(30_000)}`;

/** As large as the server allows, because it announces max_payload to every client. */
export const unreadable: Attack = {
  name: 'unreadable',
  of: 4,
  does: 'unreadable messages near max_payload with a Content-Type of 30 kB, at 4 MB/s',
  run: (ground) =>
    paced(ground, Math.min(4, 4_000_000 / ground.maxPayload), () => {
      const room = ground.maxPayload - LONG_TYPE.length - 100;
      tell(ground, `sale.xu.${sku(ground, 'X-UNREAD')}`, Buffer.alloc(room, 1), { 'Content-Type': LONG_TYPE });
    }),
};

export const unreadableMany: Attack = {
  name: 'unreadable-many',
  of: 4,
  does: '258 unreadable messages at once, each near the largest fact, with a Content-Type of 30 kB',
  run: (ground) =>
    paced(ground, 0.2, () => {
      for (let i = 0; i < 258; i++) {
        const type = pickOf(ground, ['sale', 'receipt', 'count', 'return', 'transfer', 'adjustment']);
        tell(ground, `${type}.xu.${sku(ground, 'X-UNREAD')}`, Buffer.alloc(30_000, 1), { 'Content-Type': LONG_TYPE });
      }
    }),
};

export const filling: Attack = {
  name: 'filling',
  of: 4,
  does: 'facts that count, each with 50 kB that nobody reads, at 2 MB/s',
  run: (ground) =>
    paced(ground, 4, () => {
      for (let i = 0; i < 10; i++) {
        const name = sku(ground, 'X-FILL');
        tell(
          ground,
          `receipt.xu.${name}`,
          JSON.stringify(fact(ground.fresh('x-fill'), name, 'xu', { note: 'f'.repeat(50_000) })),
        );
      }
    }),
};

const longAgo = () => new Date(Date.now() - 30 * 86_400_000).toISOString();

/** Checks that nothing sent for this SKU counts. */
async function unknownStill(url: string, name: string, why: string): Promise<string[]> {
  const { status, body } = await ask(url, 'GET', `/v1/stock/${encodeURIComponent(name)}`);
  return status === 404 ? [] : [`${why}: ${name} is ${status} ${JSON.stringify(body)?.slice(0, 200)}`];
}

export const falseResubmit: Attack = {
  name: 'false-resubmit',
  of: 10,
  does: 'facts of last month with the header of a resubmission, and on subjects where resubmissions may travel',
  run: (ground) =>
    paced(ground, 20, () => {
      const old = fact(ground.fresh('x-old'), 'X-OLD', 'xo', { occurredAt: longAgo() });
      const again = pickOf(ground, ['', '', 'again.', 'resubmit.', 'parked.again.']);
      const fields = {
        'Holdfast-Resubmit': pickOf(ground, ['yes', '1', 'true']),
        'Holdfast-Source': `SALES.${1 + Math.floor(ground.random() * 100)}`,
      };
      const subject =
        again === 'again.' && ground.random() < 0.5 ? 'again.7.receipt.xo.X-OLD' : `${again}receipt.xo.X-OLD`;
      tell(ground, subject, JSON.stringify(old), fields);
    }),
  leaves: (url) => unknownStill(url, 'X-OLD', 'a stranger has switched off the horizon'),
};

export const deepFacts: Attack = {
  name: 'deep-facts',
  of: 12,
  does: 'facts over NATS with an unknown field that is 20,000 levels deep, JSON and MessagePack',
  run: (ground) =>
    paced(ground, 10, () => {
      const text = JSON.stringify(fact(ground.fresh('x-deep'), 'X-DEEP', 'xd', { deep: 0 }));
      const deep = text.replace('"deep":0', `"deep":${'['.repeat(20_000)}${']'.repeat(20_000)}`);
      tell(ground, 'receipt.xd.X-DEEP', deep, { 'Content-Type': 'application/json' });
    }),
  leaves: (url) => unknownStill(url, 'X-DEEP', 'a fact deeper than HTTP takes has counted'),
};

/** Small messages whose decoder would use, or ask for, far more memory than their size. */
function bomb(ground: Ground): Uint8Array {
  return pickOf(ground, [
    Buffer.alloc(60_000, 0x91),
    Buffer.alloc(60_000, 0x81),
    Buffer.from('ddffffffff', 'hex'),
    Buffer.from('dfffffffff', 'hex'),
    Buffer.from('dbffffffff61', 'hex'),
    Buffer.from('c6ffffffff00', 'hex'),
    Buffer.concat([Buffer.from('c80000ff', 'hex'), Buffer.alloc(255, 0xff)]),
    Buffer.concat([Buffer.from('c90000ea6042', 'hex'), Buffer.alloc(60_000, 0x7f)]),
    Buffer.concat([Buffer.from('82a26964', 'hex'), Buffer.alloc(40_000, 0xdd)]),
    randomBytes(ground, 2_000),
  ]);
}

export const bombs: Attack = {
  name: 'bombs',
  of: 12,
  does: 'MessagePack with false lengths, deep nesting and huge extensions as facts, requests and bodies',
  run: (ground) =>
    paced(ground, 30, () => {
      const fields = { 'Content-Type': 'application/msgpack' };
      const turn = ground.random();
      if (turn < 0.4) return tell(ground, `sale.xb.${sku(ground, 'X-BOMB')}`, bomb(ground), fields);
      if (turn < 0.6)
        return tell(ground, pickOf(ground, ['atp.query', 'reservation.place', 'fact.submit']), bomb(ground), fields);
      return hit(
        anyNode(ground),
        'POST',
        pickOf(ground, ['/v1/facts', '/v1/atp', '/v1/reservations']),
        bomb(ground),
        fields,
      );
    }),
};

export const headerTricks: Attack = {
  name: 'header-tricks',
  of: 12,
  does: 'headers by which a publisher tells the server to remove, expire, refuse or swallow messages',
  run: (ground) =>
    paced(ground, 30, () => {
      const fields = pickOf<Fields>(ground, [
        { 'Nats-Rollup': 'all' },
        { 'Nats-Rollup': 'sub' },
        { 'Nats-TTL': '1s' },
        { 'Nats-Expected-Stream': 'JOURNAL' },
        { 'Nats-Expected-Last-Sequence': '1' },
        { 'Nats-Expected-Last-Subject-Sequence': '0' },
        { 'Nats-Expected-Last-Msg-Id': 'x' },
        { 'Nats-Msg-Id': 'y'.repeat(10_000) },
        { 'Nats-Schedule': '@every 1s', 'Nats-Schedule-Target': 'sale.x.y' },
        { 'Nats-Batch-Id': 'x', 'Nats-Batch-Sequence': '1' },
        { 'Nats-Marker-Reason': 'Purge' },
        { 'KV-Operation': 'PURGE' },
      ]);
      const name = sku(ground, 'X-TRICK');
      const to = pickOf(ground, ['sale', 'receipt', 'count']);
      tell(ground, `${to}.xt.${name}`, JSON.stringify(fact(ground.fresh('x-trick'), name, 'xt')), fields);
    }),
};

/** Zero-width, bidi, tag, replacement and joiner characters. Such names look like other names or like nothing. */
const ODD = ['\u200b', '\u202e', '\u2066', '\u{e0041}', '\ufffd', '\u00ad', '\u2060', '\ufeff', '\u180e'];

export const oddNames: Attack = {
  name: 'odd-names',
  of: 12,
  does: 'SKUs and locations with invisible characters, names that metrics use, ids of one pattern',
  run: (ground) =>
    paced(ground, 10, async () => {
      const odd = pickOf(ground, ODD);
      const id = ground.fresh('x-odd');
      const facts = [
        fact(`${id}-a`, `X${odd}-ODD`, 'xn'),
        fact(`${id}-b`, 'X-ODD', `x${odd}n`),
        fact(`${id}-c`, 'X-ODDLY', pickOf(ground, ['other', '__proto__', 'constructor', 'toString'])),
        fact(id.padStart(128, '0'), 'X-ODDLY', 'xn'),
      ];
      for (const each of facts) {
        const [name, at] = [encodeToken(String(each.sku)), encodeToken(String(each.location))];
        tell(ground, `receipt.${at}.${name}`, JSON.stringify(each));
      }
      const { status, text } = await hit(anyNode(ground), 'POST', '/v1/facts', facts);
      if (
        status === 200 &&
        !text.includes('"accepted":2') &&
        !text.includes('"accepted":1') &&
        !text.includes('"accepted":0')
      )
        ground.wrong(`a name with U+${odd.codePointAt(0)?.toString(16)} is taken: ${text.slice(0, 200)}`);
    }),
  leaves: (url) => unknownStill(url, 'X-ODD', 'a location with invisible characters counts'),
};

/** A list of parked facts must be readable to its end, whatever a stranger writes there. */
export const brokenEscapes: Attack = {
  name: 'broken-escapes',
  of: 12,
  does: 'messages on parked.> with headers that cannot be decoded',
  run: (ground) =>
    paced(ground, 2, () => {
      const fields = {
        'Holdfast-Reason': pickOf(ground, ['unreadable', '%', 'nothing']),
        'Holdfast-Message': pickOf(ground, ['%E0%A4%A', '%', '%ZZ', 'x'.repeat(40_000)]),
        'Holdfast-Subject': pickOf(ground, ['%E0%A4%A', '%ff']),
        'Content-Type': pickOf(ground, ['application/msgpack', '%']),
      };
      tell(ground, `parked.${ground.fresh('x')}`, pickOf(ground, ['', '{', '%']), fields);
    }),
  leaves: async (url) => {
    const { status } = await ask(url, 'GET', '/v1/parked?limit=200', undefined, 30_000);
    return status === 200 ? [] : [`the list of parked facts answers ${status}`];
  },
};
