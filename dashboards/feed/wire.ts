/** Messages between nodes that are not stored. A node that does not listen misses them, so senders repeat their content. */
export interface Wire {
  /** Bytes that one message may carry at present. */
  readonly room: number;
  /** Drops a message that is larger than `room`. */
  send(subject: string, data: Uint8Array): void;
  /** A listener may throw a Misfit for a malformed message. The error is counted, and listening continues. */
  listen(subject: string, listener: (data: Uint8Array) => void): { stop(): void };
}
