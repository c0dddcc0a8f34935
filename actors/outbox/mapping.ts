/**
 * Makes events of facts, decisions and changes of anomalies. Pure: the same input gives the same event under the same id (CE1).
 */
import type { Anomaly } from '../../streams/contract/anomaly.ts';
import {
  type AnomalyChange,
  type CloudEvent,
  EVENT_SOURCES,
  type EventData,
  type EventKind,
  eventType,
} from '../../streams/contract/events.ts';
import type { Fact, Return, Transfer } from '../../streams/fact/fact.ts';
import { formatInstant } from '../../streams/instant.ts';
import type { Decision } from '../../streams/journal/decision.ts';
import type { Repromised } from '../../streams/journal/promise-decisions.ts';
import { encodeToken } from '../../streams/subjects.ts';
import { momentText } from '../reservation/answer.ts';

/** An event with the kind that its subject names. */
export interface OutgoingEvent {
  readonly kind: EventKind;
  readonly event: CloudEvent;
}
type About = { readonly sku?: string | undefined; readonly location?: string | undefined };
/** An event of a decision before it has its id. */
interface Draft {
  readonly kind: EventKind;
  readonly about: About;
  readonly data: object;
}

/** Whether facts of a type give events. */
export function givesEvents(fact: Fact): fact is Transfer | Return {
  return fact.type === 'transfer' || fact.type === 'return';
}

/** The event of a counted fact, under the fact's id. */
export function eventOfFact(fact: Transfer | Return): OutgoingEvent {
  const { kind, data } = fact.type === 'transfer' ? transferred(fact) : returned(fact);
  return outgoing(kind, { source: EVENT_SOURCES.facts, id: fact.id, about: fact, time: formatInstant(fact.at) }, data);
}

function transferred(fact: Transfer): { kind: EventKind; data: object } {
  const { transfer, qty, from, to, phase, damaged, eta } = fact;
  const moved = { ...common(fact), transfer, qty, from, to };
  switch (phase) {
    case 'shipped':
      return made('transfer.shipped', { ...moved, eta: instant(eta) });
    case 'received':
      return made('transfer.received', { ...moved, damaged });
    case 'lost':
    case 'corrected':
      return made('transfer.closed', { ...moved, reason: phase });
  }
}

function returned(fact: Return): { kind: EventKind; data: object } {
  const { qty, disposition, reason = null, reservation = null } = fact;
  return made('return.received', { ...common(fact), qty, disposition, reason, reservation });
}

function common({ sku, location, at, device }: Transfer | Return) {
  return { sku, location, occurredAt: formatInstant(at), device: device ?? null };
}

/** Holds the data of an event against the schema of its kind. */
function made<Kind extends EventKind>(kind: Kind, data: EventData<Kind>): { kind: Kind; data: object } {
  return { kind, data };
}

/** What makes the events of a kind of decision, always in the same order. */
interface DecisionEvents<D extends Decision> {
  readonly atMs: (decision: D) => number;
  readonly drafts: (decision: D) => readonly Draft[];
}
const repromised: DecisionEvents<Repromised> = {
  atMs: ({ atMs }) => atMs,
  drafts: ({ sku, location, cause, moves, atMs }) =>
    moves
      .filter(({ was, now }) => now > 0 || was > atMs * 1000)
      .map(({ reservation, name, qty, wanted, was, now }) => ({
        about: { sku, location },
        ...made('promise.changed', {
          ...{ reservation, line: name ?? null, sku, location, qty },
          ...{ wanted: momentText(wanted), was: momentText(was) },
          // A line that takes its units is served at this moment. If that is when it was due, nothing has changed.
          now: momentText(now === 0 ? atMs * 1000 : now),
          cause,
        }),
      })),
};

/** By kind of decision. A kind that is not named gives no event. */
const NONE: readonly OutgoingEvent[] = [];
const DECISION_EVENTS: Readonly<Record<string, DecisionEvents<never> | undefined>> = { repromised };

/**
 * The events of a stored decision. @param place writer and number of its record, and its index in the record
 */
export function eventsOfDecision(
  decision: Decision,
  place: { readonly writer: string; readonly n: number; readonly index: number },
): readonly OutgoingEvent[] {
  const makes = DECISION_EVENTS[decision.kind] as DecisionEvents<Decision> | undefined;
  if (makes === undefined) return NONE;
  const time = formatInstant(makes.atMs(decision) * 1000);
  return makes.drafts(decision).map(({ kind, about, data }, move) => {
    const id = `${place.writer}.${place.n}.${place.index}.${move}`;
    return outgoing(kind, { source: EVENT_SOURCES.decisions, id, about, time }, data);
  });
}

/** The event of a stored change of an anomaly. @param revision of its key, which names the change */
export function eventOfAnomaly(anomaly: Anomaly, change: AnomalyChange, revision: number): OutgoingEvent {
  const id = `${anomaly.id}.${revision}`;
  const head = { source: EVENT_SOURCES.anomalies, id, about: anomaly, time: anomaly.updatedAt };
  return outgoing(`anomaly.${change}`, head, anomaly);
}

interface Head {
  readonly source: CloudEvent['source'];
  readonly id: string;
  readonly about: About;
  readonly time: string;
}

function outgoing(kind: EventKind, { source, id, about, time }: Head, data: object): OutgoingEvent {
  const subject = [about.sku, about.location].filter((each) => each !== undefined).map(encodeToken);
  return {
    kind,
    event: {
      specversion: '1.0',
      id,
      source,
      type: eventType(kind),
      ...(subject.length === 0 ? {} : { subject: subject.join('/') }),
      time,
      datacontenttype: 'application/json',
      data: data as Readonly<Record<string, unknown>>,
    },
  };
}

function instant(micros: number | null | undefined): string | null {
  return micros === null || micros === undefined ? null : formatInstant(micros);
}
