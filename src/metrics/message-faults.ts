/** Counts dropped messages by kind and reason, and logs them at a limited rate. */

import { BrokerError, type MessageFault } from '../../streams/broker.ts';
import { Misfit } from '../../streams/messages.ts';
import type { LimitedLog } from '../process/limited-log.ts';
import type { DropReason, Metrics } from './metrics.ts';

export function tellMessageFaults(metrics: Metrics, limited: LimitedLog): MessageFault {
  return (kind, error) => {
    const why = reasonOf(error);
    metrics.messageDropped(kind, why);
    const fields = why === 'fault' ? { about: kind, err: error } : { about: kind, why: (error as Error).message };
    limited.say(why === 'misfit' ? 'warn' : 'error', `${kind} ${why}`, fields, SAYINGS[why]);
  };
}

const SAYINGS: Readonly<Record<DropReason, string>> = {
  misfit: 'a message that has not the form it must have was dropped',
  'too-large': 'a message was not sent, because it is larger than the server takes',
  fault: 'a fault of the program while a message was taken',
};

function reasonOf(error: unknown): DropReason {
  if (error instanceof Misfit) return 'misfit';
  return error instanceof BrokerError && error.kind === 'too-large' ? 'too-large' : 'fault';
}
