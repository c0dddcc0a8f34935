/** The kinds of servers that Holdfast runs, and the names of their programs. */
export type ServerKind = 'nats' | 'redis';

export const EXECUTABLE: Readonly<Record<ServerKind, string>> = { nats: 'nats-server', redis: 'redis-server' };
