/** Findings and coverage → one verdict. */
import type { Coverage, Finding, Verdict } from './result.ts';

/** Rules whose holding says that the state can be the work of healthy training. */
const proving: ReadonlySet<string> = new Set([
  'moment-bound',
  'moment-increment',
  'bounded-update',
  'capped-update',
  'second-moment-decay',
  'maximum-dominates',
  'factor-balance',
  'replay-moments',
  'replay-weights',
  'replay-gradient',
  'replay-sgd',
  'replay-average',
  'bits-agree',
]);

/** Rules that find nothing on plenty of damage: quiet is not a proof. */
const screening: ReadonlySet<string> = new Set([
  'finite-values',
  'step-counter',
  'running-variance',
  'block-scale',
  'constant-buffers',
  'average-between',
  'state-progress',
  'no-blank-lines',
  'no-repeated-pages',
  'clip-bound',
  'gradient-ledger',
]);

function judged(coverage: Coverage, rules: ReadonlySet<string>): boolean {
  return coverage.rules.some(({ rule, elements }) => rules.has(rule) && elements > 0);
}

/** `corrupt` before `suspect` before what coverage allows to be said. */
export function decide(findings: readonly Finding[], coverage: Coverage): Verdict {
  const loud = findings.filter((finding) => finding.severity !== 'info');
  if (loud.some((finding) => finding.certainty === 'confirmed')) return 'corrupt';
  if (loud.length > 0) return 'suspect';
  if (judged(coverage, proving)) return 'intact';
  return judged(coverage, screening) ? 'unremarkable' : 'unverified';
}

const order: readonly Verdict[] = ['intact', 'unremarkable', 'unverified', 'suspect', 'corrupt'];

/** The worse of two verdicts; `unverified` is worse than quiet and better than an alarm. */
export function worse(a: Verdict, b: Verdict): Verdict {
  return order.indexOf(a) >= order.indexOf(b) ? a : b;
}

/** A checkpoint that may be the base of the next. */
export function isTrusted(verdict: Verdict): boolean {
  return verdict === 'intact' || verdict === 'unremarkable';
}
