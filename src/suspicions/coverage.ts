/** Which elements each rule could judge, and why not the others. */
import type { Distance } from './distance.ts';
import type { SuspicionCoverage } from './finding.ts';
import { loneGiant, loneGiantGap } from './lone-giant.ts';
import type { LineScores } from './score-lines.ts';
import { judgeStale, staleTensor } from './stale-tensor.ts';
import type { Subject } from './subject.ts';
import { isComparable, suddenGiant } from './sudden-giant.ts';
import type { StatisticalRule } from './suspicion.ts';
import { exactRules, statisticalRules } from './suspicions.ts';
import { unbackedGrowth } from './unbacked-growth.ts';
import { unitsOf } from './weigh-exact.ts';

function elementsOf(subjects: Iterable<Subject>): number {
  let sum = 0;
  for (const { record } of subjects) sum += record.elements;
  return sum;
}

function tally(
  rule: string,
  subjects: readonly Subject[],
  tested: { readonly judged: Iterable<Subject>; readonly reason: string },
): SuspicionCoverage {
  const of = elementsOf(subjects);
  const elements = elementsOf(tested.judged);
  const unknown = of > elements ? [{ reason: tested.reason, elements: of - elements }] : [];
  return { rule, elements, of, unknown };
}

function coverRule(
  rule: StatisticalRule,
  { subjects, lines }: { subjects: readonly Subject[]; lines: readonly LineScores[] },
  { comparable }: Distance,
): SuspicionCoverage {
  const groups = new Set(rule.lines.map(({ group }) => group));
  const ids = new Set(rule.lines.map(({ id }) => id));
  const scores = lines.filter(({ line }) => ids.has(line.id)).flatMap(({ scores }) => scores);
  const aboutUpdates = rule.lines.every(({ statistic }) => statistic.startsWith('delta'));
  return tally(
    rule.id,
    subjects.filter(({ group }) => groups.has(group)),
    {
      judged: new Set(scores.map(({ subject }) => subject)),
      reason:
        aboutUpdates && !comparable
          ? 'the steps since the base are not like those before'
          : 'too little history',
    },
  );
}

/** Coverage of every rule that ran on this validation. */
export function coverSuspicions(
  subjects: readonly Subject[],
  lines: readonly LineScores[],
  distance: Distance,
): SuspicionCoverage[] {
  const remembered = subjects.filter(({ before }) => before !== null);
  const state = subjects.filter(({ group }) => group !== 'buffer');
  const stale = unitsOf(subjects).flatMap((members) => judgeStale(members).judged);
  const giants = state.filter(({ statistics }) => statistics.gap !== undefined);
  const weights = state.filter(({ group }) => group === 'weight');
  const seconds = state.filter(({ group }) => group === 'second');
  const explained = seconds.filter(
    ({ statistics, growth }) => growth !== null || !((statistics.gap ?? 0) >= loneGiantGap.second),
  );
  return [
    ...statisticalRules.map((rule) => coverRule(rule, { subjects, lines }, distance)),
    ...exactRules.map(({ id }) =>
      tally(id, subjects, { judged: remembered, reason: 'no earlier checkpoint' }),
    ),
    tally(staleTensor.id, state, { judged: stale, reason: 'too little history of moving weights' }),
    tally(loneGiant.id, state, { judged: giants, reason: 'fewer than 8 nonzero elements' }),
    tally(suddenGiant.id, weights, {
      judged: weights.filter(isComparable),
      reason: 'no base, or nothing in it but zeros',
    }),
    tally(unbackedGrowth.id, seconds, {
      judged: explained,
      reason: 'no base, or betas or steps unknown',
    }),
  ];
}
