/** `holdfast replay` on bytes as people have them: encodings, delimiters, line ends, and archives. */
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { type Case, csv, fact, replayed, row } from './replayed.ts';
import { zipOf } from './zip-writer.ts';

const HINT = ' Save it as UTF-8, or name its encoding, such as --encoding windows-1252';
const NEITHER =
  'is neither online-retail (its first line would be InvoiceNo,StockCode,…) nor facts (it would begin with { or [). Its first line is ';
const CAFE = csv(row('1', 'MUG'), row('2', 'CAFÉ'), row('3', 'TASSE €'));
const TWO = csv(row('1', 'MUG'), row('1', 'CUP'));
const [HEADER = ''] = TWO.split('\n');
const latin1 = (text: string) => Buffer.from(text, 'latin1');
const cp1252 = (text: string) => latin1(text.replaceAll('€', '\x80'));
const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16();
const semicolons = (text: string) => text.replaceAll(',', ';');
const flipped = (bytes: Buffer, at: number) => bytes.fill(0x58, bytes.length + at, bytes.length + at + 1);

const CASES: Case[] = [
  // Encodings.
  ['UTF-8', '0: accepted MUG CAFÉ TASSE €', [], 'a.csv', CAFE],
  ['UTF-8 with a byte order mark', '0: accepted MUG CAFÉ TASSE €', [], 'a.csv', `\ufeff${CAFE}`],
  [
    'UTF-16 LE, as a spreadsheet saves "Unicode text"',
    '0: accepted MUG CAFÉ TASSE €',
    [],
    'a.txt',
    Buffer.from(`\ufeff${CAFE.replaceAll(',', '\t')}`, 'utf16le'),
  ],
  ['UTF-16 BE with a byte order mark', '0: accepted MUG CAFÉ TASSE €', [], 'a.csv', utf16be(`\ufeff${CAFE}`)],
  ['UTF-16 LE without a byte order mark', '0: accepted MUG CAFÉ TASSE €', [], 'a.csv', Buffer.from(CAFE, 'utf16le')],
  ['UTF-16 BE without a byte order mark', '0: accepted MUG CAFÉ TASSE €', [], 'a.csv', utf16be(CAFE)],
  [
    'UTF-16 that is cut in the middle of a character',
    '1: accepted MUG CAFÉ',
    [
      `Not finished: a.csv is not UTF-16LE: it ends in the middle of a character in line 4, at offset 451.${HINT}`,
      'What was stored counts once, so the same files can be replayed again.',
    ],
    'a.csv',
    Buffer.from(`\ufeff${CAFE}`, 'utf16le').subarray(0, -1),
  ],
  [
    'UTF-32',
    '1: nothing',
    ['Not finished: a.csv is UTF-32, which is not supported. Save the file as UTF-8'],
    'a.csv',
    Buffer.from([0xff, 0xfe, 0, 0, 0x49, 0, 0, 0]),
  ],
  [
    'Latin-1',
    '1: nothing',
    [`Not finished: a.csv is not UTF-8: the byte 0xC9 in line 3, at offset 133, is wrong.${HINT}`],
    'a.csv',
    cp1252(CAFE),
  ],
  ['Latin-1 that is named', '0: accepted MUG CAFÉ TASSE €', [], 'a.csv', cp1252(CAFE), { encoding: 'latin1' }],
  [
    'Latin-1 in facts',
    '1: nothing',
    [`Not finished: a.ndjson is not UTF-8: the byte 0xC9 in line 2, at offset 131, is wrong.${HINT}`],
    'a.ndjson',
    latin1(`${fact('1')}\r\n${fact('2', { sku: 'CAFÉ' })}\r\n`),
  ],
  [
    'Latin-1 whose wrong byte is its last',
    '1: nothing',
    [`Not finished: a.ndjson is not UTF-8: the byte 0xC9 in line 2, at offset 130, is wrong.${HINT}`],
    'a.ndjson',
    latin1(`${fact('1')}\n${fact('2', { sku: 'CAFÉ' })}`).subarray(0, -55),
  ],
  [
    'Latin-1 in gzip',
    '1: nothing',
    [`Not finished: a.csv.gz is not UTF-8: the byte 0xC9 in line 3, at offset 133, is wrong.${HINT}`],
    'a.csv.gz',
    gzipSync(cp1252(CAFE)),
  ],
  [
    'Latin-1 with the line ends of an old Mac',
    '1: nothing',
    [`Not finished: a.csv is not UTF-8: the byte 0xC9 in line 3, at offset 133, is wrong.${HINT}`],
    'a.csv',
    cp1252(CAFE.replaceAll('\n', '\r')),
  ],
  [
    'Shift_JIS that is named',
    '0: accepted MUG 靴',
    [],
    'a.csv',
    Buffer.concat([
      Buffer.from(csv(row('1', 'MUG'))),
      Buffer.from('2,'),
      Buffer.from([0x8c, 0x43]),
      Buffer.from(',x,1,2010-12-01 08:26:00,2.55,,UK\n'),
    ]),
    { encoding: 'shift_jis' },
  ],
  [
    'UTF-8 that is named as Latin-1',
    '1: nothing',
    ['Not finished: a.csv is UTF-8, although --encoding says latin1. Leave the option out'],
    'a.csv',
    CAFE,
    { encoding: 'latin1' },
  ],
  [
    'what Shift_JIS does not have',
    '1: nothing',
    [`Not finished: a.csv is not SHIFT_JIS: the byte 0x01 in line 3, at offset 131, is wrong.${HINT}`],
    'a.csv',
    Buffer.concat([Buffer.from(csv(row('1', 'MUG'))), Buffer.from([0x32, 0x2c, 0x82, 0x01])]),
    { encoding: 'shift_jis' },
  ],
  [
    'UTF-8 whose byte order mark contradicts --encoding',
    '0: accepted MUG CAFÉ TASSE €',
    [],
    'a.csv',
    `\ufeff${CAFE}`,
    { encoding: 'windows-1252' },
  ],
  [
    'UTF-8 that was decoded with replacement characters before',
    '1: refused 1',
    [
      `  a.csv:2 unreadable: sku must be 1 to 64 characters in Unicode form NFC, without control characters, invisible characters and U+FFFD, without a blank at either end, and not . or ..`,
    ],
    'a.csv',
    csv(row('1', 'CAF\ufffd')),
  ],
  // Delimiters and lines.
  ['semicolons', '0: accepted MUG CUP', [], 'a.csv', semicolons(TWO)],
  ['tabs', '0: accepted MUG CUP', [], 'a.tsv', TWO.replaceAll(',', '\t')],
  ['pipes', '0: accepted MUG CUP', [], 'a.csv', TWO.replaceAll(',', '|')],
  ['the line sep= of a spreadsheet', '0: accepted MUG CUP', [], 'a.csv', `sep=;\r\n${semicolons(TWO)}`],
  [
    'semicolons and decimal commas',
    '1: refused 1',
    ['  a.csv:2 unreadable: UnitPrice is "2,55", but must be a number such as 2.55'],
    'a.csv',
    semicolons(csv(row('1', 'MUG', { price: '2.55' }))).replace('2.55', '2,55'),
  ],
  [
    'semicolons, read with commas',
    '1: nothing',
    [
      'Not finished: a.csv has another header, without InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID:',
      '  expected     found',
      '  InvoiceNo    -',
      '  StockCode    -',
      '  Description  -',
      '  Quantity     -',
      '  InvoiceDate  -',
      '  UnitPrice    -',
      '  CustomerID   -',
      '               InvoiceNo;StockCode;Description;Quantity',
    ],
    'a.csv',
    semicolons(TWO),
    { delimiter: 'comma' },
  ],
  ['a delimiter that is named', '0: accepted MUG CUP', [], 'a.csv', TWO.replaceAll(',', '\t'), { delimiter: 'tab' }],
  [
    'mixed line ends',
    '0: accepted MUG CUP POT',
    [],
    'a.csv',
    `${HEADER}\r\n${row('1', 'MUG')}\n${row('2', 'CUP')}\r${row('3', 'POT')}\r\n\r\n`,
  ],
  ['no line end after its last row', '0: accepted MUG CUP', [], 'a.csv', TWO.trimEnd()],
  [
    'commas and line ends in quotes',
    '0: accepted MUG CUP',
    [],
    'a.csv',
    csv(row('1', 'MUG', { what: '"say ""hi"",\r\nthere"' }), row('2', 'CUP')),
  ],
  ['every cell in quotes', '0: accepted MUG CUP', [], 'a.csv', TWO.replace(/[^,\n]+/g, '"$&"')],
  [
    'a quote that is never closed',
    '1: accepted MUG',
    [
      'Not finished: a.csv has a quote in row 3 that is never closed',
      'What was stored counts once, so the same files can be replayed again.',
    ],
    'a.csv',
    csv(row('1', 'MUG'), row('2', 'CUP', { what: '"CUP' }), row('3', 'POT')),
  ],
  ['a quote within a cell', '0: accepted MUG', [], 'a.csv', csv(row('1', 'MUG', { what: '12" PLATE' }))],
  // Files that are not whole, or hold nothing.
  ['empty', '1: nothing', ['Not finished: a.csv is empty'], 'a.csv', ''],
  ['only a byte order mark', '1: nothing', ['Not finished: a.csv is empty'], 'a.csv', '\ufeff'],
  ['only blank lines', '1: nothing', ['Not finished: a.csv is empty'], 'a.csv', '\n\r\n  \n'],
  ['empty in gzip', '1: nothing', ['Not finished: a.csv.gz is empty'], 'a.csv.gz', gzipSync('')],
  ['only a header', '0: nothing', ['Note: a.csv holds no facts.'], 'a.csv', `${HEADER}\n`],
  ['an empty list of facts', '0: nothing', ['Note: a.json holds no facts.'], 'a.json', '[]'],
  [
    'gzip that is cut short',
    '1: nothing',
    ['Not finished: a.csv.gz is damaged or cut short: gzip says "unexpected end of file"'],
    'a.csv.gz',
    gzipSync(TWO, { level: 0 }).subarray(0, 40),
  ],
  [
    'gzip that is damaged',
    '1: nothing',
    ['Not finished: a.csv.gz is damaged or cut short: gzip says "invalid stored block lengths"'],
    'a.csv.gz',
    gzipSync(TWO, { level: 0 }).fill(0xff, 11, 15),
  ],
  ['gzip', '0: accepted MUG CUP', [], 'a.csv.gz', gzipSync(TWO)],
  ['gzip that is named csv', '0: accepted MUG CUP', [], 'a.csv', gzipSync(TWO)],
  [
    'cut short within its last row',
    '1: accepted MUG, refused 1',
    ['  a.csv:3 unreadable: has 5 columns where the header has 8'],
    'a.csv',
    TWO.slice(0, -30),
  ],
  [
    'facts cut short within the last line',
    '1: accepted MUG, refused 1',
    ['  a.ndjson:2 unreadable: is no JSON'],
    'a.ndjson',
    `${fact('1')}\n${fact('2').slice(0, 40)}`,
  ],
  [
    'an array of facts that is cut short',
    '1: accepted MUG, refused 1',
    ['  a.json:1 unreadable: is the end of the file, but the array is not closed'],
    'a.json',
    `[${fact('1')},${fact('2')}`,
  ],
  // Zip.
  ['a zip', '0: accepted MUG CUP', [], 'a.zip', zipOf({ name: 'sales.csv', content: TWO })],
  [
    'a zip of several files in folders, with what systems add',
    '1: accepted MUG CUP MUG, refused 1',
    ['  a.zip/x/y/two.csv:3 unreadable: Quantity is "x", but must be a whole number'],
    'a.zip',
    zipOf(
      { name: 'x/', content: '' },
      { name: 'x/one.csv', content: TWO },
      { name: '__MACOSX/x/._one.csv', content: 'x' },
      { name: 'x/.DS_Store', content: 'x' },
      { name: 'x/y/two.csv', content: csv(row('2', 'MUG'), row('3', 'CUP', { qty: 'x' })), method: 0 },
    ),
  ],
  [
    'a zip with a file in gzip',
    '0: accepted MUG CUP',
    [],
    'a.zip',
    zipOf({ name: 'sales.csv.gz', content: gzipSync(TWO) }),
  ],
  [
    'a zip within a zip',
    '1: nothing',
    ['Not finished: a.zip/b.zip is a zip archive within another file. Unpack it'],
    'a.zip',
    zipOf({ name: 'b.zip', content: zipOf({ name: 'sales.csv', content: TWO }) }),
  ],
  [
    'a zip that is cut short',
    '1: nothing',
    [
      'Not finished: a.zip is damaged or cut short: zip says "End of central directory record signature not found. Either not a zip file, or file is truncated."',
    ],
    'a.zip',
    zipOf({ name: 'sales.csv', content: TWO }).subarray(0, -20),
  ],
  [
    'a zip whose content is damaged',
    '1: nothing',
    ['Not finished: a.zip/sales.csv is damaged or cut short: zip says "its checksum is wrong"'],
    'a.zip',
    flipped(zipOf({ name: 'sales.csv', content: TWO, method: 0 }), -110),
  ],
  [
    'a zip with a password',
    '1: nothing',
    ['Not finished: a.zip/sales.csv is encrypted. Unpack it with its password'],
    'a.zip',
    zipOf({ name: 'sales.csv', content: TWO, encrypted: true }),
  ],
  [
    'a zip by a method that nothing unpacks',
    '1: nothing',
    ['Not finished: a.zip/sales.csv is packed by method 93 of zip. Unpack it'],
    'a.zip',
    zipOf({ name: 'sales.csv', content: TWO, method: 93 }),
  ],
  ['a zip without a file', '1: nothing', ['Not finished: a.zip is a zip archive without a file'], 'a.zip', zipOf()],
  [
    'a zip with an empty file',
    '1: nothing',
    ['Not finished: a.zip/sales.csv is empty'],
    'a.zip',
    zipOf({ name: 'sales.csv', content: '' }),
  ],
  [
    'a zip with a name that leads out of it',
    '1: nothing',
    ['Not finished: a.zip is damaged or cut short: zip says "invalid relative path: ../sales.csv"'],
    'a.zip',
    zipOf({ name: '../sales.csv', content: TWO }),
  ],
  [
    'a zip whose file is Latin-1',
    '1: nothing',
    [`Not finished: a.zip/sales.csv is not UTF-8: the byte 0xC9 in line 3, at offset 133, is wrong.${HINT}`],
    'a.zip',
    zipOf({ name: 'sales.csv', content: cp1252(CAFE) }),
  ],
  [
    'a workbook',
    '1: nothing',
    ['Not finished: a.xlsx is a workbook of a spreadsheet. Save its sheet as CSV in UTF-8'],
    'a.xlsx',
    zipOf({ name: '[Content_Types].xml', content: '<Types/>' }, { name: 'xl/workbook.xml', content: '<workbook/>' }),
  ],
  [
    'an old workbook',
    '1: nothing',
    ['Not finished: a.xls is a workbook of a spreadsheet. Save its sheet as CSV in UTF-8'],
    'a.xls',
    Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]),
  ],
  [
    'a page that is named as a workbook',
    '1: nothing',
    [`Not finished: a.xls ${NEITHER}"<html><table><tr><td>InvoiceNo</td></tr></table></html>"`],
    'a.xls',
    '<html><table><tr><td>InvoiceNo</td></tr></table></html>',
  ],
  [
    'packed with bzip2',
    '1: nothing',
    ['Not finished: a.csv.bz2 is packed with bzip2. Unpack it'],
    'a.csv.bz2',
    Buffer.from('BZh91AY&SY'),
  ],
];

test.each(CASES)('%s', async (_what, outcome, says, file, content, flags) => {
  expect(await replayed(file, content, flags)).toEqual({ outcome, says });
});
