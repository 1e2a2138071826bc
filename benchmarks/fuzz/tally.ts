/** What the fuzz has seen of each law. */

export interface Count {
  judged: number;
  broken: number;
  notFinite: number;
  /** Bindings that were refused. */
  refused: number;
  /** Largest left ÷ right where right > 0. */
  ratio: number;
}

export class Tally {
  elementSteps = 0;
  readonly counts = new Map<string, Count>();
  /** The first breaches, one line each. */
  readonly breaches: string[] = [];

  of(law: string): Count {
    let count = this.counts.get(law);
    if (!count) {
      count = { judged: 0, broken: 0, notFinite: 0, refused: 0, ratio: 0 };
      this.counts.set(law, count);
    }
    return count;
  }

  /** Adds another tally, or one that came as a message from a worker. */
  add(other: Pick<Tally, 'elementSteps' | 'counts' | 'breaches'>): void {
    this.elementSteps += other.elementSteps;
    this.breaches.push(...other.breaches);
    for (const [law, count] of other.counts) {
      const mine = this.of(law);
      mine.judged += count.judged;
      mine.broken += count.broken;
      mine.notFinite += count.notFinite;
      mine.refused += count.refused;
      mine.ratio = Math.max(mine.ratio, count.ratio);
    }
  }

  get broken(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count.broken, 0);
  }

  /** A line for each law. */
  table(): string {
    const head = ['law', 'judgements', 'broken', 'max ratio', 'not finite'];
    const sorted = [...this.counts].sort(([a], [b]) => (a < b ? -1 : 1));
    const rows = sorted.map(([law, { judged, broken, ratio, notFinite }]) => [
      law,
      judged.toExponential(3),
      String(broken),
      ratio.toFixed(6),
      notFinite.toExponential(3),
    ]);
    const all = [head, ...rows];
    const widths = head.map((_, i) => Math.max(...all.map((row) => (row[i] as string).length)));
    return all
      .map((row) =>
        row
          .map((cell, i) =>
            i === 0 ? cell.padEnd(widths[0] as number) : cell.padStart(widths[i] as number),
          )
          .join('  '),
      )
      .join('\n');
  }
}
