/**
 * Ports: what the actors need of the world, and what the fronts need of the actors. Real ones are wired in src/node.ts; a
 * simulation owns its own.
 */
import type { StockDecision } from '../streams/decisions.ts';
import type { Dropped } from '../streams/journal.ts';
import type {
  AtpAnswer,
  AtpRequest,
  ReservationAnswer,
  ReservationRequest,
  SkuStockAnswer,
  StockAnswer,
} from '../streams/requests.ts';
import type { SentBody } from '../streams/sent.ts';
import type { Place } from './explain-page.ts';
import type { PeerAnswer, PeerOperationName, PeerRequest } from './peer-operations.ts';
import type { Quarantined } from './quarantine.ts';

/** Group commit. Outcomes come in the order of the appends. */
export interface DecisionLog {
  /**
   * `stored` runs when the decision is durable and must fold it; `dropped` when it is certain that it is not stored.
   * @param bytes of the decision (encodeDecision), where they are known already
   */
  append(decision: StockDecision, stored: () => void, dropped: Dropped, bytes?: Uint8Array): void;
  readonly inFlight: number;
}

/** Asks the owner of a partition, which is another node. Rejects with a Refusal, also of what is too large to be asked or answered. */
export interface Peers {
  ask<N extends PeerOperationName>(partition: number, operation: N, body: PeerRequest<N>): Promise<PeerAnswer<N>>;
}

/** What the fronts (HTTP, NATS, command line) ask; each rejects with a Refusal. */
export interface StockDesk {
  atp(request: AtpRequest): Promise<AtpAnswer>;
  stock(sku: string, location: string): Promise<StockAnswer>;
  skuStock(sku: string): Promise<SkuStockAnswer>;
  /** `fresh` is true if this call granted it (201) and false if the id was granted before (200). */
  place(request: ReservationRequest): Promise<{ fresh: boolean; reservation: ReservationAnswer }>;
  confirm(id: string): Promise<ReservationAnswer>;
  release(id: string): Promise<ReservationAnswer>;
  reservation(id: string): Promise<ReservationAnswer>;
  explain(key: ExplainedKey, page: ExplainPage): Promise<ExplainAnswer>;
}

export interface ExplainedKey {
  readonly sku: string;
  readonly location: string;
}
/** At most so many steps, the newest before a place. */
export interface ExplainPage {
  readonly limit: number;
  readonly before: Place | undefined;
}

/** The facts and decisions behind the numbers of a stock key, in order, with running totals. */
export interface ExplainAnswer {
  readonly sku: string;
  readonly location: string;
  readonly asOf: string;
  readonly steps: readonly ExplainStep[];
  readonly stock: StockAnswer;
  /** Whether all steps, those of other pages too, end in the stock shown; false is a fault and is reported. */
  readonly adds: boolean;
  /** What the steps leave out, such as facts that were parked. */
  readonly notes: readonly string[];
  /** The page of the older steps is before it; null if this one begins with the oldest. */
  readonly next: Place | null;
}
export interface ExplainStep {
  /** When it happened, ISO 8601. */
  readonly at: string;
  readonly what: string;
  readonly id: string;
  /** The fact's or decision's own words: type, qty, reason, reservation … */
  readonly detail: string;
  readonly change: Readonly<Partial<Record<ExplainBucket, number>>>;
  /** Running totals after this step. */
  readonly total: Readonly<Record<ExplainBucket, number>>;
}
export const EXPLAIN_BUCKETS = ['sellable', 'damaged', 'inspection', 'held', 'allocated', 'inTransit'] as const;
export type ExplainBucket = (typeof EXPLAIN_BUCKETS)[number];

/** Taking facts in over HTTP: stores them, waits for the verdict of their owner. */
export interface FactDesk {
  /**
   * Stores facts with the bytes that they were sent as; answers after every accepted one is durable. Rejects with undecided, which sending
   * all of them again resolves, when one could not be stored or its owner's verdict does not come in time.
   */
  submit(facts: readonly SentBody[]): Promise<{
    accepted: number;
    duplicates: number;
    rejected: { index: number; code: string; message: string }[];
  }>;
}

/** Readiness for /readyz and doctor. */
export interface Readiness {
  readonly ready: boolean;
  /** Why not, in plain words. */
  readonly reasons: readonly string[];
  /** How many partitions are served here, and of how many in all. */
  readonly owned: number;
  readonly partitions: number;
  /** Those that are served here, by number, with the epoch in which this node decides for them. */
  readonly owns: readonly { readonly partition: number; readonly epoch: number }[];
  /** Those that this node owns and does not serve. */
  readonly quarantined?: readonly Quarantined[];
}

/** A parked fact as operators see it. */
export interface ParkedFact {
  readonly seq: number;
  readonly parkedAt: string;
  readonly reason: string;
  readonly message: string;
  /** Where it came from: the stored subject, or `http`. */
  readonly source: string;
  readonly contentType: string;
  /** The bytes as they came, base64; in a list the first of them only. */
  readonly bytes: string;
  /** How many bytes it has, and whether `bytes` holds fewer. */
  readonly length: number;
  readonly cut: boolean;
}
export interface ParkedFacts {
  /** Parked facts after a sequence, oldest first; `next` goes on where a page ended before the last of them, which may be early. */
  list(after: number, limit: number): Promise<{ readonly parked: readonly ParkedFact[]; readonly next: number | null }>;
  /** One with all its bytes. */
  get(seq: number): Promise<ParkedFact>;
  /** Publishes it anew, or a corrected fact in its place; past the horizon too, since a person asks for it. */
  resubmit(seq: number, corrected: SentBody | undefined): Promise<void>;
}
