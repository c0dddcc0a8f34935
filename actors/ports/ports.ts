/**
 * Ports: what the actors need of the world, and what the fronts need of the actors. Real ones are wired in src/node/node.ts; a
 * simulation owns its own.
 */

import type {
  AtpAnswer,
  AtpRequest,
  ReservationAnswer,
  ReservationRequest,
  SkuStockAnswer,
  StockAnswer,
} from '../../streams/contract/stock.ts';
import type { SentBody } from '../../streams/fact/sent-body.ts';
import type { Decision } from '../../streams/journal/decision.ts';
import type { Dropped } from '../../streams/journal/journal.ts';
import type { ExplainedKey, ExplainPage } from './explain-page.ts';
import type { ExplainAnswer, PeerAnswer, PeerOperationName, PeerRequest } from './peer-operations.ts';

/** Group commit. Outcomes come in the order of the appends. */
export interface DecisionLog {
  /**
   * `stored` runs when the decision is durable and must fold it; `dropped` when it is certain that it is not stored.
   * @param bytes of the decision (encodeDecision), where they are known already
   */
  append(decision: Decision, stored: () => void, dropped: Dropped, bytes?: Uint8Array): void;
  readonly inFlight: number;
}

/** This node's lease. */
export interface Lease {
  /** Whether it is confirmed now. Without it, another node may own what this one holds. */
  readonly leased: boolean;
}

/** Asks the owner of a partition, which is another node. Rejects with a Refusal, also of what is too large to be asked or answered. */
export interface Peers {
  ask<N extends PeerOperationName>(partition: number, operation: N, body: PeerRequest<N>): Promise<PeerAnswer<N>>;
}

/** What the fronts (HTTP, NATS, command line) ask; each rejects with a Refusal. */
export interface StockService {
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

/** Taking facts in over HTTP: stores them, waits for the verdict of their owner. */
export interface FactIngress {
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

/** A partition that its node owns and does not serve. */
export interface Quarantined {
  readonly partition: number;
  readonly why: string;
  /** STREAM.seq of what reading stopped at, where it is one message: a person may judge it (holdfast quarantine). */
  readonly place: string | null;
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
