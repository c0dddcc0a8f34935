/** Requests whose answers or decisions are far larger than they are (cases 1, 2, 3 and 6). */
import { headers as natsHeaders } from '@nats-io/transport-node';
import { type Attack, anyNode, fact, type Ground, paced, pickOf } from '../attack.ts';
import { hit, submit } from './hit.ts';

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

const STORES = 300;
/** A SKU at many locations. Each line of a query is answered with all of them. */
const wideFacts = () => range(STORES).map((i) => fact(`x-wide-${i}`, 'X-WIDE', `xw${i}`, { qty: 3 }));
const lines = (count: number) => ({ lines: range(count).map(() => ({ sku: 'X-WIDE' })) });

/** The attacker does not care about the decision and waits for it no longer than this. */
const PATIENCE_MS = 5_000;

async function request(ground: Ground, subject: string, body: unknown): Promise<void> {
  await ground.nats.request(subject, JSON.stringify(body), { timeout: PATIENCE_MS });
}

export const wideQuery: Attack = {
  name: 'wide-query',
  of: 1,
  does: 'atp.query with 1,200 to 5,000 lines of one SKU at 300 locations: 17 kB ask for an answer of many MB',
  prepare: (ground) => submit(anyNode(ground), wideFacts()),
  run: (ground) => paced(ground, 2, () => request(ground, 'atp.query', lines(pickOf(ground, [1_200, 2_500, 5_000])))),
};

/** Each fact is within the size limit. Together they exceed the server's max_payload, so a page of `explain` must be cut. */
const NOTE = 'n'.repeat(50_000);

export const fatExplain: Attack = {
  name: 'fat-explain',
  of: 1,
  does: 'explain of a key whose facts hold more than max_payload, asked of every node',
  prepare: async (ground) => {
    const count = Math.ceil((1.3 * ground.maxPayload) / NOTE.length);
    await submit(
      anyNode(ground),
      range(count).map((i) => fact(`x-fat-${i}`, 'X-FAT', 'xf', { note: NOTE })),
      20,
    );
  },
  run: (ground) =>
    paced(ground, 2, () => Promise.all(ground.target.http.map((url) => hit(url, 'GET', '/v1/explain/X-FAT/xf')))),
};

/** The longest allowed name: 64 characters, of which 60 take four bytes. */
const longName = (i: number) => `${'𒀀'.repeat(60)}${String(i).padStart(4, '0')}`;
const LOCATIONS = 1_000;
/** Bytes of one line of such a decision. */
const PART_BYTES = 260;
const splitSkus = (ground: Ground) =>
  range(Math.ceil((1.2 * ground.maxPayload) / (PART_BYTES * LOCATIONS))).map((i) => `X-SPLIT-${i}`);

export const hugeDecision: Attack = {
  name: 'huge-decision',
  of: 3,
  does: 'a reservation of a few split lines that takes one unit of each of thousands of locations with long names',
  prepare: async (ground) => {
    for (const sku of splitSkus(ground))
      await submit(
        anyNode(ground),
        range(LOCATIONS).map((i) => fact(`${sku}-${i}`, sku, longName(i), { qty: 500 })),
      );
  },
  run: (ground) => {
    const lines = splitSkus(ground).map((sku) => ({ sku, qty: 500 * LOCATIONS, split: true }));
    return paced(ground, 2, async () => {
      const body = { id: ground.fresh('x-huge'), ttlSeconds: 5, lines };
      if (ground.random() < 0.5) await request(ground, 'reservation.place', body);
      else await hit(anyNode(ground), 'POST', '/v1/reservations', body);
    });
  },
};

const SHORT_LINES = 499;

export const hugeShortages: Attack = {
  name: 'huge-shortages',
  of: 3,
  does: 'many partial baskets at once, each of one line that is granted and 499 short ones with long names',
  prepare: (ground) => submit(anyNode(ground), [fact('x-short', 'X-SHORT', 'xs', { qty: 1_000_000_000 })]),
  run: (ground) =>
    paced(ground, 0.5, () =>
      Promise.all(
        range(24).map(() => {
          const short = range(SHORT_LINES).map((i) => ({ sku: longName(i), qty: 1 }));
          const body = { id: ground.fresh('x-short'), ttlSeconds: 5, partial: true };
          return hit(anyNode(ground), 'POST', '/v1/reservations', {
            ...body,
            lines: [{ sku: 'X-SHORT', qty: 1 }, ...short],
          });
        }),
      ),
    ),
};

export const wideAtp: Attack = {
  name: 'wide-atp',
  of: 6,
  does: 'POST /v1/atp of 100 kB: 5,000 lines of one SKU at 300 locations, two at a time',
  prepare: (ground) => submit(anyNode(ground), wideFacts()),
  run: (ground) =>
    paced(ground, 1, () => Promise.all(range(2).map(() => hit(anyNode(ground), 'POST', '/v1/atp', lines(5_000))))),
};

export const wideBasket: Attack = {
  name: 'wide-basket',
  of: 6,
  does: 'reservations of 500 lines that name 1,000 locations each',
  run: (ground) =>
    paced(ground, 0.5, () => {
      const named = range(1_000).map((i) => `n${i}`);
      const basket = range(500).map((i) => ({ sku: `X-NAMED-${i}`, qty: 1, locations: named }));
      return hit(anyNode(ground), 'POST', '/v1/reservations', { id: ground.fresh('x-named'), lines: basket });
    }),
};

const HOT_FACTS = 8_000;

export const hotExplain: Attack = {
  name: 'hot-explain',
  of: 6,
  does: 'explain of a key with 8,000 facts, over and over',
  prepare: (ground) =>
    submit(
      anyNode(ground),
      range(HOT_FACTS).map((i) => fact(`x-hot-${i}`, 'X-HOT', 'xh')),
      1_000,
    ),
  run: (ground) => paced(ground, 2, () => hit(anyNode(ground), 'GET', '/v1/explain/X-HOT/xh')),
};

/** Service subjects with bodies that are invalid in every way. */
export const wrongRequests: Attack = {
  name: 'wrong-requests',
  of: 2,
  does: 'random bytes, nil and wrong shapes with wrong content types to the subjects of the service',
  run: (ground) =>
    paced(ground, 100, () => {
      const subject = pickOf(ground, [
        'atp.query',
        'reservation.place',
        'reservation.confirm',
        'reservation.release',
        'stock.get',
        'fact.submit',
        'reservation.amend',
      ]);
      const headers = natsHeaders();
      headers.set('Content-Type', pickOf(ground, ['application/json', 'application/msgpack', 'text/html', '']));
      const shapes = ['', '{', 'null', '[]', '{"id":7}', '{"lines":{}}', '\u00c0', `[${'['.repeat(5_000)}`];
      const body =
        ground.random() < 0.3
          ? Buffer.from(range(200).map(() => Math.floor(ground.random() * 256)))
          : pickOf(ground, shapes);
      ground.nats.publish(subject, body, { headers, reply: ground.fresh('_INBOX.x') });
    }),
};
