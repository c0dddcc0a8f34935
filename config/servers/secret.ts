/**
 * Values that are never printed.
 *
 * Invariants:
 *  SC1 However a Secret is written (template, log line, JSON, inspection, error text), its stand-in appears and never its value.
 *  SC2 `reveal()` is the one way to the value. Its callers are those that connect, sign or listen.
 */
import { inspect } from 'node:util';

const HIDDEN = '…';

export class Secret {
  readonly #value: string;
  readonly #shown: string;

  /** @param shown what is printed in its place (SC1) */
  constructor(value: string, shown: string = HIDDEN) {
    this.#value = value;
    this.#shown = shown;
  }

  // SC2.
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return this.#shown;
  }

  toJSON(): string {
    return this.#shown;
  }

  [inspect.custom](): string {
    return this.#shown;
  }
}

/** An address, which is printed without the user and the password that it may hold. */
export function secretAddress(text: string): Secret {
  return new Secret(text, shownAddress(text));
}

const SCHEMES = /^(nats|tls|rediss?(\+[a-z]+)?|https?):\/\/$/i;

/**
 * Addresses as they may be shown, with commas between them. A text that is no address may hold a password in any place: what may be one
 * is left out, even if a host goes with it.
 */
export function shownAddress(text: string): string {
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/)(.*)$/is.exec(text.trim()) ?? [];
  // Whatever is no known scheme may be what should not be seen.
  if (scheme === undefined || !SCHEMES.test(scheme)) return HIDDEN;
  const parts = rest.split(new RegExp(`,\\s*(?=${escaped(scheme)})`));
  return parts.map((part) => shownHosts(scheme, part.startsWith(scheme) ? part.slice(scheme.length) : part)).join(',');
}

function shownHosts(scheme: string, rest: string): string {
  const at = rest.lastIndexOf('@');
  const hosts = rest
    .slice(at + 1)
    .replace(/[?#].*$/s, `?${HIDDEN}`)
    // Behind a colon stands a port, or what was meant to be a password.
    .replace(/:(?!\d{1,5}(?:[,/]|$))(?![0-9a-f:.]*\])[^,/\]]*/gi, `:${HIDDEN}`);
  return `${scheme}${at < 0 ? '' : `${HIDDEN}@`}${hosts}`;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
