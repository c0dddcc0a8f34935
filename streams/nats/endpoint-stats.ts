/**
 * What `$SRV.STATS` tells of one endpoint: errors and time. The library takes a handler for done when it returns, which an asynchronous
 * one does at once, and for failed when it throws, which ours never do; so both are counted here, and put into its figures when
 * somebody asks for them.
 */
export class EndpointStats {
  #answered = 0;
  #nanos = 0;
  #errors = 0;
  #lastError: string | undefined;

  /** @param error as the answer's header says it, undefined for a good answer */
  count(milliseconds: number, error: string | undefined): void {
    this.#answered += 1;
    this.#nanos += Math.round(milliseconds * 1e6);
    if (error === undefined) return;
    this.#errors += 1;
    this.#lastError = error;
  }

  /** Writes the figures into the library's own of an endpoint. */
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
