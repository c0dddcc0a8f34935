/**
 * An answer of the node as a component's state: loading, there, or failed. It is requested again when its path changes or the link
 * returns.
 */
import { useEffect, useState } from 'preact/hooks';
import { link } from './live-socket.ts';
import { ask, type RequestRefused } from './requests.ts';

export interface Asked<Answer> {
  /** The newest answer of this path; kept while it is requested again. */
  readonly answer: Answer | undefined;
  readonly failed: RequestRefused | undefined;
  readonly loading: boolean;
  readonly again: () => void;
}

/** @param path the path to request; undefined requests nothing */
export function useAnswer<Answer>(path: string | undefined): Asked<Answer> {
  const [held, setHeld] = useState<{ path?: string | undefined; answer?: Answer; failed?: RequestRefused }>({});
  const [turn, setTurn] = useState(0);
  const open = link.value.phase === 'open';
  // `turn` and `open` are dependencies because again() and a restored link cause a new request.
  useEffect(() => {
    if (path === undefined) return;
    const leaving = new AbortController();
    ask<Answer>(path, undefined, leaving.signal).then(
      (answer) => setHeld({ path, answer }),
      (failed: RequestRefused) => {
        if (leaving.signal.aborted) return;
        setHeld((before) => (before.path === path ? { ...before, failed } : { path, failed }));
      },
    );
    return () => leaving.abort();
  }, [path, turn, open]);
  const mine = held.path === path;
  return {
    answer: mine ? held.answer : undefined,
    failed: mine ? held.failed : undefined,
    loading: path !== undefined && (!mine || (held.answer === undefined && held.failed === undefined)),
    again: () => setTurn((before) => before + 1),
  };
}
