/**
 * The laws that TensorFlow judges: both sides as `sides` in src/laws has them, in float64 and in the
 * same order. A row that they do not prove healthy is judged by the law itself, so a difference
 * costs time and no verdict; what a wrong formula could do the contract suite looks for.
 */
import type { Constants, Operand } from '../../laws/law.ts';
import { Formula } from './formula.ts';
import type { Graph, Value } from './graph.ts';

/** Both sides of a law as values of a graph. */
export interface SideValues {
  readonly left: Value;
  readonly right: Value;
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

/** Both sides, from an element of every operand and from the constants by name. */
type Sides<Operands extends readonly Operand[], Name extends string> = (
  formula: Formula,
  element: { readonly [At in keyof Operands]: Value },
  constants: Readonly<Record<Name, Value>>,
) => SideValues;

function law<const Operands extends readonly Operand[], const Name extends string>(
  operands: Operands,
  constants: readonly Name[],
  more: {
    readonly sides: Sides<Operands, Name>;
    readonly fits?: (constants: Constants) => boolean;
  },
): LawFormula {
  return {
    operands,
    constants,
    ...(more.fits ? { fits: more.fits } : {}),
    sides: (graph, element, values) =>
      more.sides(
        new Formula(graph),
        element as { [At in keyof Operands]: Value },
        values as Readonly<Record<Name, Value>>,
      ),
  };
}

const hasConstant = (constants: Constants) => constants.finite === 1;
const hasNoMaximum = (constants: Constants) => constants.maximum === 0;

const momentBound = law(['mB', 'vB'], ['constant', 'firstDrift', 'secondDrift', 'cast'], {
  fits: hasConstant,
  sides: (f, [m, v], c) => {
    const size = f.max(0, f.sub(f.mul(f.abs(m), f.sub(1, c.cast)), c.firstDrift));
    return {
      left: f.whereLess(v, 0, { yes: Infinity, no: f.mul(size, size) }),
      right: f.mul(c.constant, f.add(f.mul(v, f.add(1, c.cast)), c.secondDrift)),
    };
  },
});

const momentIncrement = law(
  ['mA', 'vA', 'mB', 'vB'],
  ['constant', 'middle', 'half', 'inherited', 'firstDrift', 'secondDrift', 'cast'],
  {
    fits: hasConstant,
    sides: (f, [mBase, vBase, mHead, vHead], c) => {
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
    },
  },
);

const secondMomentDecay = law(['vA', 'vB'], ['inherited', 'drift', 'widened'], {
  sides: (f, [vBase, vHead], c) => ({
    left: f.mul(c.inherited, vBase),
    right: f.add(f.mul(vHead, c.widened), c.drift),
  }),
});

const cappedUpdate = law(
  ['wA', 'wB'],
  ['move', 'middle', 'half', 'rounding', 'decayRounding', 'tiny', 'cast'],
  {
    sides: (f, [wBase, wHead], c) => {
      const size = f.abs(wBase);
      const grown = f.mul(c.rounding, f.add(size, c.move));
      const doubled = f.add(c.move, f.mul(c.decayRounding, f.add(size, f.mul(2, c.move))));
      const cast = f.mul(c.cast, f.add(size, f.abs(wHead), c.move));
      return {
        left: f.abs(f.sub(wHead, f.mul(wBase, c.middle))),
        right: f.add(c.move, f.mul(size, c.half), f.lesser(doubled, grown), c.tiny, cast),
      };
    },
  },
);

const budgetConstants = [
  ...(['steps', 'cap', 'inherited', 'fresh', 'decayLog', 'secondFresh'] as const),
  ...(['grown', 'floor', 'spare', 'cast'] as const),
] as const;

/** `budget` of bounded-update. */
function updateBudget(
  f: Formula,
  [mBase, vBase, vHead]: readonly [Value, Value, Value],
  c: Readonly<Record<(typeof budgetConstants)[number], Value>>,
): Value {
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
function boundedUpdate(isNearest: boolean): LawFormula {
  return law(
    ['wA', 'wB', 'mA', 'vA', 'vB'],
    [
      ...budgetConstants,
      ...(['weightCast', 'rate', 'middle', 'half', 'rounding', 'decayRounding', 'tiny'] as const),
    ],
    {
      fits: (constants) => hasNoMaximum(constants) && (constants.nearest === 1) === isNearest,
      sides: (f, [wBase, wHead, ...moments], c) => {
        const move = f.mul(c.rate, updateBudget(f, moments, c));
        const size = f.abs(wBase);
        const grown = f.mul(c.rounding, f.add(size, move));
        const doubled = f.add(move, f.mul(c.decayRounding, f.add(size, f.mul(2, move))));
        const rounding = isNearest ? f.lesser(doubled, grown) : grown;
        const cast = f.mul(c.weightCast, f.add(size, f.abs(wHead), move));
        return {
          left: f.abs(f.sub(wHead, f.mul(wBase, c.middle))),
          right: f.add(move, f.mul(size, c.half), rounding, c.tiny, cast),
        };
      },
    },
  );
}

const replayMoments = law(
  ['mA', 'vA', 'mB', 'vB'],
  [
    ...(['beta1', 'fresh1', 'beta2', 'fresh2', 'headError', 'baseError'] as const),
    ...(['gradientError', 'underflow', 'secondBase', 'secondHead'] as const),
    ...(['secondUnderflow', 'squareError'] as const),
  ],
  {
    sides: (f, [mBase, vBase, mHead, vHead], c) => {
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
    },
  },
);

const replayWeights = law(
  ['wA', 'wB', 'mB', 'vB'],
  [
    ...(['rate', 'firstCorrection', 'secondCorrection', 'eps', 'kept'] as const),
    ...(['stepError', 'baseError', 'headError', 'underflow'] as const),
  ],
  {
    fits: hasNoMaximum,
    sides: (f, [wBase, wHead, mHead, vHead], c) => {
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
    },
  },
);

/** Forms of each law; the first that fits is taken, and a law without one goes to WebAssembly. */
export const lawFormulas: ReadonlyMap<string, readonly LawFormula[]> = new Map([
  ['moment-bound', [momentBound]],
  ['moment-increment', [momentIncrement]],
  ['second-moment-decay', [secondMomentDecay]],
  ['bounded-update', [true, false].map(boundedUpdate)],
  ['capped-update', [cappedUpdate]],
  ['replay-moments', [replayMoments]],
  ['replay-weights', [replayWeights]],
]);
