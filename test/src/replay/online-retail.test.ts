import { describe, expect, test } from 'vitest';
import type { SentFact } from '../../../src/replay/entry.ts';
import { onlineRetailReader } from '../../../src/replay/file/online-retail.ts';
import { readFacts } from '../../../src/replay/read.ts';
import { parseFact } from '../../../streams/fact/fact.ts';
import { dataFolder, monthFile } from './given/data-folder.ts';
import { type MonthTable, readIndependently } from './given/independent-reader.ts';

const HEADER = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country'.split(',');

/** The published table of the data, cell by cell. */
const MONTHS: readonly [string, ...number[]][] = [
  ['2010-12', 42_481, 41_318, 358_764, 698, 16_009, 270, -984, 195, 2_752, -343_739],
  ['2011-01', 35_147, 34_151, 387_473, 679, 79_784, 136, -23, 181, 2_597, -307_712],
  ['2011-02', 27_707, 26_965, 283_264, 418, 2_606, 126, -2_711, 198, 2_375, -283_369],
  ['2011-03', 36_748, 35_609, 377_150, 642, 4_338, 243, -21_300, 254, 2_506, -394_112],
  ['2011-04', 29_916, 28_959, 308_516, 531, 13_600, 259, -6_075, 167, 2_509, -300_991],
  ['2011-05', 37_030, 35_981, 395_474, 558, 4_057, 241, -10_364, 250, 2_452, -401_781],
  ['2011-06', 36_874, 35_773, 388_826, 669, 7_215, 185, -40_238, 247, 2_621, -421_849],
  ['2011-07', 39_518, 38_446, 401_369, 642, 5_946, 186, -4_627, 244, 2_709, -400_050],
  ['2011-08', 35_284, 34_331, 422_261, 617, 11_662, 123, -4_104, 213, 2_565, -414_703],
  ['2011-09', 50_226, 49_058, 569_949, 760, 7_084, 157, -14_326, 251, 2_722, -577_191],
];
const ALL = [370_931, 360_591, 3_893_046, 6_214, 152_301, 1_926, -104_752, 2_200, 3_777, -3_845_497];
const AFTER_ALL = { '85123A': -23_894, '22423': -10_648, '85099B': -35_655, '84077': -39_741, '22197': -32_228 };

async function readMonth(file: string) {
  const table: MonthTable = {
    rows: 0,
    saleLines: 0,
    unitsSold: 0,
    returnLines: 0,
    unitsReturned: 0,
    adjustmentLines: 0,
    netAdjusted: 0,
    skipped: 0,
    skus: 0,
    sumOfSellable: 0,
  };
  const sellable = new Map<string, number>();
  const facts = new Map<string, SentFact>();
  for await (const { entry } of readFacts(file)) {
    table.rows++;
    if (entry.kind === 'refused') throw new Error(`row ${entry.place} ${entry.message}`);
    if (entry.kind === 'skipped') {
      table.skipped++;
      continue;
    }
    const parsed = parseFact(entry.fact);
    if (!parsed.ok) throw new Error(parsed.message);
    const { fact } = parsed;
    let moved = 0;
    if (fact.type === 'sale') {
      table.saleLines++;
      table.unitsSold += fact.qty;
      moved = -fact.qty;
    } else if (fact.type === 'return') {
      table.returnLines++;
      table.unitsReturned += fact.qty;
      moved = fact.qty;
    } else if (fact.type === 'adjustment') {
      table.adjustmentLines++;
      table.netAdjusted += fact.delta;
      moved = fact.delta;
    }
    table.sumOfSellable += moved;
    sellable.set(fact.sku, (sellable.get(fact.sku) ?? 0) + moved);
    facts.set(fact.id, entry.fact);
  }
  table.skus = sellable.size;
  return { table, sellable, facts };
}

/** The parts of a fact that the independent reader keeps. */
function says(fact: SentFact): string {
  const head = `${fact.sku} ${Date.parse(String(fact.occurredAt))} ${fact.type}`;
  if (fact.type === 'return') return `${head} ${fact.qty} ${fact.disposition}`;
  if (fact.type === 'adjustment') return `${head} ${fact.delta} ${fact.reason}`;
  return `${head} ${fact.qty} ${fact.unitPrice} ${fact.currency} ${fact.channel} ${fact.transaction}`;
}

describe('the published months', () => {
  if (dataFolder() === undefined) console.log('HOLDFAST_DATA names no data set: only the shipped month is read');
  const total = new Map<string, number>();
  const sums = ALL.map(() => 0);

  for (const [month, ...cells] of MONTHS) {
    const file = monthFile(month);
    test.skipIf(file === undefined)(
      `${month} ends as published, and as a second reader has it, fact by fact`,
      async () => {
        const path = file ?? '';
        const ours = await readMonth(path);
        const theirs = readIndependently(path);
        expect(Object.values(theirs.table)).toEqual(cells);
        expect(ours.table).toEqual(theirs.table);
        expect(ours.sellable).toEqual(theirs.sellable);
        expect(new Map([...ours.facts].map(([id, fact]) => [id, says(fact)]))).toEqual(theirs.facts);
        for (const [sku, units] of ours.sellable) total.set(sku, (total.get(sku) ?? 0) + units);
        for (const [place, cell] of cells.entries()) sums[place] = (sums[place] ?? 0) + cell;
      },
    );
  }

  test.skipIf(dataFolder() === undefined)('all months together end as published', () => {
    sums[8] = total.size;
    expect(sums).toEqual(ALL);
    expect([...total.values()].reduce((sum, units) => sum + units, 0)).toBe(ALL[9]);
    for (const [sku, units] of Object.entries(AFTER_ALL)) expect(total.get(sku), sku).toBe(units);
  });
});

describe('a row', () => {
  const read = (...row: string[]) => onlineRetailReader(HEADER)(row, 2);
  const AT = '2010-12-01 08:26:00';
  const common = { location: 'uk-dc', occurredAt: '2010-12-01T08:26:00Z' };

  test.each([
    [
      'a sale',
      ['536365', '85123A', 'HEART', '6', AT, '2.55', '17850.0', 'UK'],
      {
        id: '536365:1',
        type: 'sale',
        sku: '85123A',
        qty: 6,
        unitPrice: '2.55',
        currency: 'GBP',
        channel: 'web',
        transaction: '536365',
      },
    ],
    [
      'a sale at 0 to a known customer',
      ['536365', '22423', 'CAKE', '1', AT, '0.0', '12647.0', 'UK'],
      {
        id: '536365:1',
        type: 'sale',
        sku: '22423',
        qty: 1,
        unitPrice: '0.0',
        currency: 'GBP',
        channel: 'web',
        transaction: '536365',
      },
    ],
    [
      'a return, whose code is trimmed and upper-cased',
      ['C536379', ' 85123a ', 'HEART', '-3', AT, '2.55', '', 'UK'],
      { id: 'C536379:1', type: 'return', sku: '85123A', qty: 3, disposition: 'restock' },
    ],
    [
      'a return at 0 without a customer, since the return comes first',
      ['C1', '22423', 'x', '-3', AT, '0', '', 'UK'],
      { id: 'C1:1', type: 'return', sku: '22423', qty: 3, disposition: 'restock' },
    ],
    [
      'an adjustment with its reason trimmed',
      ['536589', '21777', ' damages ', '-10', AT, '0.0', '', 'UK'],
      { id: '536589:1', type: 'adjustment', sku: '21777', delta: -10, reason: 'damages' },
    ],
    [
      'an adjustment without a description',
      ['536589', '21777', '  ', '56', AT, '0', '', 'UK'],
      { id: '536589:1', type: 'adjustment', sku: '21777', delta: 56, reason: 'unknown' },
    ],
  ])('is %s', (_, row, fact) => {
    expect(read(...row)).toEqual({ kind: 'fact', place: 2, fact: { ...common, ...fact } });
  });

  test.each([
    'POST',
    'dot',
    'M',
    'm',
    'D',
    'S',
    'C2',
    'B',
    'CRUK',
    'Bank Charges',
    'AMAZONFEE',
    'gift_0001_20',
    ' POST ',
  ])('of %j is no stock, before all other rules', (code) =>
    expect(read('C536365', code, 'x', '0', 'no date', '', '', 'UK').kind).toBe('skipped'),
  );

  test.each([
    ['a sale of 0', ['1', '22423', 'x', '0', AT, '1', '1', 'UK'], 'qty must be'],
    ['a sale of less than 0', ['1', '22423', 'x', '-4', AT, '1', '1', 'UK'], 'qty must be'],
    ['an adjustment of 0', ['1', '22423', 'x', '0', AT, '0', '', 'UK'], 'delta must be'],
    ['a broken quantity', ['1', '22423', 'x', '1.5', AT, '1', '1', 'UK'], 'Quantity is "1.5"'],
    ['no date', ['1', '22423', 'x', '1', '2010-02-30 08:00', '1', '1', 'UK'], 'InvoiceDate is'],
    ['no code', ['1', ' ', 'x', '1', AT, '1', '1', 'UK'], 'StockCode is empty'],
    ['a price with a comma', ['1', '22423', 'x', '1', AT, '2,55', '1', 'UK'], 'UnitPrice is "2,55"'],
    ['no invoice', ['', '22423', 'x', '1', AT, '1', '1', 'UK'], 'InvoiceNo is empty'],
    ['too few cells', ['1', '22423', 'x', '1'], '4 columns'],
  ])('is refused with its number if it is %s', (_, row, message) => {
    expect(read(...row)).toEqual({ kind: 'refused', place: 2, message: expect.stringContaining(message) });
  });

  test('is numbered within its invoice in file order, with what is skipped or refused counted too', () => {
    const next = onlineRetailReader(HEADER, { location: 'store-1' });
    const row = (invoice: string, code: string, qty: string) => [invoice, code, 'x', qty, AT, '1', '1', 'UK'];
    const rows = [
      row('1', 'A', '1'),
      row('2', 'A', '1'),
      row('1', 'POST', '1'),
      row('1', 'A', '0'),
      row('1', 'A', '1'),
      row('2', 'A', '1'),
    ];
    const ids = rows
      .map((each, index) => next(each, index))
      .map((entry) => (entry.kind === 'fact' ? entry.fact.id : entry.kind));
    expect(ids).toEqual(['1:1', '2:1', 'skipped', 'refused', '1:4', '2:2']);
  });

  test('needs its columns, in any order', () => {
    expect(() => onlineRetailReader(['InvoiceNo', 'StockCode'])).toThrow('without Description, Quantity');
    const shuffled = onlineRetailReader(HEADER.toReversed());
    expect(shuffled(['UK', '1', '2.5', AT, '6', 'x', '22423', '9'], 2)).toMatchObject({
      kind: 'fact',
      fact: { id: '9:1', qty: 6 },
    });
  });
});
