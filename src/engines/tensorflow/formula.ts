/** Formulas as they are written by hand, over the values of one graph. */
import type { Graph, Value } from './graph.ts';

/** A number becomes a constant of the graph. */
export type Term = Value | number;

/** Arithmetic on values of one graph. */
export class Formula {
  readonly #graph: Graph;

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  add = (...terms: readonly [Term, Term, ...Term[]]): Value => this.#chain('add', terms);
  mul = (...terms: readonly [Term, Term, ...Term[]]): Value => this.#chain('mul', terms);
  sub = (left: Term, right: Term): Value => this.#chain('sub', [left, right]);
  div = (left: Term, right: Term): Value => this.#chain('div', [left, right]);
  max = (left: Term, right: Term): Value => this.#chain('max', [left, right]);
  min = (left: Term, right: Term): Value => this.#chain('min', [left, right]);
  abs = (term: Value): Value => this.#graph.apply('abs', term);
  sqrt = (term: Value): Value => this.#graph.apply('sqrt', term);
  log = (term: Value): Value => this.#graph.apply('log', term);

  /** `yes` where `left < right`, which no NaN is. */
  whereLess(left: Term, right: Term, choice: { readonly yes: Term; readonly no: Term }): Value {
    const isLess = this.#graph.compare('Less', this.#value(left), this.#value(right));
    return this.#graph.choose(isLess, this.#value(choice.yes), this.#value(choice.no));
  }

  /** The smaller one; `right` where `left` is NaN. */
  lesser = (left: Value, right: Value): Value =>
    this.whereLess(left, right, { yes: left, no: right });

  #chain(op: 'add' | 'mul' | 'sub' | 'div' | 'max' | 'min', terms: readonly Term[]): Value {
    const [first, ...rest] = terms.map((term) => this.#value(term));
    return rest.reduce((left, right) => this.#graph.calculate(op, left, right), first as Value);
  }

  #value(term: Term): Value {
    return typeof term === 'number' ? this.#graph.real(term) : term;
  }
}
