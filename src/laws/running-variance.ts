/** running-variance: a variance is not negative. */
import type { Element, ElementLaw, Sides } from './law.ts';

function sides(element: Element): Sides {
  return { left: -(element[0] as number), right: 0 };
}

export const runningVariance: ElementLaw = {
  id: 'running-variance',
  scope: 'element',
  about: 's',
  title: 'A running variance is not negative',
  family: 'well-formed',
  operands: ['sB'],
  statement: 'Every element of a batch normalisation’s running_var is at least 0.',
  derivation:
    'It is an average of variances with weights momentum and 1 − momentum, both between 0 and 1. The momentum ' +
    'is not in the file, so how fast it may shrink is not judged.',
  needs: 'a buffer called running_var',
  cost: '4 bytes an element',
  cannotSee: 'A wrong variance that is positive.',
  advice: 'Go back to the last trusted checkpoint, or re-estimate the statistics.',
  bind: () => ({ kind: 'bound', constants: {} }),
  sides,
  explain: ({ left }) => `a running variance is ${-left}, which no average of variances can be`,
};

/** Is the tensor one that this law speaks of? */
export function isRunningVariance(name: string): boolean {
  return /(^|\.)running_var$/.test(name);
}
