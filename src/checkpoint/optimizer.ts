/** Optimizer state as a checkpoint stores it. What is not stored stays unknown (null), never a default. */

/** Optimizers by the names that `--optimizer kind=` takes. `adam-or-adamw`: the file does not say which decay. */
export type OptimizerKind =
  | 'adam'
  | 'adamw'
  | 'adam-or-adamw'
  | 'amsgrad'
  | 'nadam'
  | 'radam'
  | 'adamax'
  | 'adagrad'
  | 'adadelta'
  | 'rmsprop'
  | 'sgd'
  | 'lion'
  | 'adafactor'
  | 'muon'
  | 'lamb'
  | (string & {});

/** A hyper-parameter as stored: numbers keep NaN and infinities; anything that is no plain value is left out. */
export type HyperValue = number | boolean | string | null | readonly HyperValue[];

export interface OptimizerGroup {
  /** Every stored key but the parameter list: lr, betas, eps, weight_decay, … */
  readonly hyper: Readonly<Record<string, HyperValue>>;
  /** Keys of `parameters`, in stored order. */
  readonly keys: readonly string[];
}

/** What the optimizer holds for one parameter. */
export interface ParameterState {
  /** The parameter's name where it is known, else the state's own path (`optimizer.state.3`). */
  readonly key: string;
  /** The state's path in the file: what aligns two checkpoints when names are unknown. */
  readonly path: string;
  readonly parameter: string | null;
  /**
   * Set where `parameter` rests on the order of parameters alone and another tensor of its shape could
   * be meant: what joins weight and state must not be believed before the two have shown to fit.
   */
  readonly ownerAssumed?: true;
  /** Index into `groups`; null where state lies in no group. */
  readonly group: number | null;
  /** Steps this parameter has taken, null where nothing says. */
  readonly step: number | null;
  /** `own`: counted for this parameter; `shared`: one counter for many, which may have skipped some. */
  readonly stepScope: 'own' | 'shared' | null;
  /** Stored type of the counter: float32 counters stop at 2^24. */
  readonly stepDtype: string | null;
  /** Names of tensors by stored key (`exp_avg`, `exp_avg_sq`, …), in this checkpoint. */
  readonly tensors: Readonly<Record<string, string>>;
  /** Shape of the state's tensors where they agree: two checkpoints match state by path and shape. */
  readonly shape: readonly number[] | null;
  /** Name of its fp32 master copy, where the checkpoint keeps one. */
  readonly master: string | null;
}

export interface Optimizer {
  /** Null: nothing in the file proves the class. */
  readonly kind: OptimizerKind | null;
  /** What proved it, for people: `group keys of torch.optim.AdamW`. */
  readonly kindFrom: string | null;
  /** Path of the state dictionary in the file, with its dot (`optimizer.`), or empty. */
  readonly prefix: string;
  readonly file: string;
  readonly groups: readonly OptimizerGroup[];
  readonly parameters: readonly ParameterState[];
}
