/** For every rule and every element: judged, or not and why. A verdict is never printed without it. */

export interface RuleTally {
  readonly rule: string;
  elements: number;
  of: number;
  readonly unknown: Map<string, number>;
}

export class CoverageTally {
  readonly #rules = new Map<string, RuleTally>();

  #tally(rule: string): RuleTally {
    let tally = this.#rules.get(rule);
    if (!tally) {
      tally = { rule, elements: 0, of: 0, unknown: new Map() };
      this.#rules.set(rule, tally);
    }
    return tally;
  }

  judged(rule: string, elements: number): void {
    const tally = this.#tally(rule);
    tally.elements += elements;
    tally.of += elements;
  }

  unknown(rule: string, elements: number, reason: string): void {
    if (elements === 0) return;
    const tally = this.#tally(rule);
    tally.of += elements;
    tally.unknown.set(reason, (tally.unknown.get(reason) ?? 0) + elements);
  }

  /** Adds what another tally counted, its rules in their order. */
  absorb(other: CoverageTally): void {
    for (const { rule, elements, of, unknown } of other.rules()) {
      const tally = this.#tally(rule);
      tally.elements += elements;
      tally.of += of;
      for (const [reason, count] of unknown) {
        tally.unknown.set(reason, (tally.unknown.get(reason) ?? 0) + count);
      }
    }
  }

  /** In the order in which rules were first met. */
  rules(): readonly RuleTally[] {
    return [...this.#rules.values()];
  }
}
