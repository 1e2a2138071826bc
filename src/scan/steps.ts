/** Step counters of a pair: are they counters, did they go on, and are these two copies of one step? */
import type { Alignment, Unit } from '../checkpoint/align.ts';
import type { CoverageTally } from './coverage.ts';
import type { Pair } from './law-context.ts';

export interface CounterFault {
  readonly unit: Unit;
  readonly step: number;
  /** The base's counter, where the fault is that it went backwards. */
  readonly before: number | null;
  readonly why: string;
}

export interface StepReport {
  readonly faults: readonly CounterFault[];
  /** Base and head are two copies of one step. */
  readonly sameStep: boolean;
  /**
   * The trainer's own step says so too. Where counters of optimizers alone do, a step may lie between
   * the copies that was gathered or skipped: it moved statistics and gathered gradients.
   */
  readonly sameTrainer: boolean;
  /** Every counter went backwards: another ancestry, not damage. */
  readonly backwards: boolean;
}

/** Float32 counters stop here: 2^24 + 1 is itself. */
const float32CounterEnd = 2 ** 24;

function fault(unit: Unit): string | null {
  const { step, stepDtype } = unit.head.state;
  if (step === null) return null;
  if (!Number.isInteger(step)) return 'a step counter is a whole number';
  if (step < 0) return 'a step counter is never negative';
  if (stepDtype === 'f32' && step >= float32CounterEnd)
    return 'a float32 counter stands still from 2^24 on';
  return null;
}

function ends(unit: Unit): { head: number; base: number } | null {
  const head = unit.head.state.step;
  const base = unit.base?.state.step ?? null;
  return head === null || base === null ? null : { head, base };
}

/** Judges counters, and tells the two questions that decide which other laws may run. */
export function judgeSteps(alignment: Alignment, pair: Pair, coverage: CoverageTally): StepReport {
  const counted = alignment.units.filter((unit) => unit.head.state.step !== null);
  coverage.judged('step-counter', counted.length);
  const faults: CounterFault[] = [];
  for (const unit of counted) {
    const why = fault(unit);
    if (why !== null)
      faults.push({ unit, step: unit.head.state.step as number, before: null, why });
  }
  const pairs = alignment.units.flatMap((unit) => {
    const both = ends(unit);
    return both && both.base > 0 ? [{ unit, ...both }] : [];
  });
  const fell = pairs.filter(({ head, base }) => head < base);
  const trainer = { head: pair.head.step, base: pair.base?.step ?? null };
  const trainerFell = trainer.head !== null && trainer.base !== null && trainer.head < trainer.base;
  const backwards = pairs.length > 0 ? fell.length === pairs.length : trainerFell;
  if (!backwards) {
    for (const { unit, head, base } of fell) {
      faults.push({
        unit,
        step: head,
        before: base,
        why: 'this counter went backwards while others did not',
      });
    }
  }
  const sameTrainer = trainer.head !== null && trainer.head === trainer.base;
  const unsaid = pair.base !== null && (trainer.head === null || trainer.base === null);
  const standing = pairs.every(({ head, base }) => head === base);
  const sameStep = standing && (sameTrainer || (unsaid && pairs.length > 0));
  return { faults, sameStep, sameTrainer: sameStep && sameTrainer, backwards };
}
