/** Evidence of the rules that need no calibration. */
import { exactBits } from './budget.ts';
import type { ExactCase, ExactHit } from './exact-rule.ts';
import type { Evidence } from './finding.ts';
import { loneGiant, loneGiantGap } from './lone-giant.ts';
import { finiteOf, historyLength } from './run-memory.ts';
import { judgeStale, staleHit, staleTensor } from './stale-tensor.ts';
import type { Subject } from './subject.ts';
import { judgeSuddenGiant } from './sudden-giant.ts';
import { octaves } from './suspicion.ts';
import { exactRules } from './suspicions.ts';
import { judgeGrowth } from './unbacked-growth.ts';

/**
 * Bits by which a first moment shrinks before it is 0 in float32, with room below its usual size.
 */
const underflowBits = 100;

/** Has a first moment without gradients had the time to become 0? Unknown counts as yes. */
export function mayUnderflow(beta1: number | null, steps: number | null): boolean {
  if (beta1 === null || steps === null || !(beta1 > 0)) return true;
  return !(steps * -Math.log2(beta1) <= underflowBits);
}

function exactEvidence(rule: string, tensor: string, hit: ExactHit): Evidence {
  return {
    rule,
    line: null,
    tensor,
    bits: exactBits,
    net: exactBits,
    severity: 'warning',
    element: null,
    ...hit,
  };
}

function judgeByItself(subject: Subject, underflow: boolean): Evidence[] {
  const { before } = subject;
  if (!before) return [];
  const { group, record, now, varied } = subject;
  const exact: ExactCase = {
    group,
    record,
    now,
    before,
    varied,
    mayUnderflow: group === 'first' && underflow,
  };
  return exactRules.flatMap((rule) => {
    const hit = rule.judge(exact);
    return hit ? [exactEvidence(rule.id, subject.name, hit)] : [];
  });
}

function judgeGiant(subject: Subject): Evidence[] {
  const sudden = judgeSuddenGiant(subject);
  return sudden.length > 0 ? sudden : judgeLoneGiant(subject);
}

function judgeLoneGiant(subject: Subject): Evidence[] {
  const { name, group, record, statistics, memory, largestBefore } = subject;
  const { gap } = statistics;
  const known = finiteOf(memory?.values.gap, historyLength).length > 0;
  if (known || gap === undefined || !(gap >= loneGiantGap[group])) return [];
  return [
    {
      rule: loneGiant.id,
      line: null,
      tensor: name,
      bits: null,
      net: null,
      severity: 'info',
      value: gap,
      reference: loneGiantGap[group],
      element: record.max1Index,
      lanes: [],
      planes: [],
      message:
        `the largest value stands ${octaves(gap)} above the second largest, in a tensor without ` +
        (largestBefore === null
          ? 'history; it may have been so all along'
          : `history; at the base the largest was ${largestBefore.toPrecision(3)}`),
    },
  ];
}

/** Tensors of each parameter; those whose parameter is unknown are in none. */
export function unitsOf(subjects: readonly Subject[]): readonly (readonly Subject[])[] {
  const units = new Map<string, Subject[]>();
  for (const subject of subjects) {
    if (subject.unit === null) continue;
    const members = units.get(subject.unit);
    if (members) members.push(subject);
    else units.set(subject.unit, [subject]);
  }
  return [...units.values()];
}

/** Exact rules, stale tensors, giants and what grew without a cause. */
export function weighExact(
  subjects: readonly Subject[],
  { beta1, steps }: { readonly beta1: number | null; readonly steps: number | null },
): Evidence[] {
  const underflow = mayUnderflow(beta1, steps);
  const growing = subjects.filter(({ group }) => group === 'second');
  const stale = unitsOf(subjects)
    .flatMap((members) => judgeStale(members).stale)
    .map(({ name }) => exactEvidence(staleTensor.id, name, staleHit));
  return [
    ...subjects.flatMap((subject) => judgeByItself(subject, underflow)),
    ...stale,
    ...subjects.flatMap(judgeGiant),
    ...growing.flatMap(({ name, growth }) =>
      growth ? judgeGrowth({ name, growth }, growing.length) : [],
    ),
  ];
}
