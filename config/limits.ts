/**
 * Every bound of the program, and what happens at it. These bounds follow from the design or from the servers. Bounds that an operator
 * may change are in settings.ts.
 */
export const LIMITS = {
  /** Bytes of the largest body, which holds facts; more: 413. Each operation of src/http declares its own bound. */
  bodyBytes: 8 * 1024 * 1024,
  /** Bytes of a body of POST /v1/atp. Fits 5,000 lines with the longest names and one location each; more: 413. */
  atpBodyBytes: 4 * 1024 * 1024,
  /** Bytes of a reservation. Fits the most lines and named locations, with names of 64 characters; more: 413. */
  reservationBodyBytes: 2 * 1024 * 1024,
  /** Bytes of a policy or of a description of a location. Fits the most groups and lanes with the longest names; more: 413. */
  policyBodyBytes: 512 * 1024,
  /** Bytes of a body that holds one fact or a person's note; more: 413. */
  smallBodyBytes: 128 * 1024,
  /** Bytes of all HTTP bodies received and not yet answered. The next body gets 503 at once, and its rest is discarded. */
  bodiesBytes: 256 * 1024 * 1024,
  /** If fewer than bodyProgressBytes of a body arrive within this time, it gets 408 and the connection is closed. */
  bodyProgressMs: 10_000,
  bodyProgressBytes: 10_000,
  /** Time within which headers and body of a request must arrive. Then it gets 408 and the connection is closed. */
  requestReadMs: 30_000,
  /** HTTP connections, including readers of the live feed. The next one is closed as soon as it opens. */
  connections: 10_000,
  /** Locations in one ATP answer over all lines, and locations named in its request; more: 413. */
  atpLocations: 100_000,
  /** Stock keys in the answer of GET /v1/stock/{sku}; more: 413. Callers then ask by location. */
  stockRows: 10_000,
  /** Locations named in all lines of a reservation together; more: 413. */
  reservationLocations: 5_000,
  /** Partial releases of one reservation, because their ids are remembered; more: 413. The rest can be released at once. */
  releasesPerReservation: 1_000,
  /** Reservations that a list looks at for one page. A page with a filter may end early, with `next`. */
  reservationsSearched: 2_000,
  /** Reservations in one page of a list: the maximum, and the default. */
  reservationsListed: 500,
  reservationsListedUsual: 100,
  /** Supplies in one page of a list: the maximum, and the default. */
  supplyListed: 1_000,
  supplyListedUsual: 100,
  /** Reservations with more than wideLines lines pass a turnstile: wideAtOnce run, wideWaiting wait, and the next one gets 503. */
  wideLines: 20,
  wideAtOnce: 1,
  wideWaiting: 100,
  /** Longest rest after one, in milliseconds. Short enough that two dozen sent at once are all decided in time. */
  wideRestMs: 50,
  /** Work on one answer before other requests get a turn, in milliseconds. */
  answerTurnMs: 5,
  /** Explanations that a node runs at once, and those that wait; more: 503. */
  explainsAtOnce: 1,
  explainsWaiting: 8,
  /** Longest rest after one, in milliseconds. */
  explainRestMs: 2_000,
  /** Facts and decisions in one page of an explanation: the maximum, and the default. */
  explainSteps: 10_000,
  explainStepsUsual: 1_000,
  /** Approximate bytes of one page, so that it fits the smallest usual max_payload between nodes. The rest follows on the next page. */
  explainBytes: 768 * 1024,
  /** Facts that an explanation pulls from the server at once. Other work runs between two pulls. */
  explainPull: 256,
  /** Characters per field and fields per fact that an explanation shows. The rest is cut. */
  explainFieldChars: 200,
  explainFields: 20,
  /** Bytes of an oversized body that are read and discarded, so that its sender receives the 413. Beyond it the connection is cut. */
  discardedBytes: 64 * 1024 * 1024,
  /** How long discarding may take before the connection is cut. */
  discardMs: 10_000,
  /** Facts in one POST /v1/facts; more: 413. */
  factsPerRequest: 1000,
  /** Bytes of one fact over HTTP. A larger fact is rejected as too-large, and is neither stored nor parked. */
  factBytes: 64 * 1024,
  /** Bytes of a stored fact with its subject and headers. A bundle may always have as many. */
  storedFactBytes: 80 * 1024,
  /** Facts in a bundle (streams/fact/bundle.ts). A follower folds a bundle in one turn, about 15 ms at most. */
  bundleFacts: 256,
  /** Time that the messages of one following take in one turn of the event loop. Timers and sockets get their turn in between. */
  deliveryTurnMs: 5,
  /** Attributes of an item, and bytes of all their names and texts together. A fact with more is invalid, a PUT gets 422. */
  itemAttributes: 32,
  itemAttributeBytes: 2_048,
  /** Items in one page of a list, and SKUs that a request for items names: the maximum, and the default of a list. */
  itemsListed: 200,
  itemsListedUsual: 50,
  /** Decisions in one journal record. Further decisions wait for the next record. */
  decisionsPerRecord: 1024,
  /** Bytes of one encoded decision; a reservation that would need more: 413, and nothing is held. */
  decisionBytes: 256 * 1024,
  /** Lines of one decision, split ones counted at each location; a reservation that would need more: 413, and nothing is held. */
  linesPerDecision: 5_000,
  /** Smallest max_payload of a NATS server. Below it a node does not start, and a running node is not ready. */
  leastMaxPayload: 1024 * 1024,
  /** How long the journal, an intake or parking may make no progress with work to do before /readyz reports it. */
  standstillMs: 5_000,
  /** How often a node checks their progress. */
  progressEveryMs: 1_000,
  /** Decisions waiting for the journal; more requests: 503 with Retry-After. */
  decisionsWaiting: 20_000,
  /** Requests waiting for another step of the same reservation; more: 503. */
  waitingPerReservation: 2_000,
  /** Requests over NATS in progress. Further ones get 503 at once, unread. */
  requestsInFlight: 4_096,
  /** Bytes of an answer between nodes, split into as many messages as max_payload requires. A larger one is refused as too large. */
  peerAnswerBytes: 32 * 1024 * 1024,
  /** How long a request waits for its decision before it gets 503. Its units stay held until the outcome is known. */
  requestMs: 5_000,
  /** How long an HTTP fact waits for its owner's verdict. Then it gets 503: it is stored, but this node cannot say if it counted. */
  verdictMs: 5_000,
  /** Pause before a silent owner is asked for a verdict again. */
  verdictAgainMs: 50,
  /** Verdicts other than "applied" that are kept for fronts that ask late. The oldest is evicted first. */
  verdictsKept: 200_000,
  /** Facts being stored in PARKED. Beyond it the follower pauses until they are stored. */
  parkingInFlight: 256,
  /** Bytes of each parked fact that a list shows. A longer one is marked as cut and can be requested by itself. */
  parkedBytesShown: 4_096,
  /** Bytes of a list of parked facts, and time to build it. At either bound the page ends early, with `next`. */
  parkedListBytes: 8 * 1024 * 1024,
  parkedListMs: 2_000,
  /** How long a request about parked facts waits until all of them are read; then 503. Only a node that has just started has them to read. */
  parkedReadMs: 5_000,
  /** Entries looked at per turn of the event loop. */
  parkedPerTurn: 20_000,
  /** Sequences that one request names; more: 422. */
  parkedSeqs: 5_000,
  /** How long one request resubmits or dismisses facts. Then it answers with `next`, and the caller asks again. */
  parkedWorkMs: 8_000,
  /** Facts being submitted again at once. */
  parkedSends: 64,
  /** Age at which a resubmission without its message is finished by another node than the one that began it. */
  parkedFinishMs: 10_000,
  /** How often a node reads new parked facts and looks for resubmissions to finish. */
  parkedEveryMs: 1_000,
  /** Facts that a follower pulls from the server at once. Other work runs between two pulls. */
  factsPerPull: 64,
  /** A follower that hears nothing for this long starts again after its position. */
  followerSilenceMs: 2_500,
  /** How often a node writes the streams' high-water marks. Bounds the loss that a crash together with disk damage can hide. */
  marksEveryMs: 250,
  /** If a stream delivers nothing for this long although it reports messages, the take-over fails, says so and is retried. */
  readStallMs: 5_000,
  /** Holds that expire per turn of the event loop. The rest follow in the next turn. */
  expiriesPerTurn: 2_000,
  /** Pause between two rounds over the anomalies of the partitions owned here. */
  anomalyRoundMs: 1_000,
  /** Reservations whose homes are asked per round and partition whether they know them. The rest wait for the next round. */
  reservationsAsked: 200,
  /** Changes of anomalies stored per round. The rest wait for the next round. */
  anomalyChangesPerRound: 500,
  /** Shortest time between two updates of the figures of an ongoing anomaly. */
  anomalyUpdateMs: 5_000,
  /** How often resolved anomalies that are old enough are removed. */
  anomalySweepMs: 60_000,
  /** How long a list of stored anomalies is reused for further requests. */
  anomalyListMs: 500,
  /** How long a stopping node waits for anomalies that are being stored, and for a resubmission that it finishes. */
  anomalyStopMs: 2_000,
  /** Attempts to store a change of an anomaly when other writers change it first; then 503. */
  anomalyAttempts: 4,
  /** Readers of the live feed on one node; more: 503. */
  liveReaders: 5_000,
  /** Bytes of a node's report, sent once a second, or of a published anomaly. A larger message is dropped. */
  reportBytes: 64 * 1024,
  /** Reasons for not being ready that a report carries, and characters of each. The node's own /readyz has the rest. */
  reportReasons: 20,
  reportText: 500,
  /** SKUs that nodes subscribe to at their owner. Changes of further SKUs arrive only with the renewals, every two seconds. */
  liveWishes: 200_000,
  /** Published anomalies that are not known to be stored. Further ones are dropped and found in the store within seconds. */
  anomaliesTold: 10_000,
  /** Topics of one reader. More are refused, or close the connection with 1008. */
  liveTopics: 200,
  /** Rate, and burst, of topics that a reader may subscribe to and unsubscribe from. Beyond it the connection closes with 1008. */
  liveChangesPerSecond: 20,
  liveChangesAtOnce: 400,
  /** How long a topic is kept for the next reader after its last one leaves. */
  liveKeptMs: 1_000,
  /** Bytes of a message that a reader sends. A larger one closes the connection with 1009. */
  liveMessageBytes: 64 * 1024,
  /** Events that wait in memory per partition. Beyond it they are forgotten, and read again from the streams once EVENTS takes events. */
  outboxEvents: 2_000,
  /** Messages that are read again at once from a stream for events. Their events are published before the next piece is read. */
  outboxPiece: 256,
  /** Pause between two rounds of the outbox. It bounds how late an event is, and how often the bucket of positions is written. */
  outboxRoundMs: 50,
  /** Shortest time between two recordings of a position behind new events, and without new events. What came after is published again. */
  outboxRecordMs: 1_000,
  outboxIdleRecordMs: 5_000,
  /** Longest pause before EVENTS is tried again. */
  outboxBackOffMs: 5_000,
  /** How long a stopping node goes on to publish. The next owner of the partitions publishes the rest. */
  outboxStopMs: 2_000,
  /** Pages of events that are read or waited for at once on one node; more: 503. */
  eventsWaiting: 500,
  /** Bytes of a page of events. At it the page ends early. */
  eventsPageBytes: 4 * 1024 * 1024,
  /** How long a page of events is read, beside its wait. Then it ends with what it has. */
  eventsReadMs: 5_000,
  /** Webhooks of an installation; more: 422. Each may have one request under way. */
  webhooks: 100,
  /** How long a webhook may take to answer. Then the event counts as not delivered and is sent again. */
  webhookAnswerMs: 15_000,
  /** After this time, an event that a dead node has taken is given to another one. Longer than an answer may take. */
  webhookAckMs: 30_000,
  /** How often a node looks for new and changed webhooks. */
  webhooksEveryMs: 2_000,
  /** How long one request for the next event of a webhook waits, and the pause after one that failed. */
  webhookPullMs: 5_000,
  webhookAgainMs: 1_000,
  /** Entries in the list of rules, which is metadata of a stream (128 KiB in all). More are refused. */
  rulesEntries: 250,
  /** Channels and purposes that one field of a policy names; more: 422. */
  policyGroups: 64,
  /** Substitutes of one SKU; more: 422. */
  policySubstitutes: 32,
  /** Lanes to one location, and opening periods of one day; more: 422. */
  transitLanes: 1_000,
  openingPeriods: 8,
  /** Changes of a policy or location that its history keeps. The oldest is forgotten first. The most that NATS KV keeps. */
  policyHistory: 64,
  /** How often a node that waits for a policy to be in force asks the others, and how often it reads which nodes are alive. */
  policyAskMs: 20,
  policyLiveMs: 250,
  /** How often a node asks how full the streams are. */
  storageEveryMs: 1_000,
  /** Work per turn of the event loop on promises that are made again, in milliseconds. The other keys follow in the next turns. */
  promiseTurnMs: 4,
  /** Lines that get a new moment by one decision, and the pause between two such decisions. So 100,000 lines take a minute. */
  movesPerDecision: 50,
  movesPauseMs: 20,
  /** Page encoding per turn of the event loop while a snapshot is written, in milliseconds. */
  snapshotTurnMs: 4,
} as const;

/** Most bytes of a bundle of several facts. Half of what the server takes leaves room for other messages. */
export function bundleBytes(maxPayload: number): number {
  return Math.floor(maxPayload / 2);
}
