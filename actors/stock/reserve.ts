/**
 * Folds decisions on reservations into a book: into the parts that claim units here, and into the home of an id. Total, without policy.
 *
 * Invariants:
 *  FR1 Of two attempts at one reservation the later one wins, in whatever order their decisions are folded. An attempt that was undone
 *     changes nothing after that.
 *  FR2 A part that an attempt makes is its lines at once. A part that an attempt changes keeps its lines until the outcome is known.
 */
import type {
  Attempt,
  Begun,
  Closed,
  Granted,
  ReservationDecision,
  Standing,
  StandingLine,
  Stepped,
} from '../../streams/journal/stock-decisions.ts';
import { PIECES_PER_LINE } from '../../streams/journal/stock-decisions.ts';
import { LARGE_ITEM } from '../book/pages.ts';
import type { StockBook } from './book.ts';
import { countClaim } from './dated/phased.ts';
import { compareAttempts, hasEnded, settle } from './reservation.ts';
import { CoordinatorEntry, NO_ATTEMPT, type PartLine, ReservationPart } from './state.ts';

/** Folds the part of a decision that concerns this book's partition. */
export function applyReservation(book: StockBook, decision: ReservationDecision): void {
  switch (decision.kind) {
    case 'begun':
      begin(book, decision);
      return;
    case 'grown':
      grow(book, decision);
      return;
    case 'stands':
      stand(book, decision);
      return;
    case 'undone':
      undo(book, decision);
      return;
    case 'settled':
      finish(book, decision);
      return;
  }
}

function begin(book: StockBook, { id, attempt, participants }: Begun): void {
  const home = homeOf(book, id);
  home.open = { attempt, participants, outcome: undefined };
}

function grow(book: StockBook, grown: Standing): void {
  const part = book.parts.get(grown.id) ?? addPart(book, grown.id);
  // mutant: undone-attempt-grows
  if (compareAttempts(grown.attempt, part.latest) < 0) return;
  book.changePart(part);
  part.latest = grown.attempt;
  if (part.granted && !hasEnded(part)) {
    // The lines before stay claimed until the outcome is known (FR2).
    part.next = { attempt: grown.attempt, lines: linesOf(book, grown.lines), counted: grown.counted };
    settle(book, part);
  } else become(book, part, grown);
}

function stand(book: StockBook, outcome: Standing): void {
  if (outcome.home === book.partition) standAtHome(book, outcome);
  const known = book.parts.get(outcome.id);
  if (known === undefined && !outcome.participants.includes(book.partition)) return;
  const part = known ?? addPart(book, outcome.id);
  // A decision that follows late must not undo a later attempt (FR1).
  // mutant: late-outcome-wins
  if (compareAttempts(outcome.attempt, part.latest) < 0) return;
  book.changePart(part);
  part.latest = outcome.attempt;
  become(book, part, outcome);
}

function standAtHome(book: StockBook, outcome: Standing): void {
  const home = homeOf(book, outcome.id);
  home.placed = true;
  home.attempt = outcome.attempt;
  home.content = outcome.content;
  home.participants = outcome.participants;
  home.shortages = outcome.shortages;
  home.expiresAtMs = outcome.expiresAtMs;
  home.confirmedAtMs = outcome.confirmedAtMs;
  home.releasedAtMs = outcome.releasedAtMs;
  home.expiredAtMs = outcome.expiredAtMs;
  home.releases = outcome.releases;
  const { attempt, following } = outcome;
  home.open = following.length > 0 ? { attempt, participants: following, outcome } : undefined;
  if (outcome.shortages.length + (home.open === undefined ? 0 : outcome.lines.length) >= LARGE_ITEM)
    book.pages.isolate(home);
}

/** Takes the lines and steps of a decision. A part that has no lines in it is no part of the reservation any more. */
function become(book: StockBook, part: ReservationPart, standing: Standing): void {
  const here = standing.lines.filter((line) => line.partition === book.partition);
  dropLines(book, part);
  const [first] = here;
  part.granted = first !== undefined;
  part.attempt = standing.attempt;
  part.channel = standing.channel;
  part.purpose = standing.purpose;
  part.coordinator = standing.home;
  part.participants = standing.participants;
  part.epoch = first?.epoch ?? 0;
  part.seq = first?.seq ?? 0;
  part.grantedAtMs = standing.grantedAtMs;
  part.expiresAtMs = standing.expiresAtMs;
  part.confirmedAtMs = standing.confirmedAtMs;
  part.releasedAtMs = first === undefined ? standing.atMs : standing.releasedAtMs;
  part.expiredAtMs = standing.expiredAtMs;
  part.lines = linesOf(book, here);
  part.counted = standing.counted;
  settle(book, part);
  if (here.length >= LARGE_ITEM) book.pages.isolate(part);
  if (part.granted) book.onTimed?.(part);
}

function undo(book: StockBook, { id, attempt, atMs }: Closed): void {
  const part = book.parts.get(id) ?? addPart(book, id);
  // An undone attempt stays known here, so a late request of it is refused (FR1).
  book.changePart(part);
  if (compareAttempts(attempt, part.latest) > 0) part.latest = attempt;
  if (part.next?.attempt === undefined || compareAttempts(part.next.attempt, attempt) !== 0) {
    // mutant: attempt-undoes-later
    if (part.granted && compareAttempts(part.attempt, attempt) !== 0) return;
    dropLines(book, part);
    part.granted = false;
    part.releasedAtMs = atMs;
    return;
  }
  dropNext(book, part);
  settle(book, part);
}

function finish(book: StockBook, { id, attempt }: Closed): void {
  const home = book.coordinatorEntries.get(id);
  if (home?.open === undefined || compareAttempts(home.open.attempt, attempt) !== 0) return;
  book.pages.touch(home);
  home.open = undefined;
  // The first attempt failed, so nothing is known of the id.
  if (!home.placed) book.removeCoordinatorEntry(home);
}

function linesOf(book: StockBook, lines: readonly StandingLine[]): PartLine[] {
  return lines
    .filter((line) => line.partition === book.partition)
    .map(({ index, name, sku, location, qty, fulfilled, date }) => {
      const key = book.key(sku, location);
      book.change(key);
      const line = { index, name, key, granted: qty, base: fulfilled, qty, fulfilled, claimed: 0 };
      return date === undefined ? line : { ...line, date: { ...date, moving: undefined } };
    });
}

function dropNext(book: StockBook, part: ReservationPart): void {
  for (const line of part.next?.lines ?? []) countClaim(book, part, line, -line.claimed);
  part.next = undefined;
}

function dropLines(book: StockBook, part: ReservationPart): void {
  dropNext(book, part);
  for (const line of part.lines) countClaim(book, part, line, -line.claimed);
  part.lines = [];
}

export function addPart(book: StockBook, id: string): ReservationPart {
  const part = new ReservationPart(id);
  book.parts.set(id, part);
  book.pages.place(part);
  return part;
}

/** The home of an id, announced for a change. */
function homeOf(book: StockBook, id: string): CoordinatorEntry {
  const known = book.coordinatorEntries.get(id);
  if (known !== undefined) {
    book.pages.touch(known);
    return known;
  }
  const home = new CoordinatorEntry(id);
  book.coordinatorEntries.set(id, home);
  book.pages.place(home);
  return home;
}

/** A grant in the form of version 0.1. */
export function applyGrant(book: StockBook, granted: Granted): void {
  const here = granted.lines.filter((line) => line.partition === book.partition);
  if (here.length > 0) {
    const part = book.parts.get(granted.id) ?? addPart(book, granted.id);
    book.changePart(part);
    // A grant replaces an earlier one, such as one that a crash or a refusal elsewhere left behind. A step may also come before its grant.
    if (part.granted) {
      dropLines(book, part);
      part.confirmedAtMs = 0;
      part.releasedAtMs = 0;
      part.expiredAtMs = 0;
    }
    const epoch = granted.parts.find(([partition]) => partition === book.partition)?.[1] ?? 0;
    part.granted = true;
    part.content = granted.content;
    part.channel = granted.channel;
    part.purpose = granted.purpose;
    part.coordinator = granted.coordinator;
    part.participants = granted.participants;
    part.shortages = granted.shortages;
    part.epoch = epoch;
    part.seq = here[0]?.seq ?? 0;
    part.grantedAtMs = granted.atMs;
    part.expiresAtMs = granted.expiresAtMs;
    part.lines = linesOf(
      book,
      // That form did not say which lines belong together, so each is a line of its own.
      here.map((line) => ({ ...line, index: line.index * PIECES_PER_LINE, name: undefined, fulfilled: 0, epoch })),
    );
    settle(book, part);
    if (here.length + granted.shortages.length >= LARGE_ITEM) book.pages.isolate(part);
    book.onTimed?.(part);
  }
  if (granted.coordinator === book.partition && isWhole(granted)) {
    const home = homeOf(book, granted.id);
    home.placed = true;
    home.content = granted.content;
    home.participants = granted.participants;
    home.shortages = granted.shortages;
    home.expiresAtMs = granted.expiresAtMs;
    if (granted.shortages.length >= LARGE_ITEM) book.pages.isolate(home);
  }
}

/**
 * Whether this decision completes the reservation. It does if it names every participant, or has no lines because the participants
 * granted theirs in earlier decisions. A decision with some of the lines is only a part, even in the coordinator.
 */
function isWhole({ lines, participants, parts }: Granted): boolean {
  return lines.length === 0 || participants.every((number) => parts.some(([partition]) => partition === number));
}

/** A later step in the form of version 0.1. */
export function applyStep(book: StockBook, { id, kind, atMs }: Stepped): void {
  const home = book.coordinatorEntries.get(id);
  if (home !== undefined) {
    book.pages.touch(home);
    take(home, kind, atMs);
  }
  const part = book.parts.get(id);
  // A coordinator without lines of the reservation has no part to step.
  if (part === undefined && home !== undefined) return;
  const stepped = part ?? addPart(book, id);
  book.changePart(stepped);
  take(stepped, kind, atMs);
  settle(book, stepped);
}

type Steps = Pick<CoordinatorEntry, 'confirmedAtMs' | 'releasedAtMs' | 'expiredAtMs'>;

function take(steps: Steps, kind: Stepped['kind'], atMs: number): void {
  switch (kind) {
    case 'confirmed':
      steps.confirmedAtMs = atMs;
      return;
    case 'released':
      steps.releasedAtMs = atMs;
      return;
    case 'expired':
      steps.expiredAtMs = atMs;
      return;
  }
}

/** Whether an attempt may still make a part grow. */
export function mayGrow(part: ReservationPart | undefined, attempt: Attempt): boolean {
  return compareAttempts(attempt, part?.latest ?? NO_ATTEMPT) > 0;
}
