/** A node's answers about everything that was written to it, taken before a fault and compared after it. */
import { compareVersions } from '../../harness/callers/auditor.ts';
import { askUntilDecided } from '../../harness/callers/http-caller.ts';

export interface Truth {
  /** Body of GET /v1/stock/{sku}, by SKU. */
  readonly stock: ReadonlyMap<string, string>;
  /** `version` of an ATP answer, by SKU. */
  readonly versions: ReadonlyMap<string, string>;
  /** Body of GET /v1/reservations/{id}, by id. */
  readonly reservations: ReadonlyMap<string, string>;
  readonly parked: string;
}

export interface Known {
  readonly skus: readonly string[];
  readonly reservations: readonly string[];
}

/** Rejects if anything stays unanswered. */
export async function takeTruth(url: string, known: Known): Promise<Truth> {
  const read = async (path: string) => {
    const { status, body } = await askUntilDecided(() => url, 'GET', path, undefined, 120_000);
    // Locations are in order of arrival, which a replay need not repeat.
    body?.locations?.sort((a: { location: string }, b: { location: string }) => a.location.localeCompare(b.location));
    // Versions may grow, and are compared apart.
    for (const row of body?.locations ?? []) delete row.version;
    return `${status} ${JSON.stringify(body)}`;
  };
  const each = async (names: readonly string[], path: string) =>
    new Map(await Promise.all(names.map(async (name) => [name, await read(`${path}${name}`)] as const)));
  const [stock, reservations, parked] = await Promise.all([
    each(known.skus, '/v1/stock/'),
    each(known.reservations, '/v1/reservations/'),
    read('/v1/parked'),
  ]);
  const lines = known.skus.map((sku) => ({ sku }));
  const atp = await askUntilDecided(() => url, 'POST', '/v1/atp', { lines }, 120_000);
  if (atp.status !== 200) throw new Error(`ATP: ${atp.status} ${JSON.stringify(atp.body)}`);
  const versions = new Map<string, string>();
  for (const { sku, version } of atp.body.lines as { sku: string; version: string }[]) versions.set(sku, version);
  return { stock, versions, reservations, parked };
}

/** Returns each difference from the earlier answers as a sentence. Versions may have grown. */
export function differences(before: Truth, now: Truth): string[] {
  const wrong: string[] = [];
  for (const what of ['stock', 'reservations'] as const) {
    for (const [name, said] of before[what]) {
      const says = now[what].get(name);
      if (says !== said) wrong.push(`${what} ${name} is ${says}, and was ${said}`);
    }
  }
  for (const [sku, version] of before.versions) {
    const is = now.versions.get(sku) ?? '';
    if (compareVersions(is, version) < 0) wrong.push(`version of ${sku} went back from ${version} to ${is}`);
  }
  if (now.parked !== before.parked) wrong.push('the list of parked facts is another one');
  return wrong;
}
