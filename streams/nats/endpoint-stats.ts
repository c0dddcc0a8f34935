/**
 * Errors and processing time of one endpoint, as `$SRV.STATS` reports them. The library considers a handler done when it returns, which an
 * asynchronous handler does at once, and failed when it throws, which ours never do. Both are therefore counted here, and written into the
 * library's figures on request.
 */
export class EndpointStats {
  #answered = 0;
  #nanos = 0;
  #errors = 0;
  #lastError: string | undefined;

  /** @param error the error in the answer's headers; undefined for a good answer */
  count(milliseconds: number, error: string | undefined): void {
    this.#answered += 1;
    this.#nanos += Math.round(milliseconds * 1e6);
    if (error === undefined) return;
    this.#errors += 1;
    this.#lastError = error;
  }

  /** Writes the figures into the library's own figures for the endpoint. */
  show(endpoint: { readonly subject: string; readonly stats?: object }): void {
    if (endpoint.stats === undefined) return;
    Object.assign(endpoint.stats, {
      num_errors: this.#errors,
      last_error: this.#lastError,
      processing_time: this.#nanos,
      average_processing_time: this.#answered === 0 ? 0 : Math.round(this.#nanos / this.#answered),
    });
  }
}
