/**
 * Sends facts over HTTP with the platform's fetch, which keeps connections open.
 *
 * With several base URLs, the next one is tried after a node did not answer.
 */
import { factsAnswer } from '../../streams/contract/stock.ts';
import { type Send, SendError } from './send.ts';

const ANSWER_MS = 30_000;
const MAX_SAID = 300;

/** @param baseUrls such as http://127.0.0.1:8080; one or several nodes of one Holdfast */
export function httpSender(baseUrls: string | readonly string[]): Send {
  const urls = (typeof baseUrls === 'string' ? [baseUrls] : [...baseUrls]).map((url) => url.replace(/\/+$/, ''));
  let turn = 0;
  return async (facts) => {
    const base = urls[turn % urls.length] ?? '';
    try {
      return await post(base, JSON.stringify(facts), facts.length);
    } catch (error) {
      turn++;
      throw error;
    }
  };
}

async function post(base: string, body: string, expected: number) {
  let response: Response;
  let text: string;
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    response = await fetch(`${base}/v1/facts`, { method: 'POST', headers, body, signal });
    text = await response.text();
  } catch (cause) {
    throw new SendError(unreachable(base, cause), 'again', { cause });
  }
  if (!response.ok) throw refusal(base, response, text);
  const answer = factsAnswer.safeParse(readJson(text));
  if (!answer.success) {
    throw new SendError(`${base} answered POST /v1/facts with something else: is that a Holdfast node?`, 'give-up');
  }
  const { accepted, duplicates, rejected } = answer.data;
  if (accepted + duplicates + rejected.length !== expected) {
    const message = `${base} accounted for ${accepted + duplicates + rejected.length} of ${expected} facts: replay the file again`;
    throw new SendError(message, 'give-up');
  }
  return answer.data;
}

function refusal(base: string, response: Response, text: string): SendError {
  const { status } = response;
  const said = `${base} answered ${status}: ${detail(text)}`;
  if (status === 413) return new SendError(said, 'smaller');
  if (status === 404 || status === 405) return new SendError(`${said}. Is that a Holdfast node?`, 'give-up');
  if (status === 429 || status >= 500) {
    const seconds = Number(response.headers.get('retry-after') ?? 0);
    return new SendError(said, 'again', { retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : 0, reached: true });
  }
  return new SendError(said, 'give-up');
}

function detail(text: string): string {
  const problem = readJson(text) as { detail?: unknown; title?: unknown } | undefined;
  const said = problem?.detail ?? problem?.title;
  return (typeof said === 'string' ? said : text).slice(0, MAX_SAID);
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unreachable(base: string, cause: unknown): string {
  const code = causeCode(cause);
  if (code === 'ECONNREFUSED') {
    return `nothing listens at ${base}: start a node with \`holdfast up\` or \`holdfast node\`, or name its address with --http or HOLDFAST_HTTP`;
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `the host of ${base} is not known: check --http or HOLDFAST_HTTP`;
  if (code === 'TimeoutError')
    return `${base} did not answer within ${ANSWER_MS / 1000} s: \`holdfast doctor\` says what is wrong`;
  return `the connection to ${base} broke (${code})`;
}

/** fetch hides what happened in its cause, and behind two addresses of one host in the cause's list. */
function causeCode(error: unknown): string {
  const { name, cause } = error as {
    name?: string;
    cause?: { code?: string; message?: string; errors?: { code?: string }[] };
  };
  return cause?.code ?? cause?.errors?.[0]?.code ?? cause?.message ?? name ?? 'unknown';
}
