/** Every attack. */
import type { Attack } from './attack.ts';
import {
  bentMessages,
  forgedRecords,
  forgedReports,
  garbageReports,
  garbageToOwners,
  nilReport,
} from './attacks/between-nodes.ts';
import {
  foreignPages,
  manyConnections,
  parkedLists,
  socketGarbage,
  socketStorm,
  unfinished,
} from './attacks/connections.ts';
import {
  bombs,
  brokenEscapes,
  deepFacts,
  falseResubmit,
  filling,
  headerTricks,
  oddNames,
  unreadable,
  unreadableMany,
} from './attacks/devices.ts';
import { forgedSnapshots } from './attacks/snapshots.ts';
import {
  fatExplain,
  hotExplain,
  hugeDecision,
  hugeShortages,
  wideAtp,
  wideBasket,
  wideQuery,
  wrongRequests,
} from './attacks/wide.ts';

export const ATTACKS: readonly Attack[] = [
  wideQuery,
  fatExplain,
  nilReport,
  garbageReports,
  garbageToOwners,
  forgedReports,
  bentMessages,
  wrongRequests,
  hugeDecision,
  hugeShortages,
  unreadable,
  unreadableMany,
  filling,
  socketStorm,
  socketGarbage,
  wideAtp,
  wideBasket,
  hotExplain,
  parkedLists,
  unfinished,
  manyConnections,
  foreignPages,
  falseResubmit,
  forgedSnapshots,
  deepFacts,
  bombs,
  headerTricks,
  oddNames,
  brokenEscapes,
  forgedRecords,
];
