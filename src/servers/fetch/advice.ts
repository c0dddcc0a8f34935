/**
 * The message for a machine where a server can be neither found nor fetched. It says what was tried and what to
 * install.
 */
import { EXECUTABLE, type ServerKind } from './kind.ts';
import { FLOOR, showVersion } from './version.ts';

const WAYS: Readonly<Record<ServerKind, readonly (readonly [system: string, command: string])[]>> = {
  nats: [
    [
      'Debian, Ubuntu',
      'apt install nats-server (forky or later; older ones are too old), or the .deb of a NATS release',
    ],
    ['Fedora', 'dnf install golang && go install github.com/nats-io/nats-server/v2@latest (then ~/go/bin on PATH)'],
    ['macOS', 'brew install nats-server'],
    ['Windows', 'winget install NATSAuthors.NATSServer, or scoop install nats-server'],
  ],
  redis: [
    ['Debian, Ubuntu', 'apt install redis-server'],
    ['Fedora', 'dnf install redis (or valkey-compat-redis)'],
    ['macOS', 'brew install redis'],
    ['Windows', 'has no redis-server of its own: use WSL (apt install redis-server)'],
  ],
};

const ADDRESS: Readonly<Record<ServerKind, string>> = {
  nats: 'NATS_URL=nats://HOST:4222',
  redis: 'REDIS_URL=redis://HOST:6379',
};

export function installAdvice(kind: ServerKind, refusals: readonly string[]): string {
  return [
    `Holdfast needs ${EXECUTABLE[kind]} ${showVersion(FLOOR[kind])} or newer and found none.`,
    'Tried:',
    ...refusals.map((line) => `  - ${line}`),
    'Install it, and it will be found on PATH:',
    ...WAYS[kind].map(([system, command]) => `  - ${system}: ${command}`),
    `Or name one that runs already: ${ADDRESS[kind]}`,
  ].join('\n');
}
