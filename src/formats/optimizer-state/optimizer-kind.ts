/**
 * Which optimizer wrote a state, where its keys prove it. Many optimizers keep tensors that look
 * like Adam's and are not; only what torch's own classes put into their groups is a declaration.
 */
import type { OptimizerKind } from '../../checkpoint/optimizer.ts';
import type { RawGroup, RawOptimizer } from './raw-optimizer.ts';

export interface Proof {
  readonly kind: OptimizerKind;
  readonly from: string;
}

interface Evidence {
  readonly group: RawGroup;
  /** Some group of the optimizer has a weight decay. */
  readonly decays: boolean;
  has(...keys: string[]): boolean;
  /** State tensors and counters under exactly these keys, none else. */
  onlyState(...keys: string[]): boolean;
  hasState(...keys: string[]): boolean;
}

type Rule = (evidence: Evidence) => Proof | null;

/** Keys by which variants of Adam and of SGD give themselves away. */
const variantMarks = [
  'momentum_decay',
  'schedule_decay',
  'caution',
  'corrected_weight_decay',
  'clip_exp',
  'decoupled',
  'trust_clip',
  'always_adapt',
  'trust_coeff',
  'trust_coefficient',
  'wd_ratio',
  'rectify',
  'degenerated_to_sgd',
  'bias_correction',
  'mars_type',
  'rho',
  'no_prox',
  'use_muon',
];

function torch(kind: OptimizerKind, name: string): Proof {
  return { kind, from: `group keys of torch.optim.${name}` };
}

function isVariant({ has }: Evidence): boolean {
  return variantMarks.some((mark) => has(mark));
}

const adam: Rule = (evidence) => {
  const { group, has, onlyState, hasState } = evidence;
  const keys = ['betas', 'eps', 'weight_decay', 'amsgrad', 'maximize', 'foreach', 'capturable'];
  if (!has(...keys) || isVariant(evidence)) return null;
  if (!onlyState('step', 'exp_avg', 'exp_avg_sq', 'max_exp_avg_sq')) return null;
  const told = has('decoupled_weight_decay');
  const decoupled = group.hyper.get('decoupled_weight_decay') === true;
  if (group.hyper.get('amsgrad') === true) {
    // DeepSpeed's converter leaves the maxima out: what divides the next step is not in the file.
    if (hasState('exp_avg_sq') && !hasState('max_exp_avg_sq')) return null;
    return amsgrad(evidence, told, decoupled);
  }
  if (!told) return torch('adam-or-adamw', 'Adam or AdamW');
  return decoupled ? torch('adamw', 'AdamW') : torch('adam', 'Adam');
};

/**
 * The kind stands for AdamW with that option: without a decay Adam's is the same, with one it is
 * not.
 */
function amsgrad({ decays }: Evidence, told: boolean, decoupled: boolean): Proof | null {
  if (decoupled || !decays) return torch('amsgrad', 'Adam with amsgrad');
  return told ? torch('adam-amsgrad', 'Adam with amsgrad') : null;
}

/** apex, DeepSpeed and Megatron: which decay their class took is not stored. */
const fusedAdam: Rule = ({ has, onlyState }) => {
  const lamb = ['max_grad_norm', 'grad_averaging', 'trust_clip'].some((key) => has(key));
  if (!has('betas', 'eps', 'bias_correction') || lamb || has('caution')) return null;
  if (!onlyState('step', 'exp_avg', 'exp_avg_sq')) return null;
  return { kind: 'adam-or-adamw', from: 'group keys of FusedAdam' };
};

const nadam: Rule = ({ has, hasState }) => {
  return has('momentum_decay') && hasState('mu_product') ? torch('nadam', 'NAdam') : null;
};

const radam: Rule = (evidence) => {
  const { has, onlyState } = evidence;
  const keys = ['betas', 'eps', 'decoupled_weight_decay', 'foreach', 'capturable'];
  if (!has(...keys) || has('amsgrad') || isVariant(evidence)) return null;
  return onlyState('step', 'exp_avg', 'exp_avg_sq') ? torch('radam', 'RAdam') : null;
};

const nadamw: Rule = ({ has, onlyState }) => {
  const keys = ['betas', 'eps', 'caution', 'corrected_weight_decay', 'capturable'];
  const others = ['amsgrad', 'clip_exp', 'trust_clip', 'momentum_decay', 'decoupled'];
  if (!has(...keys) || others.some((key) => has(key))) return null;
  if (!onlyState('step', 'exp_avg', 'exp_avg_sq')) return null;
  return { kind: 'nadamw', from: 'group keys of timm’s NAdamW' };
};

const sgd: Rule = (evidence) => {
  const { has, onlyState } = evidence;
  if (!has('momentum', 'dampening', 'nesterov') || isVariant(evidence)) return null;
  return onlyState('momentum_buffer') ? torch('sgd', 'SGD') : null;
};

const lion: Rule = ({ has, onlyState, hasState }) => {
  if (!has('betas') || has('eps') || !hasState('exp_avg')) return null;
  return onlyState('exp_avg') ? { kind: 'lion', from: 'betas, and no second moment' } : null;
};

const lamb: Rule = ({ group, has }) => {
  const timm = has('trust_clip', 'always_adapt');
  const apex = has('grad_averaging', 'max_grad_norm', 'bias_correction');
  // Without averaging its first moment is a sum: none of the laws of the kind hold.
  if ((!timm && !apex) || group.hyper.get('grad_averaging') === false) return null;
  return { kind: 'lamb', from: timm ? 'group keys of timm’s LAMB' : 'group keys of FusedLAMB' };
};

function byKeys(kind: OptimizerKind, from: string, keys: readonly string[]): Rule {
  return ({ has }) => (has(...keys) ? { kind, from } : null);
}

function byState(kind: OptimizerKind, from: string, ...keys: string[]): Rule {
  return ({ hasState }) => (hasState(...keys) ? { kind, from } : null);
}

/** In order: the first that proves something counts. */
const rules: readonly Rule[] = [
  adam,
  nadam,
  radam,
  nadamw,
  lamb,
  fusedAdam,
  byState('adamax', 'state key exp_inf of torch.optim.Adamax', 'exp_inf'),
  byKeys('adagrad', 'group keys of torch.optim.Adagrad', ['lr_decay', 'initial_accumulator_value']),
  byState('adadelta', 'state keys of torch.optim.Adadelta', 'square_avg', 'acc_delta'),
  byKeys('rmsprop', 'group keys of torch.optim.RMSprop', ['alpha', 'centered', 'momentum']),
  byKeys('rprop', 'group keys of torch.optim.Rprop', ['etas', 'step_sizes']),
  byKeys('asgd', 'group keys of torch.optim.ASGD', ['lambd', 'alpha', 't0']),
  byKeys('lbfgs', 'group keys of torch.optim.LBFGS', ['max_iter', 'history_size']),
  byKeys('adafactor', 'group keys of torch.optim.Adafactor', ['beta2_decay', 'd']),
  byKeys('adafactor', 'group keys of Adafactor', ['decay_rate', 'clip_threshold']),
  byKeys('muon', 'group keys of torch.optim.Muon', ['ns_coefficients', 'ns_steps']),
  byKeys('adopt', 'group keys of ADOPT', ['clip_exp']),
  byKeys('mars', 'group keys of MARS', ['mars_type']),
  byState('laprop', 'state keys of LaProp', 'exp_avg_lr_2'),
  byState('adan', 'state keys of Adan', 'exp_avg_diff'),
  byState('adabelief', 'state keys of AdaBelief', 'exp_avg_var'),
  byKeys('soap', 'group keys of SOAP', ['shampoo_beta', 'precondition_frequency']),
  byState('shampoo', 'state keys of Shampoo', 'precond_0', 'inv_precond_0'),
  byState('madgrad', 'state keys of MADGRAD', 'grad_sum_sq', 'x0'),
  sgd,
  lion,
];

function evidenceOf(group: RawGroup, decays: boolean, stateKeys: ReadonlySet<string>): Evidence {
  return {
    group,
    decays,
    has: (...keys) => keys.every((key) => group.hyper.has(key)),
    onlyState: (...keys) => [...stateKeys].every((key) => keys.includes(key)),
    hasState: (...keys) => keys.every((key) => stateKeys.has(key)),
  };
}

/** The kind that every group proves; null where one proves nothing or they disagree. */
export function proveKind(optimizer: RawOptimizer): Proof | null {
  const keys = new Set<string>();
  for (const { tensors, plain } of optimizer.states.values()) {
    for (const key of [...tensors.keys(), ...plain.keys()]) keys.add(key);
  }
  const decays = optimizer.groups.some(({ hyper }) => (hyper.get('weight_decay') ?? 0) !== 0);
  let proof: Proof | null = null;
  for (const group of optimizer.groups) {
    const evidence = evidenceOf(group, decays, keys);
    const found = firstOf(evidence);
    if (!found || (proof && proof.kind !== found.kind)) return null;
    proof = found;
  }
  return proof;
}

function firstOf(evidence: Evidence): Proof | null {
  for (const rule of rules) {
    const proof = rule(evidence);
    if (proof) return proof;
  }
  return null;
}
