/** Sends facts over HTTP, and says for each failure what the caller should do. */

import { factsAnswer } from '../../streams/contract/stock.ts';
import { type Client, NO_ANSWER, type Refused } from '../client/client.ts';
import { type Send, SendError } from './send.ts';

const START_ADVICE =
  'start a node with `holdfast up` or `holdfast node`, or name its address with --http or HOLDFAST_HTTP; `holdfast doctor` says what is wrong';

export function httpSender(client: Client): Send {
  return async (facts) => {
    const asked = await client.ask('POST', '/v1/facts', facts);
    if (!asked.ok) throw refusal(asked);
    const answer = factsAnswer.safeParse(asked.body);
    if (!answer.success) {
      throw new SendError('what answered POST /v1/facts said something else: is that a Holdfast node?', 'give-up');
    }
    const { accepted, duplicates, rejected } = answer.data;
    const accounted = accepted + duplicates + rejected.length;
    if (accounted !== facts.length) {
      const message = `the node accounted for ${accounted} of ${facts.length} facts: replay the file again`;
      throw new SendError(message, 'give-up');
    }
    return answer.data;
  };
}

/** The server's idempotency horizon; undefined if it is off, or if the server does not say it. */
export async function httpHorizonMs(client: Client): Promise<number | undefined> {
  const asked = await client.ask<{ readonly horizonSeconds?: unknown }>('GET', '/v1/system');
  const seconds = asked.ok ? asked.body.horizonSeconds : undefined;
  return typeof seconds === 'number' ? seconds * 1000 : undefined;
}

function refusal({ problem, base, retryAfterMs }: Refused): SendError {
  const { status, detail } = problem;
  if (status === NO_ANSWER) return new SendError(`${detail}: ${START_ADVICE}`, 'again');
  const said = `${base} answered ${status}: ${detail}`;
  if (status === 413) return new SendError(said, 'smaller');
  if (status === 404 || status === 405) return new SendError(`${said}. Is that a Holdfast node?`, 'give-up');
  if (status === 429 || status >= 500) return new SendError(said, 'again', { retryAfterMs, reached: true });
  return new SendError(said, 'give-up');
}
