/** Messages between nodes that are not stored: who does not listen now does not get them, so what they say is said again. */
export interface Wire {
  /** Bytes that one message may carry now. */
  readonly room: number;
  /** What is larger than that is not sent. */
  send(subject: string, data: Uint8Array): void;
  /** What a listener throws is counted and ends nothing: a Misfit, of a message that has not its form. */
  listen(subject: string, listener: (data: Uint8Array) => void): { stop(): void };
}
