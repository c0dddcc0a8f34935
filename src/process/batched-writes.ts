/**
 * What this process writes to a server within one turn of the event loop leaves in one system call: the NATS client would make one of
 * nearly every message, and each wakes the server. On a busy machine that took a fifth of a node's time.
 *
 * It holds for TCP connections that this process opens (NATS, Redis), not for those that it accepts.
 */
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

let batching = false;

/** From now on. Calling it again changes nothing. */
export function batchClientWrites(): void {
  if (batching) return;
  batching = true;
  subscribe('net.client.socket', (message) => {
    const { socket } = message as { socket: Socket };
    // Connecting puts back the method of the class.
    socket.once('connect', () => batchWrites(socket));
  });
}

function batchWrites(socket: Socket): void {
  const write = socket.write.bind(socket);
  let corked = false;
  const uncork = () => {
    corked = false;
    socket.uncork();
  };
  const batched = (...args: Parameters<typeof write>) => {
    if (!corked) {
      corked = true;
      socket.cork();
      setImmediate(uncork);
    }
    return write(...args);
  };
  socket.write = batched as typeof write;
}
