/** `holdfast verify` finds damage and names its place. The damage is done on real servers, as a disk or a stranger would do it. */

import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { blobRef, decodeManifest, encodeManifest } from '../../../actors/snapshot/format.ts';
import { BASELINES_OBJECTS, JOURNAL_STREAM } from '../../../config/topology.ts';
import { names } from '../../../harness/callers/auditor.ts';
import { KeptNode } from '../../../harness/processes/kept-node.ts';
import { type Decision, fence } from '../../../streams/journal/decision.ts';
import { decodeRecord, encodeRecord, recordHash } from '../../../streams/journal/record.ts';
import type { Stepped } from '../../../streams/journal/stock-decisions.ts';
import { partitionOf } from '../../../streams/subjects.ts';
import { pageWithMore } from '../snapshot/stored-page.ts';

const skus = names('V', 12);
const sku = skus[0] as string;
const partition = partitionOf(sku, 32);
let kept: KeptNode;

beforeEach(async () => {
  kept = await KeptNode.up();
  await kept.facts('a', skus);
  for (const each of skus) expect(await kept.reserve(`r-${each}`, each, 2)).toBe(201);
  expect(await kept.node.stop()).toBe(0);
  expect(await kept.holdfast('verify')).toMatchObject({ code: 0, answer: { good: true, faults: [] } });
});
afterEach(() => kept.close());

/** Appends a record that does not fit its chain to the only writer's subject. */
async function append(change: { n?: number; before?: string; decisions?: readonly Decision[] }) {
  const last = await kept.broker.message(JOURNAL_STREAM, (await kept.broker.stream(JOURNAL_STREAM))?.lastSeq ?? 0);
  if (last === undefined) throw new Error('JOURNAL is empty');
  const tail = decodeRecord(last.data);
  const record = { writer: tail.writer, n: tail.n + 1, before: recordHash(last.data), decisions: [], ...change };
  const seq = await kept.broker.publish(last.subject, encodeRecord(record));
  return { seq, writer: tail.writer, n: record.n };
}

/** Rewrites a partition's snapshot in Redis. */
async function tamper(change: (fields: Record<string, Buffer>) => void) {
  const snapshots = await kept.snapshots();
  change(snapshots.get(`holdfast:{p${partition}}`) as Record<string, Buffer>);
  await kept.setSnapshots(snapshots);
}

it('names the record that does not follow the one before', async () => {
  const { seq, writer, n } = await append({ n: 99 });
  const { code, answer } = await kept.holdfast('verify');
  expect(code).toBe(1);
  expect(answer.faults[0]).toMatchObject({ check: 'journal', stream: 'JOURNAL', seq, writer, n });
  expect(answer.faults[0].what).toMatch(/does not follow record \d+/);
});

it('names the record whose hash of the one before is wrong', async () => {
  const { seq, writer, n } = await append({ before: '00' });
  expect((await kept.holdfast('verify')).answer.faults[0]).toMatchObject({ check: 'journal', seq, writer, n });
});

it('names a record that decides in an epoch before the last, and one behind a fence', async () => {
  const released = (epoch: number): Stepped => ({
    kind: 'released',
    id: `r-${sku}`,
    atMs: 1,
    parts: [[partition, epoch]],
  });
  await append({ decisions: [fence('another', [[partition, 1_000_000]])] });
  const behind = await append({ decisions: [released(999_999)] });
  const { answer } = await kept.holdfast('verify');
  expect(answer.faults[0]).toMatchObject({ check: 'journal', ...behind });
  expect(answer.faults[0].what).toMatch(/behind its fence of 1000000/);
});

it('names a record that an older owner wrote after a newer one', async () => {
  const released: Stepped = { kind: 'released', id: `r-${sku}`, atMs: 1, parts: [[partition, 0]] };
  const record = await append({ decisions: [released] });
  const { answer } = await kept.holdfast('verify');
  expect(answer.faults[0]).toMatchObject({ check: 'journal', ...record });
  expect(answer.faults[0].what).toMatch(/in epoch 0, behind one of/);
});

it('names the fact that is missing between two others', async () => {
  const connection = await connect({ servers: kept.servers.nats.url });
  await (await jetstreamManager(connection)).streams.deleteMessage('SALES', 2);
  await connection.close();
  const { code, answer } = await kept.holdfast('verify');
  expect(code).toBe(1);
  expect(answer.faults[0]).toMatchObject({ check: 'facts', stream: 'SALES', seq: 2 });
});

it('names the snapshot with a damaged page', async () => {
  await tamper((fields) => {
    const page = fields[decodeManifest(fields.m0 as Buffer).pages[0]?.name as string] as Buffer;
    page[page.length >> 1] = (page[page.length >> 1] as number) ^ 4;
  });
  const { answer } = await kept.holdfast('verify');
  expect(answer.faults).toMatchObject([{ check: 'snapshot', partition, what: expect.stringMatching(/is damaged/) }]);
});

it('names the page whose number is not what the streams say, though its checksum is right', async () => {
  await tamper((fields) => {
    const manifest = decodeManifest(fields.m0 as Buffer);
    const ref = manifest.pages[0] as (typeof manifest.pages)[number];
    const bytes = pageWithMore(fields[ref.name] as Buffer, sku, 1) as Buffer;
    fields[ref.name] = bytes;
    const pages = manifest.pages.map((each) => (each === ref ? { page: ref.page, ...blobRef(ref.name, bytes) } : each));
    fields.m0 = encodeManifest({ ...manifest, pages });
  });
  const { code, answer } = await kept.holdfast('verify');
  expect(code).toBe(1);
  expect(answer.faults).toMatchObject([{ check: 'snapshot', partition, page: 0 }]);
  expect(answer.faults[0].what).toMatch(
    new RegExp(`${sku} at dc is .*"sellable":10.*, the streams say .*"sellable":9`),
  );
});

it('names what a baseline lacks, and a snapshot that the streams no longer reach', async () => {
  expect((await kept.holdfast('baseline')).code).toBe(0);
  const objects = await kept.broker.objects(BASELINES_OBJECTS, 1);
  const name = (await objects.names()).find((each) => each.endsWith(`/p${partition}`)) as string;
  await objects.delete(name);
  await tamper((fields) => {
    const manifest = decodeManifest(fields.m0 as Buffer);
    fields.m0 = encodeManifest({ ...manifest, journalSeq: manifest.journalSeq + 1_000 });
  });
  const { answer } = await kept.holdfast('verify');
  expect(answer.faults).toContainEqual(
    expect.objectContaining({ check: 'baseline', partition, what: expect.stringContaining(`${name} is missing`) }),
  );
  expect(answer.faults).toContainEqual(
    expect.objectContaining({ check: 'snapshot', partition, what: expect.stringContaining('their end has been lost') }),
  );
});
