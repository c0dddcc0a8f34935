/** Records that strangers write to JOURNAL, on real processes. They do not count and stop no writer, or a person judges them. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { JOURNAL_STREAM, NODES_BUCKET } from '../../../config/topology.ts';
import { names } from '../../../harness/callers/auditor.ts';
import { KeptNode } from '../../../harness/processes/kept-node.ts';
import { encodeRecord } from '../../../streams/journal/record.ts';
import type { Granted } from '../../../streams/journal/stock-decisions.ts';
import { journalSubject, partitionOf } from '../../../streams/subjects.ts';

const skus = names('F', 12);
let kept: KeptNode;

beforeAll(async () => {
  kept = await KeptNode.up();
  await kept.facts('f', skus);
  for (const sku of skus) expect(await kept.reserve(`f-${sku}`, sku, 1)).toBe(201);
}, 60_000);
afterAll(() => kept.close());

const forge = (subject: string, bytes: Uint8Array) => kept.broker.publish(subject, bytes);
const writerOf = async () => {
  const nodes = await (await kept.broker.keys(NODES_BUCKET, { ttlMs: 3_000, replicas: 1 })).all();
  return (JSON.parse(nodes[0]?.value ?? '') as { writer: string }).writer;
};
const metric = async (name: string) =>
  new RegExp(`^holdfast_${name} (\\S+)$`, 'm').exec(await (await fetch(`${kept.url()}/metrics`)).text())?.[1];

/** A hold of all available units, as an owner of the partition would write it. */
function grantOf(sku: string, writer: string): Uint8Array {
  const partition = partitionOf(sku, 32);
  const parts = [[partition, 1_000_000]] as const;
  const lines = [{ index: 0, sku, location: 'dc', qty: 8, partition, seq: 1 }];
  const granted: Granted = {
    kind: 'granted',
    id: `stolen-${sku}`,
    content: { hi: 1, lo: 2 },
    channel: 'web',
    purpose: 'order',
    atMs: Date.now(),
    expiresAtMs: Date.now() + 86_400_000,
    coordinator: partition,
    participants: [partition],
    parts,
    lines,
    shortages: [],
  };
  return encodeRecord({ writer, n: 1, before: '', decisions: [granted] });
}

it('records of a writer that never owned anything do not count, and all partitions are served after a restart', async () => {
  const numbers = await kept.numbers(skus);
  const first = await forge('journal.attacker', Buffer.from('hello'));
  await forge('journal.attacker', grantOf(skus[0] as string, 'attacker'));
  await forge('journal.stranger', grantOf(skus[1] as string, 'stranger'));
  // The record names an enrolled writer but is on another writer's subject.
  await forge('journal.stranger', grantOf(skus[2] as string, await writerOf()));
  await kept.node.kill();
  await kept.setSnapshots();
  await kept.node.up();
  expect((await kept.node.readiness())?.owned).toBe(32);
  expect(await kept.numbers(skus)).toEqual(numbers);
  expect(kept.node.logged('records of writers that never owned a partition do not count')[0]).toMatchObject({
    records: 4,
    first: `JOURNAL.${first}`,
    subject: 'journal.attacker',
  });
  expect(await metric('journal_set_aside_records')).toBe('4');
  const verified = await kept.holdfast('verify');
  expect([verified.code, verified.answer.faults]).toEqual([0, []]);
  expect(verified.answer.notes).toContainEqual(
    expect.stringMatching(/^4 records of JOURNAL are of writers that never/),
  );
  expect((await kept.holdfast('baseline')).code).toBe(0);
  const findings = (await kept.holdfast('doctor')).answer as { what: string; state: string; says: string }[];
  expect(findings.find(({ what }) => what === 'writers of JOURNAL')).toMatchObject({
    state: 'warning',
    says: expect.stringMatching(/journal\.attacker/),
  });
  const shown = (await kept.holdfast('quarantine', 'show', 'JOURNAL', String(first))).answer;
  expect([shown.stops, shown.says]).toEqual([false, 'its writer never owned a partition: it does not count anyway']);
}, 60_000);

it('bytes on the subject of a live writer: quarantine explains them, a person skips them, and all is served again', async () => {
  const numbers = await kept.numbers(skus);
  const forged = await forge(journalSubject(await writerOf()), Buffer.from('hello \u001b[31m'));
  // The writer's next append meets a record that it cannot explain.
  void fetch(`${kept.url()}/v1/reservations/f-${skus[0]}/confirm`, { method: 'POST' }).catch(() => undefined);
  expect(await kept.node.ended()).toBe(1);
  expect(kept.node.logged('this node cannot go on')[0]?.why).toBe(
    `the message at JOURNAL.${forged} in our name is no record`,
  );
  // The log alone must restore it.
  await kept.setSnapshots();
  kept.node.start();
  const held = async () => (await kept.holdfast('quarantine')).answer.quarantined as { place: string }[];
  await expect.poll(async () => (await held()).length, { timeout: 20_000 }).toBe(32);
  expect(new Set((await held()).map(({ place }) => place))).toEqual(new Set([`JOURNAL.${forged}`]));
  const place = ['JOURNAL', String(forged)];
  const shown = (await kept.holdfast('quarantine', 'show', ...place)).answer;
  expect(shown).toMatchObject({ stops: true, stored: { begins: '68656c6c6f201b5b33316d' } });
  const judged = ['--by', 'Ana', '--why', 'forged by a test'];
  const fine = await kept.holdfast('quarantine', 'skip', 'JOURNAL', '1', ...judged);
  expect([fine.code, fine.err]).toEqual([
    1,
    'JOURNAL.1 is not skipped: it reads fine and follows the record before it\n',
  ]);
  expect((await kept.holdfast('quarantine', 'skip', ...place)).code).toBe(2);
  expect((await kept.holdfast('quarantine', 'skip', ...place, ...judged)).code).toBe(0);
  await kept.node.serves(10_000);
  expect(await kept.numbers(skus)).toEqual(numbers);
  expect(await kept.reserve('after', skus[3] as string, 1)).toBe(201);
  const verified = await kept.holdfast('verify');
  expect([verified.code, verified.answer.faults]).toEqual([0, []]);
  expect(verified.answer.notes).toContainEqual(
    expect.stringMatching(new RegExp(`^JOURNAL.${forged} is passed over: Ana has skipped it at .*: forged by a test$`)),
  );
  expect((await kept.holdfast('baseline')).code).toBe(0);
  expect((await kept.holdfast('trim')).code).toBe(0);
  expect((await kept.holdfast('quarantine')).answer).toMatchObject({ quarantined: [], skips: [{ by: 'Ana' }] });
  expect((await kept.broker.message(JOURNAL_STREAM, forged))?.seq ?? forged).toBe(forged);
}, 60_000);
