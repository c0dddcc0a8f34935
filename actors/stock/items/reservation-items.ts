/** The stored forms of reservations: the parts with the lines of a partition, and the homes of ids. */

import {
  type Attempt,
  dateOf,
  dateTuple,
  factUnitsOf,
  factUnitsTuple,
  PIECES_PER_LINE,
  shortageOf,
  shortTuple,
  standingOf,
  standingTuple,
} from '../../../streams/journal/stock-decisions.ts';
import type { ItemForm } from '../../book/domain.ts';
import type { StockBook } from '../book.ts';
import { settle } from '../reservation.ts';
import { CoordinatorEntry, type PartLine, ReservationPart, type Terms } from '../state.ts';

type ShortTuple = ReturnType<typeof shortTuple>;

/** One position in an item's tuple: reads its value from an item, and puts a loaded value into one. */
interface Place<I> {
  read(item: I): unknown;
  put(item: I, value: never, book: StockBook): void;
}

/** A field that is stored unchanged. */
function plain<K extends keyof ReservationPart>(name: K): Place<ReservationPart> {
  return {
    read: (part) => part[name],
    put: (part, value) => {
      part[name] = value;
    },
  };
}

/** In stored order, in the form of version 0.1. */
const PART_1_PLACES: readonly Place<ReservationPart>[] = [
  plain('granted'),
  {
    read: ({ content }) => content.hi,
    put: (part, hi: number) => {
      part.content = { hi, lo: 0 };
    },
  },
  {
    read: ({ content }) => content.lo,
    put: (part, lo: number) => {
      part.content = { hi: part.content.hi, lo };
    },
  },
  plain('channel'),
  plain('purpose'),
  plain('coordinator'),
  plain('participants'),
  {
    read: ({ shortages }) => shortages.map(shortTuple),
    put: (part, tuples: ShortTuple[]) => {
      part.shortages = tuples.map(shortageOf);
    },
  },
  plain('epoch'),
  plain('seq'),
  plain('grantedAtMs'),
  plain('expiresAtMs'),
  plain('confirmedAtMs'),
  plain('releasedAtMs'),
  plain('expiredAtMs'),
  {
    read: ({ lines }) => lines.map(({ index, key, qty }) => [index, key.sku.name, key.location, qty]),
    put: (part, tuples: [number, string, string, number][], book) => {
      part.lines = tuples.map(([index, sku, location, qty]) =>
        lineAt(book, [index * PIECES_PER_LINE, 0, sku, location, qty, 0]),
      );
    },
  },
  {
    read: ({ sold }) => (sold === undefined ? 0 : sold.map((each) => [each.sku, each.location, each.qty])),
    put: (part, tuples: 0 | [string, string, number][]) => {
      part.sold =
        tuples === 0
          ? undefined
          : tuples.map(([sku, location, qty]) => ({ sku, location, source: 'till', qty, moments: [0, qty] }));
    },
  },
  {
    read: ({ soldAtMs }) => soldAtMs,
    put: (part, soldAtMs: number) => {
      part.soldAtMs = soldAtMs;
      // That form had the moment of the latest sale only.
      for (const sold of part.sold ?? []) sold.moments = [soldAtMs * 1000, sold.qty];
    },
  },
];

/** Reads a part in the form of version 0.1. A part with all lines was also the home of its id. */
const PART_1: ItemForm<StockBook> = {
  codes: [1],
  kind: 'part of 0.1',
  encode: () => unwritten(),
  load: (book, [id, ...fields], page) => {
    const part = new ReservationPart(id as string);
    for (const [index, place] of PART_1_PLACES.entries()) place.put(part, fields[index] as never, book);
    putPart(book, part, page);
    if (part.granted && part.participants.length === 1 && part.participants[0] === part.coordinator) {
      const home = new CoordinatorEntry(part.id);
      const { content, participants, shortages, expiresAtMs, confirmedAtMs, releasedAtMs, expiredAtMs } = part;
      const known = { content, participants, shortages, expiresAtMs, confirmedAtMs, releasedAtMs, expiredAtMs };
      putHome(book, Object.assign(home, known, { placed: true }), page);
    }
  },
};

/** Reads a home in the form of version 0.1. It did not say how the reservation ended, but its parts do. */
const HOME_1: ItemForm<StockBook> = {
  codes: [2],
  kind: 'home of 0.1',
  encode: () => unwritten(),
  load: (book, fields, page) => {
    const [id, hi, lo, participants, short, expiresAtMs, confirmedAtMs, endedAtMs] = fields as unknown as [
      id: string,
      hi: number,
      lo: number,
      participants: number[],
      shortages: ShortTuple[],
      expiresAtMs: number,
      confirmedAtMs: number,
      endedAtMs: number,
    ];
    const known = { participants, expiresAtMs, confirmedAtMs, releasedAtMs: endedAtMs, placed: true };
    const more = { content: { hi, lo }, shortages: short.map(shortageOf) };
    putHome(book, Object.assign(new CoordinatorEntry(id), known, more), page);
  },
};

function unwritten(): never {
  throw new Error('a form of version 0.1 is read only');
}

function putPart(book: StockBook, part: ReservationPart, page: number): void {
  book.parts.set(part.id, part);
  book.pages.place(part, page);
  settle(book, part);
  if (part.granted) book.onTimed?.(part);
}

function putHome(book: StockBook, home: CoordinatorEntry, page: number): void {
  book.coordinatorEntries.set(home.id, home);
  book.pages.place(home, page);
}

type LineTuple = [
  index: number,
  name: string | 0,
  sku: string,
  location: string,
  granted: number,
  base: number,
  ...date: ReturnType<typeof dateTuple>,
];
type Units = ReturnType<typeof factUnitsTuple>;
type TermsTuple = [lines: LineTuple[], counted: Units[]];
type PartTuple = [
  id: string,
  granted: boolean,
  hi: number,
  lo: number,
  channel: string,
  purpose: string,
  coordinator: number,
  participants: readonly number[],
  shortages: ShortTuple[],
  epoch: number,
  seq: number,
  attempt: Attempt,
  latest: Attempt,
  steps: [grantedAtMs: number, expiresAtMs: number, confirmedAtMs: number, releasedAtMs: number, expiredAtMs: number],
  terms: TermsTuple,
  next: 0 | [attempt: Attempt, terms: TermsTuple],
  sold: 0 | [sku: string, location: string, source: 'till', moments: readonly number[], moved?: readonly number[]][],
  returned: 0 | [sku: string, location: string, at: number, qty: number, within: number | null, own?: number][],
];

function termsTuple({ lines, counted }: Terms): TermsTuple {
  // Lines that a return has made follow from it.
  const granted = lines.filter((line) => line.granted > 0);
  const tuples = granted.map((line): LineTuple => {
    const { index, name, key } = line;
    return [index, name ?? 0, key.sku.name, key.location, line.granted, line.base, ...dateTuple(line.date)];
  });
  return [tuples, counted.map(factUnitsTuple)];
}

function termsOf(book: StockBook, [lines, counted]: TermsTuple): Terms {
  return { lines: lines.map((line) => lineAt(book, line)), counted: counted.map(factUnitsOf) };
}

function lineAt(book: StockBook, [index, name, sku, location, granted, base, ...date]: LineTuple): PartLine {
  const key = book.key(sku, location);
  const units = { granted, base, qty: granted, fulfilled: base, claimed: 0 };
  const line = { index, name: name === 0 ? undefined : name, key, ...units };
  return date.length === 0 ? line : { ...line, date: { ...dateOf(date), moving: undefined } };
}

const PART: ItemForm<StockBook> = {
  codes: [6],
  kind: 'part',
  encode: (item) => {
    const part = item as ReservationPart;
    const { content, next, sold, returned, grantedAtMs, expiresAtMs, confirmedAtMs, releasedAtMs, expiredAtMs } = part;
    const tuple: PartTuple = [
      part.id,
      part.granted,
      content.hi,
      content.lo,
      part.channel,
      part.purpose,
      part.coordinator,
      part.participants,
      part.shortages.map(shortTuple),
      part.epoch,
      part.seq,
      part.attempt,
      part.latest,
      [grantedAtMs, expiresAtMs, confirmedAtMs, releasedAtMs, expiredAtMs],
      termsTuple(part),
      next === undefined ? 0 : [next.attempt, termsTuple(next)],
      // What the clock rule has not moved has no last element.
      sold === undefined
        ? 0
        : sold.map(({ sku, location, source, moments, moved }) =>
            moved === undefined ? [sku, location, source, moments] : [sku, location, source, moments, moved],
          ),
      returned === undefined
        ? 0
        : returned.map(({ sku, location, at, own, qty, within }) =>
            own === undefined
              ? [sku, location, at, qty, finite(within)]
              : [sku, location, at, qty, finite(within), own],
          ),
    ];
    return [6, ...tuple];
  },
  load: (book, fields, page) => {
    const [id, granted, hi, lo, channel, purpose, coordinator, participants, short, epoch, seq, ...more] =
      fields as unknown as PartTuple;
    const [attempt, latest, steps, terms, next, sold, returned] = more;
    const [grantedAtMs, expiresAtMs, confirmedAtMs, releasedAtMs, expiredAtMs] = steps;
    const part = Object.assign(
      new ReservationPart(id),
      { granted, content: { hi, lo }, channel, purpose, coordinator, participants, shortages: short.map(shortageOf) },
      { epoch, seq, attempt, latest, grantedAtMs, expiresAtMs, confirmedAtMs, releasedAtMs, expiredAtMs },
      termsOf(book, terms),
    );
    if (next !== 0) part.next = { attempt: next[0], ...termsOf(book, next[1]) };
    if (sold !== 0)
      part.sold = sold.map(([sku, location, source, moments, moved]) => {
        return { sku, location, source, qty: unitsIn(moments, 2) + unitsIn(moved ?? [], 3), moments, moved };
      });
    if (returned !== 0)
      part.returned = returned.map(([sku, location, at, qty, within, own]) => {
        return { sku, location, at, own, qty, within: within ?? Number.POSITIVE_INFINITY };
      });
    for (const { moments, moved } of part.sold ?? [])
      part.soldAtMs = Math.max(part.soldAtMs, latestMs(moments, 2), latestMs(moved ?? [], 3));
    putPart(book, part, page);
  },
};

function finite(micros: number): number | null {
  return micros === Number.POSITIVE_INFINITY ? null : micros;
}

/** @param width numbers of each sale */
function unitsIn(sales: readonly number[], width: number): number {
  let units = 0;
  for (let i = width - 1; i < sales.length; i += width) units += sales[i] as number;
  return units;
}

function latestMs(sales: readonly number[], width: number): number {
  return Math.floor((sales.at(-width) ?? 0) / 1000);
}

type HomeTuple = [
  id: string,
  attempt: Attempt,
  hi: number,
  lo: number,
  participants: readonly number[],
  shortages: ShortTuple[],
  steps: [expiresAtMs: number, confirmedAtMs: number, releasedAtMs: number, expiredAtMs: number],
  releases: readonly string[],
  placed: boolean,
  open: 0 | [attempt: Attempt, participants: readonly number[], outcome: 0 | ReturnType<typeof standingTuple>],
];

const HOME: ItemForm<StockBook> = {
  codes: [7],
  kind: 'home',
  encode: (item) => {
    const home = item as CoordinatorEntry;
    const { content, open, expiresAtMs, confirmedAtMs, releasedAtMs, expiredAtMs } = home;
    const outcome = open?.outcome === undefined ? 0 : standingTuple(open.outcome);
    const tuple: HomeTuple = [
      home.id,
      home.attempt,
      content.hi,
      content.lo,
      home.participants,
      home.shortages.map(shortTuple),
      [expiresAtMs, confirmedAtMs, releasedAtMs, expiredAtMs],
      home.releases,
      home.placed,
      open === undefined ? 0 : [open.attempt, open.participants, outcome],
    ];
    return [7, ...tuple];
  },
  load: (book, fields, page) => {
    const [id, attempt, hi, lo, participants, short, steps, releases, placed, open] = fields as unknown as HomeTuple;
    const [expiresAtMs, confirmedAtMs, releasedAtMs, expiredAtMs] = steps;
    const home = Object.assign(
      new CoordinatorEntry(id),
      { attempt, content: { hi, lo }, participants, shortages: short.map(shortageOf), releases, placed },
      { expiresAtMs, confirmedAtMs, releasedAtMs, expiredAtMs },
    );
    if (open !== 0) {
      const [of, others, outcome] = open;
      home.open = {
        attempt: of,
        participants: others,
        outcome: outcome === 0 ? undefined : standingOf('stands', outcome),
      };
    }
    putHome(book, home, page);
  },
};

export const RESERVATION_ITEMS: readonly ItemForm<StockBook>[] = [PART_1, HOME_1, PART, HOME];
