/**
 * Every bound of the program, and what happens at it. What an operator may change is in settings.ts; these follow from the
 * design or from the servers.
 */
export const LIMITS = {
  /** Bytes of the largest body, one of facts; more: 413. Each operation of src/http says its own. */
  bodyBytes: 8 * 1024 * 1024,
  /** Bytes of POST /v1/atp: 5,000 lines of the longest names with a location each; more: 413. */
  atpBodyBytes: 4 * 1024 * 1024,
  /** Bytes of a reservation with the most lines and named locations, of names of 64 characters; more: 413. */
  reservationBodyBytes: 2 * 1024 * 1024,
  /** Bytes of a body that holds one fact, or what a person says; more: 413. */
  smallBodyBytes: 128 * 1024,
  /** Bytes of all HTTP bodies that have come and are not answered; the next one: 503 at once, and its rest is thrown away. */
  bodiesBytes: 256 * 1024 * 1024,
  /** A body of which fewer than bodyProgressBytes come in so long: 408, and the connection is closed. */
  bodyProgressMs: 10_000,
  bodyProgressBytes: 10_000,
  /** Headers and body of a request must have come in so long; then 408, and the connection is closed. */
  requestReadMs: 30_000,
  /** Connections to HTTP, readers of the live feed among them; the next one is closed as soon as it is made. */
  connections: 10_000,
  /** Locations in one answer of ATP, those of all lines together, and locations named in its request; more: 413. */
  atpLocations: 100_000,
  /** Stock keys in the answer of GET /v1/stock/{sku}; more: 413, ask by location. */
  stockRows: 10_000,
  /** Locations named in all lines of a reservation together; more: 413. */
  reservationLocations: 5_000,
  /** Reservations of more lines are worked on so many at once, and so many wait; the next one: 503. */
  wideLines: 20,
  wideAtOnce: 1,
  wideWaiting: 100,
  /** Longest rest between two, in milliseconds: two dozen at once are all decided in time. */
  wideRestMs: 50,
  /** Milliseconds of work on one answer before other requests have their turn. */
  answerTurnMs: 5,
  /** Explanations that a node works on at once, and those that wait; more: 503. */
  explainsAtOnce: 1,
  explainsWaiting: 8,
  /** Longest rest between two, in milliseconds. */
  explainRestMs: 2_000,
  /** Facts and decisions in one page of an explanation, at most and if the caller does not say. */
  explainSteps: 10_000,
  explainStepsUsual: 1_000,
  /** Bytes of one page, about, so that it passes between nodes at the server's smallest usual max_payload; the rest follows on the next. */
  explainBytes: 768 * 1024,
  /** Facts that an explanation asks the server for at once: between two pulls others have their turn. */
  explainPull: 256,
  /** Characters of a fact's field that an explanation shows, and fields of one fact; the rest is cut. */
  explainFieldChars: 200,
  explainFields: 20,
  /** Bytes of a body that is too large that are read and thrown away, so that its sender gets the 413; more: the connection is cut. */
  discardedBytes: 64 * 1024 * 1024,
  /** And how long that may take. */
  discardMs: 10_000,
  /** Facts in one POST /v1/facts; more: 413. */
  factsPerRequest: 1000,
  /** Bytes of one fact over HTTP; more: it is rejected as too-large, and neither stored nor parked. */
  factBytes: 64 * 1024,
  /** Bytes of a stored fact, its subject and headers included; NATS refuses what has more. */
  storedFactBytes: 80 * 1024,
  /**
   * Publishes of facts on their way to JetStream at once; more wait their turn. All that are acknowledged between two turns of the event
   * loop are worked on in one: 512 held up decisions for half a second, and 64 are stored as quickly.
   */
  factPublishesInFlight: 64,
  /** Decisions in one journal record; more wait for the next one. */
  decisionsPerRecord: 1024,
  /** Bytes of one encoded decision; a reservation that would need more: 413, and nothing is held. */
  decisionBytes: 256 * 1024,
  /** Lines of one decision, split ones counted at each location; a reservation that would need more: 413, and nothing is held. */
  linesPerDecision: 5_000,
  /** What the server's max_payload must be at least: a node does not start below it, and is not ready while it is. */
  leastMaxPayload: 1024 * 1024,
  /** How long the journal, an intake or parking may stand still with work to do before /readyz says so. */
  standstillMs: 5_000,
  /** How often a node looks whether they move. */
  progressEveryMs: 1_000,
  /** Decisions waiting for the journal; more requests: 503 with Retry-After. */
  decisionsWaiting: 20_000,
  /** Requests waiting for another step of the same reservation; more: 503. */
  waitingPerReservation: 2_000,
  /** Requests over NATS that are being answered; more: 503 at once, unread. */
  requestsInFlight: 4_096,
  /** Bytes of an answer between nodes, in as many messages as the server's max_payload makes of it; more: refused as too large. */
  peerAnswerBytes: 32 * 1024 * 1024,
  /** How long a request waits for its decision before it is answered 503; its units stay held until the outcome is known. */
  requestMs: 5_000,
  /** How long an HTTP fact waits for its owner's verdict; then 503: it is stored, but whether it counted is not known here. */
  verdictMs: 5_000,
  /** Pause before an owner that does not answer is asked for a verdict again. */
  verdictAgainMs: 50,
  /** Verdicts other than "applied" kept for fronts that ask late; the oldest go first. */
  verdictsKept: 200_000,
  /** Facts on their way to PARKED; more: the follower stops until they are stored. */
  parkingInFlight: 256,
  /** Parked facts in one answer are shown with so many of their bytes; one that has more says so, and can be asked for by itself. */
  parkedBytesShown: 4_096,
  /** Bytes of a list of parked facts, and how long it is put together; at either the page ends early, with `next`. */
  parkedListBytes: 8 * 1024 * 1024,
  parkedListMs: 2_000,
  /** Facts that a follower asks the server for at once: between two pulls others have their turn. */
  factsPerPull: 64,
  /** A follower that hears nothing for so long starts anew behind its position. */
  followerSilenceMs: 2_500,
  /** How often a node writes down how far the streams are: what a crash and damage to a disk together can hide. */
  marksEveryMs: 250,
  /** A stream that gives no message for so long though it says it has some: the take-over fails, says so and is tried again. */
  readStallMs: 5_000,
  /** Holds that expire in one go; the rest follow in the next turn of the event loop. */
  expiriesPerTurn: 2_000,
  /** Actors checked in one turn of the self-audit. */
  auditPartitionsPerMinute: 8,
  /** Pause between looks at the anomalies of the partitions owned here. */
  anomalyRoundMs: 1_000,
  /** Changes of anomalies stored in one look; the rest wait for the next. */
  anomalyChangesPerRound: 500,
  /** Least time between two updates of the figures of an anomaly that goes on. */
  anomalyUpdateMs: 5_000,
  /** How often resolved anomalies that are old enough are removed. */
  anomalySweepMs: 60_000,
  /** How long a list of stored anomalies answers those who ask meanwhile. */
  anomalyListMs: 500,
  /** Longest wait for what is being stored when the node stops. */
  anomalyStopMs: 2_000,
  /** Tries to store a change of an anomaly that another has changed meanwhile; then 503. */
  anomalyAttempts: 4,
  /** Readers of the live feed on one node; more: 503. */
  liveReaders: 5_000,
  /** Bytes of what a node says of itself once a second; more is not heard. */
  reportBytes: 64 * 1024,
  /** Reasons why it is not ready that it tells, and characters of each; the rest is in its own /readyz. */
  reportReasons: 20,
  reportText: 500,
  /** SKUs that readers of other nodes want of this one; of more, changes come with the renewals, every two seconds. */
  liveWishes: 200_000,
  /** Anomalies told by other nodes that are not known to be stored; more are found in the store, within seconds. */
  anomaliesTold: 10_000,
  /** Topics of one reader; more: refused, or closed with 1008. */
  liveTopics: 200,
  /** Topics that a reader may subscribe to and unsubscribe from: so many a second, and at once; more: closed with 1008. */
  liveChangesPerSecond: 20,
  liveChangesAtOnce: 400,
  /** How long a topic is kept for the next reader when its last one has gone. */
  liveKeptMs: 1_000,
  /** Bytes of a message that a reader sends; more: closed with 1009. */
  liveMessageBytes: 64 * 1024,
  /** Entries in the list of rules, which is metadata of a stream (128 KiB in all); more: refused. */
  rulesEntries: 250,
  /** How often a node asks how full the streams are. */
  storageEveryMs: 1_000,
  /** Milliseconds of page encoding in one turn while a snapshot is written. */
  snapshotTurnMs: 4,
} as const;
