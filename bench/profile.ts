/** Prints a CPU profile as a short list of the functions that took the most time. */
import { readFileSync } from 'node:fs';

const LINES = 40;

interface Profile {
  readonly nodes: readonly { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export function printProfile(file: string): void {
  const profile = JSON.parse(readFileSync(file, 'utf8')) as Profile;
  const names = new Map(
    profile.nodes.map(({ id, callFrame }) => [id, `${callFrame.functionName || '(anonymous)'} ${place(callFrame)}`]),
  );
  const self = new Map<string, number>();
  let busy = 0;
  for (const [i, id] of profile.samples.entries()) {
    const name = names.get(id) ?? '';
    const micros = profile.timeDeltas[i] ?? 0;
    if (name.startsWith('(idle)')) continue;
    busy += micros;
    self.set(name, (self.get(name) ?? 0) + micros);
  }
  console.log(`\n${file}: ${(busy / 1e6).toFixed(1)} s busy`);
  for (const [name, micros] of [...self].sort((a, b) => b[1] - a[1]).slice(0, LINES)) {
    console.log(`${((micros / busy) * 100).toFixed(1).padStart(6)} %  ${name}`);
  }
}

function place({ url, lineNumber }: { url: string; lineNumber: number }): string {
  return url === '' ? '' : `${url.split('/').slice(-3).join('/')}:${lineNumber + 1}`;
}
