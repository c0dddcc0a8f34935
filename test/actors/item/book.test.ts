/** The book of items: the latest fact wins, in whatever order facts come, and what a snapshot keeps of it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ItemBook } from '../../../actors/item/book.ts';
import { ITEMS } from '../../../actors/item/domain.ts';
import { itemQuery } from '../../../actors/item/words.ts';
import { Partition } from '../../../actors/partition/partition.ts';
import { encodePage } from '../../../actors/snapshot/format.ts';
import type { ItemFact } from '../../../streams/fact/item.ts';
import { differenceOf, goldenPage, loaded, pageOf } from '../snapshot/pages.ts';
import { GOLDEN, item, itemsFolded, itemsIn } from './given.ts';

const named = (facts: readonly ItemFact[]) =>
  itemsIn(itemsFolded(facts)).map((each) => (each as { name: string }).name);

describe('of several facts for one SKU', () => {
  const moved = (own: number) => ({ own: item(own, '', '').at });
  it.each<[string, ItemFact, ItemFact]>([
    ['the later one', item(2, 'a', 'wins'), item(1, 'b', 'loses')],
    ['at one moment, the one with the greater id', item(1, 'b', 'wins'), item(1, 'a', 'loses')],
    ['ids compared by their UTF-8 bytes', item(1, '\u{1f600}', 'wins'), item(1, '\uff5e', 'loses')],
    ['a longer id', item(1, 'a0', 'wins'), item(1, 'a', 'loses')],
    [
      'of those moved to one moment, the one with the later clock',
      item(1, 'a', 'wins', moved(9)),
      item(1, 'b', 'loses', moved(8)),
    ],
    ['a moved one', item(1, 'a', 'wins', moved(9)), item(1, 'b', 'loses')],
    ['under one id, always the same', item(1, 'a', 'wins'), item(1, 'a', 'loses')],
  ])('%s wins', (_, wins, loses) => {
    expect([named([wins, loses]), named([loses, wins])]).toEqual([['wins'], ['wins']]);
  });
});

const facts = fc.array(
  fc
    .record({
      second: fc.integer({ min: 0, max: 3 }),
      own: fc.option(fc.integer({ min: 4, max: 6 }), { nil: undefined }),
      id: fc.constantFrom('a', 'b', '\u{1f600}', '\uff5e'),
      sku: fc.constantFrom('mug', 'pan', 'Größe'),
      name: fc.constantFrom('one', 'two', 'Über'),
      attributes: fc.constantFrom<ItemFact['attributes']>([], [['size', 'L']]),
    })
    .map(({ second, own, id, sku, name, attributes }) =>
      item(second, id, name, { sku, attributes, own: own === undefined ? undefined : item(own, '', '').at }),
    ),
  { maxLength: 12 },
);

it('the same facts in any order, with any duplicates, leave the same items', () => {
  const orders = facts.chain((all) =>
    fc.tuple(fc.constant(all), fc.shuffledSubarray([...all, ...all], { minLength: 2 * all.length })),
  );
  fc.assert(
    fc.property(orders, ([all, other]) => {
      const [once, again] = [itemsFolded(all), itemsFolded(other)];
      expect(itemsIn(again)).toEqual(itemsIn(once));
      expect(differenceOf(again, once)).toEqual([]);
      expect([...once.books.audit(), ...again.books.audit()]).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

it('the stock of a SKU, its version and its observers see nothing of an item', () => {
  const partition = new Partition(0);
  partition.observer = {
    factFolded: () => expect.fail('told of an item'),
    decisionFolded: () => undefined,
    load: () => undefined,
    keep: () => new Uint8Array(),
  };
  itemsFolded(GOLDEN, partition);
  expect([partition.book.skus.size, partition.book.seq, partition.books.seq, partition.changed]).toEqual([
    0,
    0,
    3,
    true,
  ]);
});

describe('a stored page', () => {
  it('is written as the golden bytes, and read from them', () => {
    expect(pageOf(itemsFolded(GOLDEN)).toString('hex')).toBe(goldenPage('page-items.hex').toString('hex'));
    expect(itemsIn(loaded(goldenPage('page-items.hex')))).toEqual(itemsIn(itemsFolded(GOLDEN)));
  });

  it('goes on as if it had not been stored, on the pages that it has', () => {
    fc.assert(
      fc.property(facts, facts, (before, after) => {
        const kept = loaded(pageOf(itemsFolded(before)));
        expect(differenceOf(itemsFolded(after, kept), itemsFolded([...before, ...after]))).toEqual([]);
        const items = kept.books.pages.list.flatMap((page) => [...page.items]);
        expect(items.length).toBe(kept.books.of(ITEMS).items.size);
        expect(differenceOf(loaded(encodePage(kept.books, items)), kept)).toEqual([]);
      }),
    );
  });

  it('differs by its item from streams that say something else', () => {
    const other = [
      ...GOLDEN.slice(0, 2),
      item(3, 'i-3', 'Behind', { sku: 'Teekanne grün' }),
      item(1, 'n', 'New', { sku: 'new' }),
    ];
    expect(differenceOf(itemsFolded(GOLDEN), itemsFolded(other))).toMatchObject([
      { what: expect.stringMatching(/^item Teekanne grün is .*Ahead.*, the streams say .*Behind/), page: 0 },
      { what: 'item new is missing', page: undefined },
    ]);
    expect(differenceOf(itemsFolded(other), itemsFolded(GOLDEN)).at(-1)).toEqual({
      what: 'item new is in no fact',
      page: 0,
    });
  });

  it('with a wrong word of a name does not add up', () => {
    const partition = itemsFolded(GOLDEN);
    for (const each of partition.books.of(ITEMS).items.values()) each.words = ' pan';
    expect(partition.books.audit().map(({ invariant }) => invariant)).toEqual(['IB2', 'IB2']);
  });
});

describe('a search', () => {
  const book = new ItemBook();
  const names = {
    '85123A': 'WHITE HANGING HEART T-LIGHT HOLDER',
    '85123B': 'Crème brûlée dish',
    a: 'Straße ΟΔΟΣ',
    b: 'إبريق شاي أخضر',
    c: '👩‍🚒 badge ❤️',
    d: 'İstanbul Çay',
    e: 'Ёлка зелёная',
    f: '東京 きゅうす',
  };
  for (const [sku, name] of Object.entries(names)) book.put(item(1, sku, name, { sku }));
  const found = (text: string, after = '', limit = 10) =>
    book.find(itemQuery(text), after, limit).map(({ sku }) => sku);

  it.each([
    ['a word', 'heart', ['85123A']],
    ['the beginning of a word, in any case', 'HaNg', ['85123A']],
    ['all words, in any order', 'holder white', ['85123A']],
    ['part of a hyphenated word', 'light', ['85123A']],
    ['a hyphenated word', 't-light', ['85123A']],
    ['no end of a word', 'anging', []],
    ['nothing, if one word is in no name', 'white cat', []],
    ['accents', 'creme BRULEE', ['85123B']],
    ['accents that the name has not', 'hängíng', ['85123A']],
    ['the beginning of a SKU', '85123', ['85123A', '85123B']],
    ['a SKU in another case', '85123a', ['85123A']],
    ['a name or a SKU', 'b', ['85123B', 'b', 'c']],
    ['ß and SS', 'STRASSE', ['a']],
    ['the final sigma', 'οδοσ', ['a']],
    ['Arabic', 'شاي', ['b']],
    ['an emoji of several parts', '👩‍🚒', ['c']],
    ['a heart without its colour', '❤', ['c']],
    ['a dotted I', 'istanbul cay', ['d']],
    ['Cyrillic', 'елка', ['e']],
    ['Japanese', '東', ['f']],
    ['blanks around it', '  heart ', ['85123A']],
    ['punctuation alone', '-', []],
  ])('finds %s', (_, text, skus) => {
    expect(found(text)).toEqual(skus);
  });

  it('goes on after a SKU, by SKU, and without a text lists all', () => {
    expect(found('85123', '85123A')).toEqual(['85123B']);
    const list = (after: string) => book.find(undefined, after, 3).map(({ sku }) => sku);
    expect([list(''), list('a'), list('d'), list('f')]).toEqual([
      ['85123A', '85123B', 'a'],
      ['b', 'c', 'd'],
      ['e', 'f'],
      [],
    ]);
  });
});
