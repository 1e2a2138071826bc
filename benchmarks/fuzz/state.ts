/** What an optimizer holds for a tensor, and the numbers of one of its steps. */

export interface State {
  readonly w: Float32Array;
  /** First moment. */
  readonly m: Float32Array;
  /** Second moment; Adamax: the infinity norm. */
  readonly v: Float32Array;
  /** AMSGrad's maximum of the second moment. */
  readonly x: Float32Array;
  /** Momentum buffer. */
  readonly b: Float32Array;
  /** Gradient of the step, as the optimizer took it in. */
  readonly g: Float32Array;
}

export type Part = keyof State;

export const parts: readonly Part[] = ['w', 'm', 'v', 'x', 'b', 'g'];

export function emptyState(length: number): State {
  const zeros = () => new Float32Array(length);
  return { w: zeros(), m: zeros(), v: zeros(), x: zeros(), b: zeros(), g: zeros() };
}

/** A copy as a checkpoint holds it; `store` rounds each value of all but the gradient. */
export function stored(state: State, store: ((x: number) => number) | null): State {
  const keep = (x: Float32Array) => (store ? x.map(store) : x.slice());
  return {
    w: keep(state.w),
    m: keep(state.m),
    v: keep(state.v),
    x: keep(state.x),
    b: keep(state.b),
    g: state.g.slice(),
  };
}

/** The hyper-parameters of one step. */
export interface StepNumbers {
  readonly t: number;
  readonly rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  /** Decoupled decay: 0 where the decay is L2. */
  readonly decay: number;
  readonly biasCorrection: boolean;
  /** Momentum of SGD and RMSprop. */
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
}

export type Step = (state: State, numbers: StepNumbers) => void;
