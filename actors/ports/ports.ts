/**
 * Ports: the interfaces that the actors need from outside, and those that the fronts need from the actors. src/node/node.ts wires the
 * real implementations; a simulation supplies its own.
 */

import type { SupplyPage, SupplyQuery } from '../../streams/contract/promise/supply.ts';
import type {
  AmendRequest,
  AtpAnswer,
  AtpRequest,
  PartialRelease,
  ReservationAnswer,
  ReservationRequest,
  ReservationsQuery,
  SkuStockAnswer,
  StockAnswer,
  StocksAnswer,
  StocksRequest,
} from '../../streams/contract/stock.ts';
import type { SentBody } from '../../streams/fact/sent-body.ts';
import type { Decision } from '../../streams/journal/decision.ts';
import type { Dropped } from '../../streams/journal/journal.ts';
import type { ExplainedKey, ExplainPage } from './explain-page.ts';
import type { ExplainAnswer, PeerAnswer, PeerOperationName, PeerRequest } from './peer-operations.ts';

/** A log with group commit. Outcomes arrive in the order of the appends. */
export interface DecisionLog {
  /**
   * Appends a decision. `stored` runs once it is durable and must fold it. `dropped` runs once it is certain that it was not stored.
   * @param bytes encoded decision (encodeDecision), if the caller already has it
   */
  append(decision: Decision, stored: () => void, dropped: Dropped, bytes?: Uint8Array): void;
  readonly inFlight: number;
}

/** This node's lease. */
export interface Lease {
  /** Whether the lease is confirmed now. Otherwise another node may already own this node's partitions. */
  readonly leased: boolean;
}

/** Asks the owner of a partition on another node. Rejects with a Refusal, including when the request or its answer is too large. */
export interface Peers {
  ask<N extends PeerOperationName>(partition: number, operation: N, body: PeerRequest<N>): Promise<PeerAnswer<N>>;
}

/** What the fronts (HTTP, NATS, command line) ask. Every method refuses by rejecting with a Refusal. */
export interface StockService {
  atp(request: AtpRequest): Promise<AtpAnswer>;
  stock(sku: string, location: string): Promise<StockAnswer>;
  skuStock(sku: string): Promise<SkuStockAnswer>;
  /** The stock of many SKUs, each at all of its locations or at the named ones. SKUs and locations that are not known are left out. */
  stocks(request: StocksRequest): Promise<StocksAnswer>;
  /** `fresh` is true if this call granted the reservation (201), and false if its id was already granted (200). */
  place(request: ReservationRequest): Promise<{ fresh: boolean; reservation: ReservationAnswer }>;
  confirm(id: string): Promise<ReservationAnswer>;
  release(id: string): Promise<ReservationAnswer>;
  amend(request: AmendRequest): Promise<ReservationAnswer>;
  releaseSome(id: string, part: PartialRelease): Promise<ReservationAnswer>;
  reservation(id: string): Promise<ReservationAnswer>;
  /** A page of the reservations of a SKU, ordered by id. `next` is the id after which the list goes on. */
  reservations(
    query: ReservationsQuery,
  ): Promise<{ readonly reservations: readonly ReservationAnswer[]; readonly next: string | null }>;
  /** A page of the supply on its way to a SKU's locations. */
  supply(query: SupplyQuery): Promise<SupplyPage>;
  explain(key: ExplainedKey, page: ExplainPage): Promise<ExplainAnswer>;
}

/** An item: how a SKU is called. */
export interface KnownItem {
  readonly sku: string;
  readonly name: string;
  readonly attributes: readonly (readonly [name: string, text: string])[];
  /** The moment as of which its fact counts, in microseconds since 1970. */
  readonly at: number;
}
/** Reads items from their owners. Refuses by rejecting with a Refusal. */
export interface ItemService {
  /** The items of those SKUs that have one, in any order. @param skus each once */
  items(skus: readonly string[]): Promise<readonly KnownItem[]>;
}

/** Accepts facts over HTTP: stores them and waits for their owner's verdict. */
export interface FactIngress {
  /**
   * Stores facts with the bytes in which they were sent, and answers once every accepted fact is durable. Rejects with undecided if a fact
   * could not be stored or its owner's verdict does not arrive in time. The caller then sends all of them again.
   */
  submit(facts: readonly SentBody[]): Promise<{
    accepted: number;
    duplicates: number;
    rejected: { index: number; code: string; message: string }[];
  }>;
}

/** A partition that its node owns but may not serve. */
export interface Quarantined {
  readonly partition: number;
  readonly why: string;
  /** STREAM.seq of the message at which reading stopped, if there is one. A person may judge it (holdfast quarantine). */
  readonly place: string | null;
}

/** Readiness for /readyz and doctor. */
export interface Readiness {
  readonly ready: boolean;
  /** Why the node is not ready, in plain words. */
  readonly reasons: readonly string[];
  /** Number of partitions served here, and of all partitions. */
  readonly owned: number;
  readonly partitions: number;
  /** Partitions served here, each with the epoch in which this node decides for it. */
  readonly owns: readonly { readonly partition: number; readonly epoch: number }[];
  /** Partitions that this node owns but may not serve. */
  readonly quarantined?: readonly Quarantined[];
}
