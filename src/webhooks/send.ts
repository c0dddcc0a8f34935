/** Sends one event to one address. Redirects are not followed, and of the answer only the status is read. */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { guardedLookup, refusedUrl } from './address-guard.ts';

export interface Sending {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly allowPrivate: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Resolves with the status of the answer. Rejects if there is none in time, or if the address is refused. */
export function send({ url, headers, body, allowPrivate, timeoutMs, signal }: Sending): Promise<number> {
  return new Promise((resolve, reject) => {
    const refused = refusedUrl(url, allowPrivate);
    if (refused !== undefined) return reject(new Error(`the URL ${refused}`));
    const request = url.startsWith('https:') ? requestHttps : requestHttp;
    const asking = request(
      url,
      {
        method: 'POST',
        // A connection of its own, so that it goes to the address that was checked now.
        agent: false,
        headers: { ...headers, 'Content-Length': body.length, 'User-Agent': 'holdfast' },
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
        ...(allowPrivate ? {} : { lookup: guardedLookup }),
      },
      (answer) => {
        resolve(answer.statusCode ?? 0);
        answer.destroy();
      },
    );
    asking.on('error', reject);
    asking.end(body);
  });
}
