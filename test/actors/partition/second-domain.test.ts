/**
 * A second domain beside stock, as small as possible: notes attached to a partition. It proves that a domain brings everything it needs:
 * its book, its decisions in the journal, its items in the snapshot and its audit.
 */
import { expect, it } from 'vitest';
import type { Book, Domain } from '../../../actors/book/domain.ts';
import type { PageItem, Pages } from '../../../actors/book/pages.ts';
import { FactIds } from '../../../actors/idempotency/fact-ids.ts';
import { Rules } from '../../../actors/idempotency/rules.ts';
import { foldDecision, foldFact } from '../../../actors/partition/fold.ts';
import { Partition } from '../../../actors/partition/partition.ts';
import { PartitionSet } from '../../../actors/partition/partition-set.ts';
import { decodeManifest, loadStored, SnapshotError } from '../../../actors/snapshot/format.ts';
import { MemorySnapshots } from '../../../actors/snapshot/memory-store.ts';
import { Snapshotter } from '../../../actors/snapshot/snapshotter.ts';
import { STOCK } from '../../../actors/stock/domain.ts';
import { SteadyClock } from '../../../src/process/steady-clock.ts';
import { type Decision, decisionForm, FENCED, type PartitionEpoch } from '../../../streams/journal/decision.ts';
import { DecisionForms, decodeRecord, encodeRecord } from '../../../streams/journal/record.ts';
import { STOCK_DECISIONS } from '../../../streams/journal/stock-decisions.ts';

interface Noted extends Decision {
  readonly kind: 'noted';
  readonly text: string;
}

class Note implements PageItem {
  page = 0;
  readonly kind = 'note';
  times = 1;
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

class NoteBook implements Book {
  seq = 0;
  readonly pages: Pages;
  readonly notes = new Map<string, Note>();
  constructor(pages: Pages) {
    this.pages = pages;
  }
}

const NOTES: Domain<NoteBook> = {
  name: 'notes',
  open: (_, pages) => new NoteBook(pages),
  clear: (book) => book.notes.clear(),
  decisions: ['noted'],
  evolve: (book, decision) => {
    const { text } = decision as Noted;
    book.seq += 1;
    const known = book.notes.get(text);
    if (known !== undefined) {
      book.pages.touch(known);
      known.times += 1;
      return;
    }
    const note = new Note(text);
    book.notes.set(text, note);
    book.pages.place(note);
  },
  items: [
    {
      codes: [100],
      kind: 'note',
      encode: (item) => [100, (item as Note).text, (item as Note).times],
      load: (book, [text, times], page) => {
        const note = new Note(text as string);
        note.times = times as number;
        book.notes.set(note.text, note);
        book.pages.place(note, page);
      },
    },
  ],
  audit: (book) =>
    [...book.notes.values()]
      .filter(({ times }) => times < 1)
      .map(({ text }) => ({ invariant: 'NOTE1', what: `${text} was noted less than once` })),
};

const NOTED = decisionForm<Noted, [string, readonly PartitionEpoch[]]>(
  100,
  'noted',
  ({ text, parts }) => [text, parts],
  ([text, parts]) => ({ kind: 'noted', text, parts }),
);
const forms = new DecisionForms([...STOCK_DECISIONS, FENCED, NOTED]);
const noted = (text: string): Noted => ({ kind: 'noted', text, parts: [[0, 1]] });
const receipt = {
  id: 'f',
  sku: 'mug',
  location: 'x',
  at: 1,
  device: undefined,
  type: 'receipt',
  qty: 3,
  damaged: 0,
} as const;

/** Both domains, with a note in the journal and a folded fact. */
function filled(): Partition {
  const partition = new Partition(0, 0, [STOCK, NOTES]);
  const bytes = encodeRecord({ writer: 'w', n: 1, before: '', decisions: [noted('fragile'), noted('fragile')] }, forms);
  for (const decision of decodeRecord(bytes, forms).decisions) foldDecision(partition, decision);
  foldFact(partition, receipt, 1);
  return partition;
}

const notesOf = (partition: Partition) =>
  [...partition.books.of(NOTES).notes.values()].map(({ text, times }) => [text, times]);

async function snapshotOf(partition: Partition) {
  const store = new MemorySnapshots();
  const snapshotter = new Snapshotter(partition, new FactIds(), store, {
    partitions: 1,
    created: {},
    horizonsKnown: () => 1,
    tip: () => ({ writer: 'w', n: 0, hash: '', seq: 0 }),
    clock: new SteadyClock(),
    turnMs: 0,
  });
  expect(await snapshotter.take()).toBe(true);
  return { store, snapshotter, manifest: async () => decodeManifest((await store.manifests(0))[0] as Buffer) };
}

it('folds decisions that came through the journal, beside stock', () => {
  const partition = filled();
  expect(notesOf(partition)).toEqual([['fragile', 2]]);
  expect(partition.book.findKey('mug', 'x')?.sellable).toBe(3);
  expect(partition.books.seq).toBe(3);
});

it('is in the snapshot with its items, and a change of it alone makes another one due', async () => {
  const partition = filled();
  const { store, snapshotter, manifest } = await snapshotOf(partition);
  expect(await snapshotter.take()).toBe(false);
  foldDecision(partition, noted('heavy'));
  expect(await snapshotter.take()).toBe(true);
  const again = new Partition(0, 0, [STOCK, NOTES]);
  await loadStored(store, await manifest(), again.books, new FactIds(), new Rules());
  expect(notesOf(again)).toEqual([
    ['fragile', 2],
    ['heavy', 1],
  ]);
  expect(again.book.findKey('mug', 'x')?.sellable).toBe(3);
});

it('is refused by a program that does not know it, in the snapshot and in the journal', async () => {
  const { store, manifest } = await snapshotOf(filled());
  const other = new Partition(0);
  await expect(loadStored(store, await manifest(), other.books, new FactIds(), new Rules())).rejects.toThrow(
    SnapshotError,
  );
  const bytes = encodeRecord({ writer: 'w', n: 1, before: '', decisions: [noted('fragile')] }, forms);
  expect(() => decodeRecord(bytes)).toThrow('unknown kind 100');
  expect(() => foldDecision(other, noted('fragile'))).toThrow('no domain knows a decision noted');
});

it('is audited with the others before a suspect is served', () => {
  const partition = filled();
  const set = new PartitionSet({ clock: new SteadyClock(), note: () => undefined });
  set.quarantine.suspect(0, 'its book did not add up');
  (partition.books.of(NOTES).notes.get('fragile') as Note).times = 0;
  set.add([partition]);
  set.serve([partition]);
  expect(set.served).toEqual([]);
  expect(set.quarantine.list[0]?.why).toBe('its book does not add up: NOTE1 fragile was noted less than once');
});

it('cannot share a decision or an item with another domain', () => {
  expect(() => new Partition(0, 0, [STOCK, NOTES, { ...NOTES, name: 'more notes' }])).toThrow('named noted');
  const items = NOTES.items.map((form) => ({ ...form, codes: [0] }));
  expect(() => new Partition(0, 0, [STOCK, { ...NOTES, items }])).toThrow('share a code');
  expect(() => new DecisionForms([...STOCK_DECISIONS, { ...NOTED, code: 1 }])).toThrow('code 1');
});
