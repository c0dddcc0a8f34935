/** Messages between nodes that are not stored: who does not listen now does not get them, so what they say is said again. */
export interface Wire {
  send(subject: string, data: Uint8Array): void;
  listen(subject: string, listener: (data: Uint8Array) => void): { stop(): void };
}
