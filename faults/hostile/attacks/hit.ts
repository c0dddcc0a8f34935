/** One HTTP request of an attacker, with any headers. Only the beginning of the answer is kept. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http';

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

export interface Hit {
  /** HTTP status, or 0 without an answer. */
  readonly status: number;
  readonly bytes: number;
  /** The beginning of the answer. */
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
}

const NOTHING: Hit = { status: 0, bytes: 0, text: '', headers: {} };
const JSON_HEADERS = { 'Content-Type': 'application/json' };

/** @param body a string or bytes are sent unchanged, anything else as JSON */
export function hit(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = body === undefined ? {} : JSON_HEADERS,
  withinMs = 15_000,
): Promise<Hit> {
  const bytes =
    body === undefined || typeof body === 'string' || Buffer.isBuffer(body)
      ? (body as string | Buffer | undefined)
      : JSON.stringify(body);
  return new Promise((resolve) => {
    const asked = request(`${url}${path}`, { method, agent, headers, timeout: withinMs }, (answer) => {
      let length = 0;
      let text = '';
      answer.on('data', (chunk: Buffer) => {
        if (length < 4_096) text += chunk.toString('latin1');
        length += chunk.length;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, bytes: length, text, headers: answer.headers }));
      answer.on('error', () => resolve(NOTHING));
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(NOTHING));
    asked.end(bytes);
  });
}

/** Submits facts, `together` in a request. Resolves when all requests are answered, whatever the answers are. */
export async function submit(url: string, facts: readonly object[], together = 500): Promise<void> {
  for (let i = 0; i < facts.length; i += together) await hit(url, 'POST', '/v1/facts', facts.slice(i, i + together));
}
