/** What a law is: a statement about elements that healthy training cannot break, with its rounding inside. */
import type { HyperValue, OptimizerKind } from '../checkpoint/optimizer.ts';

/**
 * The parts that tensors play beside each other. A: base, B: head. w weights (the fp32 master where
 * there is one), m first, v second, x maximum of the second moment, g gradient, b momentum
 * buffer, e an average of the weights (EMA, SWA); `copy` the 16-bit
 * copy of wB; `s` any other tensor that is summarised or compared.
 */
export type Operand =
  | 'wA'
  | 'wB'
  | 'mA'
  | 'mB'
  | 'vA'
  | 'vB'
  | 'xA'
  | 'xB'
  | 'gB'
  | 'bA'
  | 'bB'
  | 'eA'
  | 'eB'
  | 'copyB'
  | 'sA'
  | 'sB';

/** Constants of a bound law: every one a float64, rounded outward where the law needs it. */
export type Constants = Readonly<Record<string, number>>;

/** Values of a law's operands at one element, in the order of `operands`. */
export type Element = ArrayLike<number>;

export interface Sides {
  readonly left: number;
  readonly right: number;
}

/** What is known of the one update of an average in between. */
export type Averaging =
  /** An interval that holds the share of the weights, 1 − decay. */
  | { readonly share: readonly [number, number] }
  | { readonly share: null; readonly shareUnknown: string };

/** What is known about one parameter's optimizer between base and head; null where unknown. */
export interface LawContext {
  readonly kind: OptimizerKind | null;
  /** Hull of β₁ and β₂ over the window: [lowest, highest]. */
  readonly beta1: readonly [number, number] | null;
  readonly beta2: readonly [number, number] | null;
  /** Why the betas are null. */
  readonly betasUnknown: string | null;
  readonly eps: number | null;
  /** The decoupled decay; 0 for L2. */
  readonly weightDecay: number | null;
  /** Smallest and largest learning rate of the steps after A up to B. */
  readonly rates: readonly [number, number] | null;
  /** Why `rates` is null. */
  readonly ratesUnknown: string | null;
  /** The learning rate of the one step between A and B, where k = 1 and it is known. */
  readonly rate: number | null;
  /** The parameter's own steps at A and B. */
  readonly stepBase: number | null;
  readonly stepHead: number | null;
  /** False where one counter serves many parameters that may have skipped steps. */
  readonly ownSteps: boolean;
  readonly biasCorrection: boolean;
  /** Every other plain value of the parameter's group that base and head agree on. */
  readonly hyper: Readonly<Record<string, HyperValue>>;
  /** Shape of the weight; null where its owner is unknown. */
  readonly shape: readonly number[] | null;
  /** How the optimizer's state and the weights round; null: the weights' type proves nothing. */
  readonly stateFormat: Format;
  readonly weightFormat: Format | null;
  /** Null: there is no average of these weights, or not in float32 at both ends. */
  readonly averaging: Averaging | null;
}

/** Rounding of a stored type: detection.md §2 in the docs' words. */
export interface Format {
  /** Half an ulp, relative. */
  readonly unit: number;
  /** Largest absolute error of one operation by underflow, flush-to-zero counted. */
  readonly tiny: number;
  /** Rounds to nearest (false: stochastic or directed). */
  readonly nearest: boolean;
  /** One extra relative rounding of a stored value: an fp32 run stored in 16 bits. */
  readonly cast: number;
}

/** Either constants, or the reason why this law cannot be judged here. */
export type Binding =
  | { readonly kind: 'bound'; readonly constants: Constants }
  | { readonly kind: 'unknown'; readonly reason: string };

export interface RuleText {
  readonly id: string;
  readonly title: string;
  readonly family: 'well-formed' | 'identity' | 'movement' | 'reachability' | 'replay' | 'ledger';
  /** The inequality, in words and symbols. */
  readonly statement: string;
  readonly derivation: string;
  readonly needs: string;
  readonly cost: string;
  readonly cannotSee: string;
  /** What a person should do when it breaks. */
  readonly advice: string;
}

/** A law about each element by itself. Broken where `!(left <= right)`. */
export interface ElementLaw extends RuleText {
  readonly scope: 'element';
  /** Letter of the operand that coverage counts and a finding names. */
  readonly about: 'w' | 'm' | 'v' | 'x' | 'g' | 'e' | 's';
  /** The law speaks of these optimizers alone; absent: of any that keeps the state it needs. */
  readonly kinds?: ReadonlySet<string>;
  /** Optimizers that another law of the same kind speaks of. */
  readonly except?: ReadonlySet<string>;
  /** About pairs exactly one step apart; of any other pair it says nothing. */
  readonly oneStep?: true;
  /** Runs only where that law, which implies this one, could not be bound. */
  readonly fallbackFor?: string;
  /**
   * Judged where all of these are finite; an operand that a sweep has no stream for is NaN and does
   * not count (the maximum of the second moment exists for AMSGrad alone).
   */
  readonly operands: readonly Operand[];
  bind(context: LawContext): Binding;
  sides(element: Element, constants: Constants): Sides;
  /** One sentence for people about a broken element: what is impossible about these numbers. */
  explain(sides: Sides, element: Element, constants: Constants): string;
}

/** A law about an aligned line of 16 elements (64 bytes of float32); the last, partial line is not judged. */
export interface LineLaw extends RuleText {
  readonly scope: 'line';
  /** Both moments at both ends are needed, whatever tensor is judged. */
  readonly needsMoments: boolean;
  /** What `relevant` looks at. Operands that a sweep lacks are NaN. */
  readonly operands: readonly Operand[];
  bind(context: LawContext): Binding;
  /** Whose lines are judged: base and head operand `${subject}A`, `${subject}B`, both float32. */
  subject(constants: Constants): 'w' | 'm' | 'v';
  /** Does this element take part? */
  relevant(element: Element, constants: Constants): boolean;
  /** The 16 words of base and head: true holds, false broken, null not judged. */
  judgeLine(base: Uint32Array, head: Uint32Array, relevant: readonly boolean[]): boolean | null;
  /** One sentence for people about the first broken line. */
  explain(constants: Constants): string;
}

/** A law read off records that other passes return. */
export interface RecordLaw extends RuleText {
  readonly scope: 'record';
}

export type Law = ElementLaw | LineLaw | RecordLaw;

/** Constants for one law on one sweep: what an engine is handed. */
export interface BoundLaw {
  readonly law: string;
  readonly constants: Constants;
}
