/**
 * Values that are never printed. Each secret has a stand-in that is printed instead.
 *
 * Invariants:
 *  SC1 Every way of writing a Secret (template, log line, JSON, inspection, error text) shows its stand-in and never its value.
 *  SC2 `reveal()` is the only way to the value. Only code that connects, signs or listens calls it.
 */
import { inspect } from 'node:util';

const HIDDEN = '…';

export class Secret {
  readonly #value: string;
  readonly #shown: string;

  /** @param shown stand-in that is printed instead (SC1) */
  constructor(value: string, shown: string = HIDDEN) {
    this.#value = value;
    this.#shown = shown;
  }

  // The only way to the value (SC2).
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

/** An address that is printed without its user and password. */
export function secretAddress(text: string): Secret {
  return new Secret(text, shownAddress(text));
}

const SCHEMES = /^(nats|tls|rediss?(\+[a-z]+)?|https?):\/\/$/i;

/**
 * Addresses as they may be printed, separated by commas. A text that is not an address may hold a password anywhere, so every part that
 * may be one is left out, even if a host goes with it.
 */
export function shownAddress(text: string): string {
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/)(.*)$/is.exec(text.trim()) ?? [];
  // An unknown scheme may be part of a secret.
  if (scheme === undefined || !SCHEMES.test(scheme)) return HIDDEN;
  const parts = rest.split(new RegExp(`,\\s*(?=${escaped(scheme)})`));
  return parts.map((part) => shownHosts(scheme, part.startsWith(scheme) ? part.slice(scheme.length) : part)).join(',');
}

function shownHosts(scheme: string, rest: string): string {
  const at = rest.lastIndexOf('@');
  const hosts = rest
    .slice(at + 1)
    .replace(/[?#].*$/s, `?${HIDDEN}`)
    // After a colon comes a port or a misplaced password.
    .replace(/:(?!\d{1,5}(?:[,/]|$))(?![0-9a-f:.]*\])[^,/\]]*/gi, `:${HIDDEN}`);
  return `${scheme}${at < 0 ? '' : `${HIDDEN}@`}${hosts}`;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
