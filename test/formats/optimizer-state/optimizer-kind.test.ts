/** Optimizers whose update no law bounds are still called by their name. */
import { expect, it } from 'vitest';
import { proveKind } from '../../../src/formats/optimizer-state/optimizer-kind.ts';
import type { RawOptimizer } from '../../../src/formats/optimizer-state/raw-optimizer.ts';

function optimizer(
  group: readonly string[],
  state: readonly string[],
  flags: readonly string[] = [],
): RawOptimizer {
  const hyper = new Map<string, number | boolean>(group.map((key) => [key, 0.5]));
  for (const flag of flags) hyper.set(flag, true);
  const plain = new Map(state.map((key) => [key, 1]));
  const one = { id: '0', path: 'optimizer.state.0', tensors: new Map(), plain };
  return {
    ...{ prefix: 'optimizer.', file: 'model.pt', masters: null },
    groups: [{ hyper, ids: ['0'], names: null, stepDtype: null }],
    states: new Map([['0', one]]),
  };
}

it('knows SOAP by its groups and Shampoo by its state', () => {
  const soap = [
    ...['lr', 'betas', 'shampoo_beta', 'eps', 'weight_decay', 'precondition_frequency'],
    ...['max_precond_dim', 'merge_dims', 'precondition_1d', 'normalize_grads', 'correct_bias'],
  ];
  const state = ['step', 'exp_avg', 'exp_avg_sq', 'GG', 'Q'];
  expect(proveKind(optimizer(soap, state))?.kind).toBe('soap');
  const shampoo = ['lr', 'momentum', 'weight_decay', 'epsilon', 'update_freq'];
  const matrices = ['step', 'precond_0', 'inv_precond_0', 'precond_1', 'inv_precond_1'];
  expect(proveKind(optimizer(shampoo, matrices))?.kind).toBe('shampoo');
});

it('takes neither for Adam, nor Adam for one of them', () => {
  const adam = [
    'lr',
    'betas',
    'eps',
    'weight_decay',
    'amsgrad',
    'maximize',
    'foreach',
    'capturable',
  ];
  const moments = ['step', 'exp_avg', 'exp_avg_sq'];
  expect(proveKind(optimizer(adam, moments))?.kind).toBe('adam-or-adamw');
  expect(proveKind(optimizer(['lr', 'betas', 'eps'], [...moments, 'GG', 'Q']))).toBeNull();
});

it('knows AMSGrad by its maxima, and does not call it that where they were left out', () => {
  const keys = ['lr', 'betas', 'eps', 'weight_decay', 'maximize', 'foreach', 'capturable'];
  const flags = ['amsgrad', 'decoupled_weight_decay'];
  const moments = ['step', 'exp_avg', 'exp_avg_sq'];
  const whole = optimizer(keys, [...moments, 'max_exp_avg_sq'], flags);
  expect(proveKind(whole)?.kind).toBe('amsgrad');
  expect(proveKind(optimizer(keys, moments, flags))).toBeNull();
});
