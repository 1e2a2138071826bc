/** An optimizer's state dictionary as a file spells it, before anything is concluded from it. */
import type { HyperValue } from '../../checkpoint/optimizer.ts';
import type { TensorDraft } from './tensor-draft.ts';

/** What is stored for one parameter. */
export interface RawState {
  /** The key in the dictionary: `3`, or a parameter's name. */
  readonly id: string;
  /** `optimizer.state.3` */
  readonly path: string;
  /** By stored key; tensors inside lists have theirs behind a dot: `Q.0`. */
  readonly tensors: ReadonlyMap<string, TensorDraft>;
  readonly plain: ReadonlyMap<string, HyperValue>;
}

export interface RawGroup {
  readonly hyper: ReadonlyMap<string, HyperValue>;
  /** Where the group's counter is a tensor, its type. */
  readonly stepDtype: string | null;
  /** Ids of its parameters, in order. */
  readonly ids: readonly string[];
  /** torch's `param_names`, one an id; null where they are not stored. */
  readonly names: readonly string[] | null;
}

export interface RawOptimizer {
  /** With its dot, or empty. */
  readonly prefix: string;
  readonly file: string;
  readonly states: ReadonlyMap<string, RawState>;
  readonly groups: readonly RawGroup[];
  /** fp32 copies of 16-bit parameters, a list for each group, in the group's order. */
  readonly masters: readonly (readonly TensorDraft[])[] | null;
}

/** A model's own tensors in one dictionary or file. */
export interface ModelTensors {
  /** With its dot, or empty. */
  readonly prefix: string;
  /** By name below the prefix, in stored order. */
  readonly tensors: ReadonlyMap<string, TensorDraft>;
  /** `order`: stored as the model defines them; `sorted`: only names, groups and shapes tell. */
  readonly order: 'order' | 'sorted';
}
