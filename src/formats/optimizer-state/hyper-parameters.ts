/** Hyper-parameters outside their domain: whatever wrote them, the next update is not an update. */
import type { HyperValue } from '../../checkpoint/optimizer.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { proveKind } from './optimizer-kind.ts';
import type { RawOptimizer } from './raw-optimizer.ts';

type Check = (value: number, index: number) => boolean;

const finite: Check = (value) => Number.isFinite(value);

/**
 * What a number must be, by key; null is legal everywhere, and other keys are nobody's business
 * here.
 */
const domains: readonly { key: string; domain: string; holds: Check }[] = [
  { key: 'lr', domain: 'finite', holds: finite },
  {
    key: 'eps',
    domain: 'finite and not negative',
    holds: (value) => Number.isFinite(value) && value >= 0,
  },
  { key: 'weight_decay', domain: 'finite', holds: finite },
  { key: 'momentum', domain: 'finite', holds: finite },
  // A third one is not always a decay: AdaPNM weighs its two momenta by it, and by 1 unless told.
  {
    key: 'betas',
    domain: 'in [0, 1)',
    holds: (value, index) => index >= 2 || (value >= 0 && value < 1),
  },
];

function numbersIn(value: HyperValue | undefined): number[] {
  if (typeof value === 'number') return [value];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'number') : [];
}

/** One problem for each key of each group that is outside its domain. */
export function hyperParameterProblems(optimizer: RawOptimizer): Problem[] {
  const { groups, prefix, file } = optimizer;
  // PNM's betas are (0.9, 1): to an unknown optimizer 1 may be a weight, and no decay.
  const isKnown = proveKind(optimizer) !== null;
  return groups.flatMap(({ hyper }, group) => {
    return domains.flatMap(({ key, domain, holds }): Problem[] => {
      const wrong = numbersIn(hyper.get(key)).find((value, index) => {
        return !holds(value, index) && (isKnown || key !== 'betas' || value !== 1);
      });
      if (wrong === undefined) return [];
      const message = `${prefix}param_groups.${group}.${key} is ${wrong}; it must be ${domain}`;
      return [{ rule: 'hyper-parameter-invalid', kind: 'damage', file, message }];
    });
  });
}
