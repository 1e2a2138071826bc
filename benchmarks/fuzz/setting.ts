/** One simulated run: its optimizer, hyper-parameters, rates and how its checkpoints are stored. */
import { Random } from './random.ts';
import { type Recipe, recipes } from './recipes.ts';
import { toBf16 } from './rounding.ts';

export type Stored = 'float32' | 'bf16 at A' | 'bf16 at B' | 'bf16 at both';

export interface Setting {
  readonly seed: number;
  readonly trial: number;
  readonly recipe: Recipe;
  /** β₁ runs between these in a cycle; equal where it is constant. */
  readonly beta1: readonly [number, number];
  readonly beta2: number;
  readonly eps: number;
  readonly decay: number;
  readonly biasCorrection: boolean;
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
  readonly peak: number;
  readonly schedule: 'constant' | 'wave' | 'alternating' | 'warm-up and cosine' | 'gaps';
  readonly stored: Stored;
  /** bf16 is declared by the slack of its cause alone, not by both slacks as a file's type is. */
  readonly sharp: boolean;
}

const betas = [
  [0.9, 0.999],
  [0.9, 0.95],
  [0.95, 0.95],
  [0, 0.99],
  [0.8, 0.999],
  [0.5, 0.999],
  [0.99, 0.9],
] as const;

/** Recipes × pairs of betas: as many trials meet every combination once. */
export const combinations = recipes.length * betas.length;

function storage(random: Random, recipe: Recipe): Stored {
  if (recipe.bf16 || random.uniform() < 0.6) return 'float32';
  return random.pick<Stored>(['bf16 at A', 'bf16 at B', 'bf16 at both']);
}

/** The setting of trial number `trial`: recipes and betas in turn, the rest drawn from the seed. */
export function settingOf(seed: number, trial: number): Setting {
  const random = new Random(seed, trial);
  const recipe = recipes[trial % recipes.length] as Recipe;
  const [beta1, beta2] = betas[
    Math.floor(trial / recipes.length) % betas.length
  ] as (typeof betas)[0];
  const nesterov = random.uniform() < 0.5;
  const cycles = beta1 > 0.6 && recipe.name.startsWith('torch') && random.uniform() < 0.2;
  return {
    seed,
    trial,
    recipe,
    beta1: cycles ? [beta1 - 0.1, beta1] : [beta1, beta1],
    beta2,
    eps: random.pick([1e-6, 1e-8, 1e-10, 1e-12, 1e-15]),
    decay: random.pick([0, 0.01, 0.1]),
    biasCorrection: !(recipe.name.startsWith('apex') && random.uniform() < 0.2),
    momentum: random.pick(recipe.kind === 'sgd' ? [0.5, 0.9, 0.99] : [0, 0.9]),
    dampening: nesterov ? 0 : random.pick([0, 0.1, 0.9]),
    nesterov,
    // No powers of ten: lr·λ = ε carries a dead L2 weight to exactly 0 in one step.
    peak: random.pick([1.1e-5, 1.2e-4, 1.3e-3, 1.1e-2, 0.12, 0.9]),
    schedule: random.pick([
      'constant',
      'wave',
      'alternating',
      'warm-up and cosine',
      recipe.name === 'capturable' ? 'wave' : 'gaps',
    ]),
    stored: storage(random, recipe),
    sharp: random.uniform() < 0.5,
  };
}

/** The learning rate of step `t` (first step: 1). */
export function rateAt({ schedule, peak }: Setting, t: number): number {
  switch (schedule) {
    case 'constant':
      return peak;
    case 'wave':
      return peak * (0.1 + 0.9 * Math.abs(Math.sin(t / 7)));
    case 'alternating':
      return t % 2 === 0 ? peak : peak / 100;
    case 'warm-up and cosine':
      return t < 60 ? (peak * t) / 60 : (peak * (1 + Math.cos(t / 300))) / 2;
    case 'gaps':
      return t % 7 === 0 ? 0 : peak;
  }
}

/** β₁ of step `t`: a triangle of 20 steps between its ends. */
export function beta1At({ beta1: [low, high] }: Setting, t: number): number {
  return low === high ? high : high - (high - low) * Math.abs(1 - (t % 20) / 10);
}

/** How a checkpoint at this end is stored; null: bit for bit. */
export function storeAt({ stored }: Setting, end: 'A' | 'B'): ((x: number) => number) | null {
  return stored === 'bf16 at both' || stored === `bf16 at ${end}` ? toBf16 : null;
}

/** The setting in one line, for a report. */
export function describe(setting: Setting): string {
  const { recipe, beta1, beta2, eps, decay, peak, schedule, momentum, dampening } = setting;
  const sharp = setting.sharp && (recipe.bf16 || setting.stored !== 'float32');
  return [
    `seed ${setting.seed} trial ${setting.trial}: ${recipe.name}`,
    `β ${beta1[0] === beta1[1] ? beta1[0] : beta1.join('…')} ${beta2}, eps ${eps}, decay ${decay}`,
    `lr ${peak} ${schedule}, ${setting.stored}${sharp ? ' (sharp)' : ''}`,
    ...(setting.biasCorrection ? [] : ['no bias correction']),
    ...(recipe.kind === 'sgd' || recipe.kind === 'rmsprop' ? [`momentum ${momentum}`] : []),
    ...(recipe.kind === 'sgd'
      ? [`dampening ${dampening}${setting.nesterov ? ', Nesterov' : ''}`]
      : []),
  ].join(', ');
}
