/**
 * The laws that TensorFlow judges: both sides as `sides` in src/laws has them, in float64 and in the
 * same order. A row that they do not prove healthy is judged by the law itself, so a difference
 * costs time and no verdict; what a wrong formula could do the contract suite looks for.
 */
import type { Constants, Operand } from '../../laws/law.ts';
import type { Graph, Value } from './graph.ts';

/** Both sides of a law as values of a graph. */
export interface SideValues {
  readonly left: Value;
  readonly right: Value;
}

type Term = Value | number;

/** Arithmetic on values of one graph; numbers become constants. */
class Formula {
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

export interface LawFormula {
  /** What it reads; all must be streams. */
  readonly operands: readonly Operand[];
  /** What it is fed, in this order. */
  readonly constants: readonly string[];
  /** False: with these constants the law has another form. */
  readonly fits?: (constants: Constants) => boolean;
  sides(
    graph: Graph,
    element: readonly Value[],
    constants: Readonly<Record<string, Value>>,
  ): SideValues;
}

type Sides = (
  formula: Formula,
  element: readonly Value[],
  constants: Readonly<Record<string, Value>>,
) => SideValues;

function law(
  operands: readonly Operand[],
  constants: readonly string[],
  more: { readonly sides: Sides; readonly fits?: (constants: Constants) => boolean },
): LawFormula {
  return {
    operands,
    constants,
    ...(more.fits ? { fits: more.fits } : {}),
    sides: (graph, element, values) => more.sides(new Formula(graph), element, values),
  };
}

const hasConstant = (constants: Constants) => constants.finite === 1;
const hasNoMaximum = (constants: Constants) => constants.maximum === 0;

const momentBound: Sides = (f, element, c) => {
  const [m, v] = element as [Value, Value];
  const { constant, firstDrift, secondDrift, cast } = c as Names<
    'constant' | 'firstDrift' | 'secondDrift' | 'cast'
  >;
  const size = f.max(0, f.sub(f.mul(f.abs(m), f.sub(1, cast)), firstDrift));
  return {
    left: f.whereLess(v, 0, { yes: Infinity, no: f.mul(size, size) }),
    right: f.mul(constant, f.add(f.mul(v, f.add(1, cast)), secondDrift)),
  };
};

type Names<Name extends string> = Readonly<Record<Name, Value>>;

const momentIncrement: Sides = (f, element, constants) => {
  const [mBase, vBase, mHead, vHead] = element as [Value, Value, Value, Value];
  const c = constants as Names<
    'constant' | 'middle' | 'half' | 'inherited' | 'firstDrift' | 'secondDrift' | 'cast'
  >;
  const widened = f.add(1, c.cast);
  const gained = f.sub(f.add(f.mul(vHead, widened), c.secondDrift), f.mul(c.inherited, vBase));
  const size = f.abs(mBase);
  const seen = f.add(f.abs(mHead), f.mul(c.middle, size));
  const slack = f.add(f.mul(c.half, size), c.firstDrift, f.mul(c.cast, seen));
  const change = f.sub(f.abs(f.sub(mHead, f.mul(c.middle, mBase))), slack);
  const moved = f.mul(f.max(0, change), f.sub(1, c.cast));
  return {
    left: f.whereLess(gained, 0, { yes: Infinity, no: f.mul(moved, moved) }),
    right: f.mul(c.constant, gained, widened),
  };
};

const secondMomentDecay: Sides = (f, element, c) => {
  const [vBase, vHead] = element as [Value, Value];
  const { inherited, drift, widened } = c as Names<'inherited' | 'drift' | 'widened'>;
  return { left: f.mul(inherited, vBase), right: f.add(f.mul(vHead, widened), drift) };
};

const cappedUpdate: Sides = (f, element, constants) => {
  const [wBase, wHead] = element as [Value, Value];
  const c = constants as Names<
    'move' | 'middle' | 'half' | 'rounding' | 'decayRounding' | 'tiny' | 'cast'
  >;
  const size = f.abs(wBase);
  const grown = f.mul(c.rounding, f.add(size, c.move));
  const doubled = f.add(c.move, f.mul(c.decayRounding, f.add(size, f.mul(2, c.move))));
  const cast = f.mul(c.cast, f.add(size, f.abs(wHead), c.move));
  return {
    left: f.abs(f.sub(wHead, f.mul(wBase, c.middle))),
    right: f.add(c.move, f.mul(size, c.half), f.lesser(doubled, grown), c.tiny, cast),
  };
};

type UpdateNames = Names<
  | 'steps'
  | 'cap'
  | 'inherited'
  | 'fresh'
  | 'decayLog'
  | 'secondFresh'
  | 'grown'
  | 'floor'
  | 'spare'
  | 'cast'
  | 'weightCast'
  | 'rate'
  | 'middle'
  | 'half'
  | 'rounding'
  | 'decayRounding'
  | 'tiny'
>;

/** `budget` of bounded-update. */
function updateBudget(f: Formula, element: readonly Value[], c: UpdateNames): Value {
  const [, , mBase, vBase, vHead] = element as [Value, Value, Value, Value, Value];
  const base = f.add(f.mul(vBase, f.sub(1, c.cast)), c.floor);
  const head = f.add(f.mul(vHead, f.add(1, c.cast)), c.floor);
  const growth = f.add(f.log(f.div(head, base)), c.decayLog);
  const energy = f.div(f.max(0, f.min(growth, c.steps)), c.secondFresh);
  const first = f.mul(c.inherited, f.abs(f.mul(mBase, f.add(1, c.cast))));
  const inherited = f.div(first, f.sqrt(base));
  const driven = f.add(inherited, f.mul(c.fresh, f.sqrt(f.mul(c.steps, energy))));
  const reach = f.sqrt(f.mul(head, c.grown));
  const share = f.whereLess(reach, Infinity, { yes: f.div(reach, f.add(reach, c.spare)), no: 1 });
  return f.mul(f.lesser(driven, c.cap), share);
}

/** `isNearest`: weights round to nearest. */
function boundedUpdate(isNearest: boolean): Sides {
  return (f, element, constants) => {
    const [wBase, wHead] = element as [Value, Value];
    const c = constants as UpdateNames;
    const move = f.mul(c.rate, updateBudget(f, element, c));
    const size = f.abs(wBase);
    const grown = f.mul(c.rounding, f.add(size, move));
    const doubled = f.add(move, f.mul(c.decayRounding, f.add(size, f.mul(2, move))));
    const rounding = isNearest ? f.lesser(doubled, grown) : grown;
    const cast = f.mul(c.weightCast, f.add(size, f.abs(wHead), move));
    return {
      left: f.abs(f.sub(wHead, f.mul(wBase, c.middle))),
      right: f.add(move, f.mul(size, c.half), rounding, c.tiny, cast),
    };
  };
}

const replayMoments: Sides = (f, element, constants) => {
  const [mBase, vBase, mHead, vHead] = element as [Value, Value, Value, Value];
  const c = constants as Names<
    | 'beta1'
    | 'fresh1'
    | 'beta2'
    | 'fresh2'
    | 'headError'
    | 'baseError'
    | 'gradientError'
    | 'underflow'
    | 'secondBase'
    | 'secondHead'
    | 'secondUnderflow'
    | 'squareError'
  >;
  const gradient = f.div(f.sub(mHead, f.mul(c.beta1, mBase)), c.fresh1);
  const size = f.abs(gradient);
  const error = f.add(
    f.mul(c.headError, f.abs(mHead)),
    f.mul(c.baseError, f.abs(mBase)),
    c.underflow,
    f.mul(c.gradientError, size),
  );
  const want = f.add(f.mul(c.beta2, vBase), f.mul(c.fresh2, gradient, gradient));
  const farthest = f.add(size, error);
  return {
    left: f.abs(f.sub(vHead, want)),
    right: f.add(
      f.mul(c.secondBase, f.abs(vBase)),
      f.mul(c.secondHead, f.abs(vHead)),
      c.secondUnderflow,
      f.mul(c.fresh2, f.add(f.mul(2, size, error), f.mul(error, error))),
      f.mul(c.squareError, farthest, farthest),
    ),
  };
};

const replayWeights: Sides = (f, element, constants) => {
  const [wBase, wHead, mHead, vHead] = element as [Value, Value, Value, Value];
  const c = constants as Names<
    | 'rate'
    | 'firstCorrection'
    | 'secondCorrection'
    | 'eps'
    | 'kept'
    | 'stepError'
    | 'baseError'
    | 'headError'
    | 'underflow'
  >;
  const denominator = f.add(f.div(f.sqrt(vHead), c.secondCorrection), c.eps);
  const step = f.mul(c.rate, f.div(f.div(mHead, c.firstCorrection), denominator));
  return {
    left: f.abs(f.sub(wHead, f.sub(f.mul(wBase, c.kept), step))),
    right: f.add(
      f.mul(c.stepError, f.abs(step)),
      f.mul(c.baseError, f.abs(wBase)),
      f.mul(c.headError, f.abs(wHead)),
      c.underflow,
    ),
  };
};

const updateConstants = [
  ...['steps', 'cap', 'inherited', 'fresh', 'decayLog', 'secondFresh', 'grown', 'floor'],
  ...['spare', 'cast', 'weightCast', 'rate', 'middle', 'half', 'rounding'],
  ...['decayRounding', 'tiny'],
];

const updateOperands = ['wA', 'wB', 'mA', 'vA', 'vB'] as const;
const momentOperands = ['mA', 'vA', 'mB', 'vB'] as const;

/** Forms of each law; the first that fits is taken, and a law without one goes to WebAssembly. */
export const lawFormulas: ReadonlyMap<string, readonly LawFormula[]> = new Map([
  [
    'moment-bound',
    [
      law(['mB', 'vB'], ['constant', 'firstDrift', 'secondDrift', 'cast'], {
        sides: momentBound,
        fits: hasConstant,
      }),
    ],
  ],
  [
    'moment-increment',
    [
      law(
        momentOperands,
        ['constant', 'middle', 'half', 'inherited', 'firstDrift', 'secondDrift', 'cast'],
        { sides: momentIncrement, fits: hasConstant },
      ),
    ],
  ],
  [
    'second-moment-decay',
    [law(['vA', 'vB'], ['inherited', 'drift', 'widened'], { sides: secondMomentDecay })],
  ],
  [
    'bounded-update',
    [true, false].map((isNearest) =>
      law(updateOperands, updateConstants, {
        sides: boundedUpdate(isNearest),
        fits: (c) => hasNoMaximum(c) && (c.nearest === 1) === isNearest,
      }),
    ),
  ],
  [
    'capped-update',
    [
      law(['wA', 'wB'], ['move', 'middle', 'half', 'rounding', 'decayRounding', 'tiny', 'cast'], {
        sides: cappedUpdate,
      }),
    ],
  ],
  [
    'replay-moments',
    [
      law(
        momentOperands,
        [
          ...['beta1', 'fresh1', 'beta2', 'fresh2', 'headError', 'baseError', 'gradientError'],
          ...['underflow', 'secondBase', 'secondHead', 'secondUnderflow', 'squareError'],
        ],
        { sides: replayMoments },
      ),
    ],
  ],
  [
    'replay-weights',
    [
      law(
        ['wA', 'wB', 'mB', 'vB'],
        [
          ...['rate', 'firstCorrection', 'secondCorrection', 'eps', 'kept'],
          ...['stepError', 'baseError', 'headError', 'underflow'],
        ],
        { sides: replayWeights, fits: hasNoMaximum },
      ),
    ],
  ],
]);
