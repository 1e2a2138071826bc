/** How often an address may be wrong. A right token always passes: neighbours share loopback. */

const windowMs = 60_000;
const failuresMax = 10;
const addressesMax = 1024;

/** Wrong tokens of the last minute, by address. */
export class FailedTokens {
  readonly #failures = new Map<string, { count: number; sinceMs: number }>();

  /** Notes a wrong token; true when the address has had too many of them. */
  note(address: string, nowMs: number): boolean {
    const known = this.#failures.get(address);
    if (!known || nowMs - known.sinceMs > windowMs) {
      this.#failures.delete(address);
      this.#makeRoom();
      this.#failures.set(address, { count: 1, sinceMs: nowMs });
      return false;
    }
    known.count += 1;
    return known.count > failuresMax;
  }

  /** Drops the oldest entry, so that many addresses cannot fill the memory. */
  #makeRoom(): void {
    const oldest = this.#failures.keys().next();
    if (this.#failures.size >= addressesMax && !oldest.done) this.#failures.delete(oldest.value);
  }
}
