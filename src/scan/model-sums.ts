/** Laws about the whole model: gradient-ledger and clip-bound, from the sums that summaries hold. */
import type { Alignment, Unit } from '../checkpoint/align.ts';
import type { Sides } from '../laws/law.ts';
import { clipBoundSides, gradientLedgerSides } from '../laws/ledger.ts';
import { splitsGradients } from '../laws/optimizer-kinds.ts';
import { type LogLine, type TrainingLog, windowLines } from '../logs/training-log.ts';
import { nonFiniteCount, type SummaryRecord } from '../records/summary.ts';
import type { CoverageTally } from './coverage.ts';
import { lawContexts, type Pair } from './law-context.ts';
import { judgeMomentumClip } from './momentum-clip.ts';
import type { ScanOptions } from './options.ts';

export interface ModelOutcome {
  readonly law: 'gradient-ledger' | 'clip-bound';
  readonly sides: Sides;
  readonly elements: number;
}

export interface Summaries {
  readonly head: ReadonlyMap<string, SummaryRecord>;
  readonly base: ReadonlyMap<string, SummaryRecord>;
}

export interface ModelScan {
  readonly alignment: Alignment;
  readonly pair: Pair;
  readonly options: ScanOptions;
  readonly summaries: Summaries;
  readonly coverage: CoverageTally;
  /** Why no pair law can run; null where they can. */
  readonly pairRefusal: string | null;
}

interface Known {
  readonly units: readonly Unit[];
  readonly beta1: number;
  readonly beta2: number;
}

/** Their gradient is the logged one: no L2 term was added to it after its norm was taken. */
function addsDecay(unit: Unit): boolean {
  const { optimizer, group } = unit.head;
  const decay = group?.hyper.weight_decay;
  return !/^(adamw|amsgrad|lamb)$/.test(optimizer.kind ?? '') && decay !== 0;
}

/** Their moments are those of the gradients that they are handed. */
const adamMoments = /^(adamw?|adam-or-adamw|amsgrad|nadam|radam)$/;

/** What both laws need of every parameter alike; a sentence where one of them breaks it. */
function known({ alignment, pair, options }: ModelScan, kinds = adamMoments): Known | string {
  const units = alignment.units.filter((unit) => unit.second.head !== null);
  let beta1: number | null = null;
  let beta2: number | null = null;
  for (const unit of units) {
    if (unit.first.head?.dtype !== 'f32' || unit.second.head?.dtype !== 'f32')
      return 'state is not float32';
    if (addsDecay(unit)) return 'L2 decay is added to the gradient';
    const contexts = lawContexts(unit, pair, options);
    const context = typeof contexts === 'string' ? null : contexts[0];
    if (!context?.beta1 || !context.beta2 || context.beta1[0] !== context.beta1[1])
      return 'betas unknown or scheduled';
    if (!context.kind) return 'optimizer class unknown';
    if (!kinds.test(context.kind)) return `no law about sums for ${context.kind}`;
    const split = splitsGradients(context);
    if (split !== null) return split;
    if ((beta1 ?? context.beta1[0]) !== context.beta1[0]) return 'betas differ between groups';
    if ((beta2 ?? context.beta2[0]) !== context.beta2[0]) return 'betas differ between groups';
    beta1 = context.beta1[0];
    beta2 = context.beta2[0];
  }
  if (beta1 === null || beta2 === null) return 'no second moments';
  return { units, beta1, beta2 };
}

function finiteSum(
  records: readonly (SummaryRecord | undefined)[],
  of: 'sum' | 'sumSquares',
): number | null {
  let sum = 0;
  for (const record of records) {
    if (!record || nonFiniteCount(record) > 0) return null;
    sum += record[of];
  }
  return sum;
}

/** Norms of the window, and whether they are those after clipping. */
function normsOf(
  lines: readonly LogLine[],
  clip: number | undefined,
): { norms: number[]; isExact: boolean } | string {
  const norms: number[] = [];
  let isExact = true;
  for (const { gradNorm, gradNormClipped } of lines) {
    const raw = gradNormClipped ?? gradNorm;
    if (raw === null || !Number.isFinite(raw)) return 'the log has no gradient norms';
    const clipped = gradNormClipped ?? (clip === undefined ? null : clippedNorm(raw, clip));
    if (clipped === null) isExact = false;
    norms.push(clipped ?? raw);
  }
  return { norms, isExact };
}

/** As torch clips: the norm is scaled by min(1, c/(n + 1e-6)). */
function clippedNorm(norm: number, clip: number): number {
  return Math.min(norm, (norm * clip) / (norm + 1e-6));
}

function ledger(scan: ModelScan, log: TrainingLog): Sides | string {
  const { pair, options, summaries, alignment } = scan;
  const window = { after: pair.base?.step ?? null, upTo: pair.head.step };
  const lines = windowLines(log, window);
  if (typeof lines === 'string') return lines;
  const shared = known(scan);
  if (typeof shared === 'string') return shared;
  for (const unit of alignment.units) {
    if (!unit.second.head) {
      if (Object.keys(unit.head.state.tensors).length > 0)
        return 'a parameter keeps no second moment';
      continue;
    }
    const own =
      (unit.head.state.step ?? Number.NaN) -
      (unit.unstepped ? 0 : (unit.base?.state.step ?? Number.NaN));
    if (own !== lines.length) return 'not every parameter took every step';
  }
  const found = normsOf(lines, options.clipNorm);
  if (typeof found === 'string') return found;
  const head = finiteSum(
    shared.units.map((unit) => summaries.head.get(unit.second.head?.name ?? '')),
    'sum',
  );
  const stepped = shared.units.filter((unit) => !unit.unstepped);
  const base = finiteSum(
    stepped.map((unit) => summaries.base.get(unit.second.base?.name ?? '')),
    'sum',
  );
  if (head === null || base === null) return 'a second moment is missing or not finite';
  const k = lines.length;
  const gained = (beta2: number) => head - beta2 ** k * base;
  return gradientLedgerSides({ gained, held: head + base, beta2: shared.beta2, ...found });
}

function clipped(scan: ModelScan, clip: number): Sides | string {
  // LAMB may clip once more by itself, which only makes its moments smaller.
  const shared = known(scan, /^(adamw?|adam-or-adamw|amsgrad|nadam|radam|lamb)$/);
  if (typeof shared === 'string') return shared;
  const steps = new Set(shared.units.map((unit) => unit.head.state.step));
  const [step] = steps;
  if (steps.size !== 1 || typeof step !== 'number') return 'not every parameter took every step';
  const { head } = scan.summaries;
  const firstSquares = finiteSum(
    shared.units.map((unit) => head.get(unit.first.head?.name ?? '')),
    'sumSquares',
  );
  const second = finiteSum(
    shared.units.map((unit) => head.get(unit.second.head?.name ?? '')),
    'sum',
  );
  if (firstSquares === null || second === null) return 'a moment is missing or not finite';
  return clipBoundSides({
    firstSquares,
    second,
    clip,
    step,
    beta1: shared.beta1,
    beta2: shared.beta2,
  });
}

/** Judges what a log or a declared clip norm makes possible. */
export function judgeModel(scan: ModelScan): ModelOutcome[] {
  const { options, coverage, alignment, summaries } = scan;
  const elements = alignment.units.reduce(
    (sum, unit) => sum + (unit.second.head?.elements ?? 0),
    0,
  );
  const outcomes: ModelOutcome[] = [];
  const keep = (law: ModelOutcome['law'], sides: Sides | string, judged = elements) => {
    if (typeof sides === 'string') coverage.unknown(law, judged, sides);
    else {
      coverage.judged(law, judged);
      outcomes.push({ law, sides, elements: judged });
    }
  };
  if (options.clipNorm !== undefined) {
    const { units } = alignment;
    for (const found of judgeMomentumClip(units, options.clipNorm, summaries.head))
      keep('clip-bound', found.sides, found.elements);
  }
  const others = alignment.units.filter((unit) => !unit.first.head && unit.second.head);
  // Another optimizer's second moments alone are not what these laws are about.
  if (elements === 0 || others.length > 0) return outcomes;
  if (options.clipNorm !== undefined) keep('clip-bound', clipped(scan, options.clipNorm));
  if (options.log && scan.pair.base)
    keep('gradient-ledger', scan.pairRefusal ?? ledger(scan, options.log));
  return outcomes;
}
