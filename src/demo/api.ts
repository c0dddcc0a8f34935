/** The few requests that the demo's callers make, over HTTP as anybody's. */
const ANSWER_MS = 10_000;

export interface Answer {
  readonly status: number;
  /** undefined if the body is no JSON. */
  readonly body: unknown;
}
export type Call = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) => Promise<Answer>;

/** Takes the nodes in turn; rejects when one cannot be reached. */
export function apiOf(baseUrls: readonly string[]): Call {
  let turn = 0;
  return async (method, path, body) => {
    const base = (baseUrls[turn++ % baseUrls.length] ?? '').replace(/\/+$/, '');
    const response = await fetch(`${base}${path}`, {
      method,
      signal: AbortSignal.timeout(ANSWER_MS),
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: parse(text) };
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
