import { describe, expect, test } from 'vitest';
import { dateReader, isoDate } from '../../../../src/replay/file/date-format.ts';
import { parseDelimiter } from '../../../../src/replay/file/table.ts';

describe('a form of dates', () => {
  test.each([
    ['D/M/YYYY H:mm', '1/12/2010 8:26', '2010-12-01T08:26:00Z'],
    ['DD/MM/YYYY HH:mm:ss', '01/12/2010 08:26:09', '2010-12-01T08:26:09Z'],
    ['M/D/YY h:mm A', '12/1/10 8:26 PM', '2010-12-01T20:26:00Z'],
    ['M/D/YY h:mm A', '12/1/10 12:05 am', '2010-12-01T00:05:00Z'],
    ['M/D/YY h:mm A', '12/1/10 13:05 PM', undefined],
    ['DD.MM.YYYY', '01.12.2010', '2010-12-01T00:00:00Z'],
    ['DD.MM.YYYY', '01x12x2010', undefined],
    ['YYYYMMDDHHmmss', '20101201082609', '2010-12-01T08:26:09Z'],
    ['YYYY-MM-DDTHH:mm:ssZ', '2010-12-01T08:26:00+01:00', '2010-12-01T08:26:00+01:00'],
    ['D/M/YYYY', '31/2/2010', undefined],
    ['D/M/YYYY', '1/12/2010 8:26', undefined],
  ])('%j reads %j as %j', (form, text, instant) => expect(dateReader(form)?.(text)).toBe(instant));

  test.each(['', 'dd/mm/yyyy', '%d/%m/%Y', 'YYYY-MM', 'D/D/YYYY', 'D/M/YYYY h:mm', 'D/M/YYYY A', 'D MMM YYYY'])(
    '%j is none',
    (form) => expect(dateReader(form)).toBeUndefined(),
  );

  test('without --date-format is ISO 8601 in UTC', () => {
    expect(['2010-12-01 08:26', '2010-12-01T08:26:09Z', '2010-12-01'].map(isoDate)).toEqual([
      '2010-12-01T08:26:00Z',
      '2010-12-01T08:26:09Z',
      undefined,
    ]);
  });
});

test('a delimiter is a name or the character itself', () => {
  expect(['comma', ';', 'tab', '\\t', '\t', 'pipe', 'x', '', ',,'].map(parseDelimiter)).toEqual([
    ',',
    ';',
    '\t',
    '\t',
    '\t',
    '|',
    undefined,
    undefined,
    undefined,
  ]);
});
