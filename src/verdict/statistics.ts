/** Suspicions of a pair: what is handed to them from a scan, and their findings in the result's words. */
import type { Unit } from '../checkpoint/align.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import type { ScanOutcome } from '../scan/scan.ts';
import type { SuspicionFinding } from '../suspicions/finding.ts';
import { type Judgement, judgeValidation } from '../suspicions/judge-validation.ts';
import type { RunMemory } from '../suspicions/run-memory.ts';
import type { Group } from '../suspicions/suspicion.ts';
import type { JudgedTensor } from '../suspicions/validation.ts';
import { aboutTensor } from './about.ts';
import { placeOf } from './place.ts';
import type { Finding } from './result.ts';

const groups: Readonly<Record<string, Group>> = {
  parameter: 'weight',
  master: 'weight',
  'first-moment': 'first',
  momentum: 'first',
  'second-moment': 'second',
  'max-second-moment': 'second',
  buffer: 'buffer',
};

/** Names of 16-bit copies: their masters are judged instead. */
function copiesOf(units: readonly Unit[]): ReadonlySet<string> {
  return new Set(units.flatMap(({ copy }) => (copy ? [copy.name] : [])));
}

/** Parameter of each tensor; of factored second moments too, which no law compares element by element. */
function unitKeys(units: readonly Unit[], tensors: readonly Tensor[]): ReadonlyMap<string, string> {
  const moments = tensors.filter(({ role }) => role === 'second-moment');
  const factors = new Set(moments.map(({ name }) => name));
  const keys = new Map<string, string>();
  for (const unit of units) {
    for (const name of Object.values(unit.head.state.tensors)) {
      if (factors.has(name)) keys.set(name, unit.key);
    }
    for (const { head } of [unit.weight, unit.first, unit.second, unit.maximum, unit.momentum]) {
      if (head) keys.set(head.name, unit.key);
    }
  }
  return keys;
}

/** Tensors on which a law is broken: they are judged, and teach nothing. */
function distrustedOf(outcome: ScanOutcome): ReadonlySet<string> {
  const broken = outcome.laws.filter(({ record }) => record.broken > 0);
  return new Set(
    broken.flatMap(({ law, subject, unit }) => [
      subject.name,
      // An average says nothing against the weights that it follows.
      ...(unit && !(law.scope === 'element' && law.about === 'e')
        ? [unit.weight, unit.first, unit.second]
        : []
      ).flatMap(({ head }) => (head ? [head.name] : [])),
    ]),
  );
}

function judgedTensors(outcome: ScanOutcome, tensors: readonly Tensor[]): JudgedTensor[] {
  const { units } = outcome.alignment;
  const copies = copiesOf(units);
  const keys = unitKeys(units, tensors);
  const distrusted = distrustedOf(outcome);
  const partners = new Map<string, string>();
  for (const unit of units) {
    for (const { head, base } of [
      unit.weight,
      unit.first,
      unit.second,
      unit.maximum,
      unit.momentum,
    ]) {
      if (head && base && base.placement.kind !== 'zeros') partners.set(head.name, base.name);
    }
  }
  for (const { head, base } of outcome.alignment.singles)
    if (head && base) partners.set(head.name, base.name);
  return tensors.flatMap((tensor) => {
    const record = outcome.summaries.head.get(tensor.name);
    if (!record) return [];
    const partner = partners.get(tensor.name) ?? '';
    return [
      {
        name: tensor.name,
        unit: keys.get(tensor.name) ?? null,
        group: copies.has(tensor.name) ? null : (groups[tensor.role] ?? null),
        rows: tensor.shape.length > 1 ? (tensor.shape[0] as number) : 0,
        record,
        pair: outcome.movements.get(keys.get(tensor.name) ?? '') ?? null,
        before: outcome.summaries.base.get(partner) ?? null,
        digest: outcome.digests.head.get(tensor.name) ?? null,
        growth: outcome.growths.get(tensor.name) ?? null,
        digestBefore: outcome.digests.base.get(partner) ?? null,
        distrusted: distrusted.has(tensor.name),
      },
    ];
  });
}

function firstBeta(units: readonly Unit[]): number | null {
  for (const { head } of units) {
    const { betas, momentum } = head.group?.hyper ?? {};
    const value = Array.isArray(betas) ? betas[0] : momentum;
    if (typeof value === 'number') return value;
  }
  return null;
}

function findingOf(
  finding: SuspicionFinding,
  tensors: ReadonlyMap<string, Tensor>,
  next: string,
): Finding {
  const tensor = finding.tensor === null ? null : (tensors.get(finding.tensor) ?? null);
  const also = finding.others.map(({ rule }) => rule);
  const place = tensor && finding.element !== null ? placeOf(tensor, finding.element) : {};
  return {
    rule: finding.rule,
    kind: 'statistics',
    certainty: 'suspected',
    severity: finding.severity,
    ...(finding.bits === null ? {} : { evidence_bits: finding.bits }),
    ...(tensor ? aboutTensor(tensor) : {}),
    ...place,
    count: 1,
    left: finding.value,
    right: finding.reference,
    message: `${finding.message}${also.length > 0 ? ` (also ${[...new Set(also)].join(', ')})` : ''}`,
    next,
  };
}

export interface Statistics {
  readonly findings: readonly Finding[];
  readonly judgement: Judgement;
}

/** Judges a scan against what is remembered of its run (an empty memory: the exact rules alone). */
export function judgeStatistics(
  outcome: ScanOutcome,
  about: {
    readonly tensors: readonly Tensor[];
    readonly step: number | null;
    readonly baseStep: number | null;
    readonly memory: RunMemory;
    readonly next: string;
  },
): Statistics {
  const { tensors, step, baseStep, memory, next } = about;
  const judgement = judgeValidation(memory, {
    step,
    ...(baseStep === null ? {} : { baseStep }),
    beta1: firstBeta(outcome.alignment.units),
    tensors: judgedTensors(outcome, tensors),
  });
  const named = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  return { findings: judgement.findings.map((each) => findingOf(each, named, next)), judgement };
}
