/** What a scan found, as findings: one for each rule and tensor, worst element first. */
import { coordinatesOf } from '../checkpoint/locate.ts';
import type { Problem } from '../checkpoint/problem.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import { finiteValues } from '../laws/record-laws.ts';
import { nonFiniteCount } from '../records/summary.ts';
import { type CopyOutcome, type LawOutcome, mustBeFinite, type ScanOutcome } from '../scan/scan.ts';
import { aboutTensor, severityOf } from './about.ts';
import { copyFinding } from './copy-finding.ts';
import { describeElement } from './element.ts';
import { namesAncestry } from './lineage.ts';
import { placeOf } from './place.ts';
import type { Finding } from './result.ts';

/** `next`: the command that shows the finding again. */
export function lawFinding(outcome: LawOutcome, next: string): Finding {
  const { law, record, subject, unit, constants } = outcome;
  const view = describeElement(outcome);
  const tensor = view?.tensor ?? subject;
  const worst = record.worst;
  const explained =
    law.scope === 'line' || !worst
      ? law.scope === 'line'
        ? law.explain(constants)
        : law.title
      : law.explain({ left: worst.left, right: worst.right }, worst.values, constants);
  return {
    rule: law.id,
    kind: 'law',
    certainty: 'confirmed',
    severity: severityOf(tensor),
    ...aboutTensor(tensor, unit?.head.state.parameter ?? null),
    ...(worst && !view ? placeOf(tensor, worst.index) : {}),
    ...view?.parts,
    count: record.broken,
    ...(worst && law.scope === 'element' ? { left: worst.left, right: worst.right } : {}),
    message: explained,
    next,
  };
}

function finiteFindings(outcome: ScanOutcome, tensors: readonly Tensor[], next: string): Finding[] {
  const grouped = new Set(outcome.alignment.units.map((unit) => unit.head.state.parameter));
  return tensors.flatMap((tensor) => {
    const record = outcome.summaries.head.get(tensor.name);
    if (!record || !mustBeFinite(tensor) || nonFiniteCount(record) === 0) return [];
    // Zeros and minus infinity only, and no optimizer trains it: an attention mask that was saved.
    const mask = record.nan === 0 && record.positiveInfinity === 0 && record.max1 === 0;
    if (mask && tensor.role === 'parameter' && !grouped.has(tensor.name)) return [];
    const { nan, positiveInfinity, negativeInfinity } = record;
    const index = record.firstNonFinite;
    return [
      {
        rule: finiteValues.id,
        kind: 'law' as const,
        certainty: 'confirmed' as const,
        severity: severityOf(tensor),
        ...aboutTensor(tensor),
        ...placeOf(tensor, index),
        count: nonFiniteCount(record),
        message:
          `${nan} NaN, ${positiveInfinity} +Infinity, ${negativeInfinity} -Infinity among ` +
          `${record.elements} elements, the first at [${coordinatesOf(index, tensor.shape).join(', ')}]`,
        next,
      },
    ];
  });
}

function stepFindings(outcome: ScanOutcome, next: string): Finding[] {
  return outcome.steps.faults.map(({ unit, step, before, why }) => ({
    rule: 'step-counter',
    kind: 'law' as const,
    certainty: 'confirmed' as const,
    severity: 'error' as const,
    tensor: unit.head.state.tensors.step ?? unit.key,
    role: 'step',
    ...(unit.head.state.parameter === null ? {} : { parameter: unit.head.state.parameter }),
    count: 1,
    values: { head: { step }, ...(before === null ? {} : { base: { step: before } }) },
    message: `${why}: it is ${step}${before === null ? '' : ` after ${before}`}`,
    next,
  }));
}

function pageFindings(outcome: ScanOutcome, next: string): Finding[] {
  return outcome.pages.flatMap(({ tensor, repeated, elementsPerPage }) => {
    const [first] = repeated;
    if (!first) return [];
    const index = first.page * elementsPerPage;
    return [
      {
        rule: 'no-repeated-pages',
        kind: 'law' as const,
        certainty: 'confirmed' as const,
        severity: severityOf(tensor),
        ...aboutTensor(tensor),
        ...placeOf(tensor, index),
        count: repeated.length,
        message:
          `page ${first.page} (elements from ${index}) repeats page ${first.of} (elements from ` +
          `${first.of * elementsPerPage}) bit for bit; in the base they differed`,
        next,
      },
    ];
  });
}

function factorFindings(outcome: ScanOutcome, next: string): Finding[] {
  return outcome.factors.flatMap(({ tensor, parameter, sides: { left, right } }) =>
    left <= right
      ? []
      : [
          {
            rule: 'factor-balance',
            kind: 'law' as const,
            certainty: 'confirmed' as const,
            severity: 'critical' as const,
            ...aboutTensor(tensor, parameter),
            count: 1,
            ...{ left, right, next },
            message: 'row and column factor of one second moment have different means',
          },
        ],
  );
}

const modelMessages = {
  'gradient-ledger':
    'the second moments of the whole model gained another sum than the logged gradients bring',
  'clip-bound': 'the moments of the whole model are larger than clipped gradients can make them',
} as const;

function modelFindings(outcome: ScanOutcome, next: string): Finding[] {
  return outcome.model.flatMap(({ law, sides: { left, right } }) =>
    left <= right
      ? []
      : [
          {
            rule: law,
            kind: 'law' as const,
            certainty: 'confirmed' as const,
            severity: 'critical' as const,
            count: 1,
            ...{ left, right, next },
            message: `${modelMessages[law]}; no tensor can be named from sums alone`,
          },
        ],
  );
}

const inBase = 'in the base: ';

/** Is it damage to the base’s own files? */
export function isAboutBase({ kind, severity, message }: Finding): boolean {
  const isAboutFiles = kind === 'structure' || kind === 'security';
  return isAboutFiles && severity !== 'info' && message.startsWith(inBase);
}

/** A problem of a file; `where` names the base when the file is the base's. */
export function problemFinding(problem: Problem, where: 'head' | 'base', next: string): Finding {
  const info = problem.kind === 'info';
  return {
    rule: problem.rule,
    kind: problem.kind === 'security' ? 'security' : 'structure',
    certainty: 'confirmed',
    severity: info ? 'info' : 'critical',
    file: problem.file,
    ...(problem.offset === undefined ? {} : { offset: problem.offset }),
    ...(problem.tensor === undefined ? {} : { tensor: problem.tensor }),
    count: 1,
    message: where === 'base' ? `${inBase}${problem.message}` : problem.message,
    next,
  };
}

/** Findings of a scan; a breach of everything at once is named as ancestry or declaration instead. */
export function scanFindings(
  outcome: ScanOutcome,
  tensors: readonly Tensor[],
  next: string,
): Finding[] {
  const ancestry = namesAncestry(outcome, next);
  const broken = outcome.laws.filter(
    ({ law, record }) => record.broken > 0 && !ancestry.explains.has(law.id),
  );
  const copies = outcome.copies.filter(
    (copy: CopyOutcome) => copy.record.different > 0 && !ancestry.explains.has(copy.reason),
  );
  const all = [
    ...ancestry.findings,
    ...finiteFindings(outcome, tensors, next),
    ...stepFindings(outcome, next),
    ...[
      ...pageFindings(outcome, next),
      ...factorFindings(outcome, next),
      ...modelFindings(outcome, next),
    ].filter(({ rule }) => !ancestry.explains.has(rule)),
    ...broken.map((each) => lawFinding(each, next)),
    ...copies.flatMap((each) => copyFinding(each, outcome, next)),
  ];
  return all;
}
