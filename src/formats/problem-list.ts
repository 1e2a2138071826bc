/** Collects what is wrong with a file; a hostile one has millions of faults, and a few tell as much. */
import type { Problem } from '../checkpoint/problem.ts';

const kept = 1000;

export class ProblemList {
  readonly #problems: Problem[] = [];
  #dropped = 0;

  add(problem: Problem): void {
    if (this.#problems.length < kept) this.#problems.push(problem);
    else this.#dropped += 1;
  }

  addAll(problems: readonly Problem[]): void {
    for (const problem of problems) this.add(problem);
  }

  /** At most 1,001: the last one says how many more there were. */
  toArray(): readonly Problem[] {
    const last = this.#problems.at(-1);
    if (!last || this.#dropped === 0) return this.#problems;
    const { file, rule, kind } = last;
    const message = `${this.#dropped} more problems of this file are not listed`;
    return [...this.#problems, { rule, kind, file, message }];
  }
}
