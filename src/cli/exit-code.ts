/** Exit codes are API: 0 below --fail-on, 1 at or above it, 2 could not be checked, 3 nothing to check. */
import type { Finding, Result, Verdict } from '../verdict/result.ts';
import { isStatistical } from '../verdict/rules.ts';

export const failOnChoices = ['corrupt', 'suspect', 'unverified'] as const;

export type FailOn = (typeof failOnChoices)[number];

export interface ExitPolicy {
  readonly failOn: FailOn;
  readonly exitZero: boolean;
  /** Laws that must have judged something. */
  readonly require: readonly string[];
  /** Smallest share of elements, in percent, that every law must have judged. */
  readonly minCoverage: number | null;
}

const failing: Readonly<Record<FailOn, readonly Verdict[]>> = {
  corrupt: ['corrupt'],
  suspect: ['corrupt', 'suspect'],
  unverified: ['corrupt', 'suspect', 'unverified'],
};

/** Does this finding alone reach the caller's threshold? */
export function failsOn(policy: ExitPolicy): (finding: Finding) => boolean {
  return ({ certainty, severity }) =>
    severity !== 'info' && (certainty === 'confirmed' || policy.failOn !== 'corrupt');
}

/** What `--require` and `--min-coverage` miss, in words; empty where they are met. */
export function unmetDemands(result: Result, policy: ExitPolicy): string[] {
  const rules = new Map(result.coverage?.rules.map((rule) => [rule.rule, rule]));
  const missing = policy.require
    .filter((id) => !((rules.get(id)?.elements ?? 0) > 0))
    .map((id) => `--require ${id}: it judged nothing`);
  const { minCoverage } = policy;
  if (minCoverage === null) return missing;
  for (const { rule, elements, of } of rules.values()) {
    // Statistics need a history: they are no gap of this check.
    if (isStatistical(rule)) continue;
    const share = of === 0 ? 100 : (100 * elements) / of;
    if (!(share >= minCoverage)) {
      missing.push(`--min-coverage ${minCoverage}: ${rule} judged ${share.toFixed(1)} %`);
    }
  }
  return missing;
}

export function exitCode(result: Result, policy: ExitPolicy): number {
  if (policy.exitZero) return 0;
  const verdict = result.verdict ?? 'unverified';
  if (!result.error && failing[policy.failOn].includes(verdict)) return 1;
  if (result.error || unmetDemands(result, policy).length > 0) return 2;
  const applied = result.coverage?.rules.some(({ elements }) => elements > 0) === true;
  return applied ? 0 : 3;
}
