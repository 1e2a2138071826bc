/** Judges a law over arrays by its own definition: what an engine must agree with. */
import type { Constants, ElementLaw, LawContext, LineLaw, Operand } from '../../src/laws/law.ts';
import { formatOf } from '../../src/laws/rounding.ts';
import {
  emptyLawRecord,
  type LawRecord,
  mergeLawRecord,
  ratioOf,
} from '../../src/records/law-record.ts';

export type Arrays = Partial<Record<Operand, Float32Array>>;

const float32 = formatOf('f32') as NonNullable<ReturnType<typeof formatOf>>;
const bf16 = formatOf('bf16') as NonNullable<ReturnType<typeof formatOf>>;

/** A context for AdamW in float32 unless `given` says otherwise. */
export function lawContext(given: Record<string, unknown>): LawContext {
  const hull = (x: unknown) => (typeof x === 'number' ? [x, x] : x) as [number, number];
  const format = given.bf16 ? bf16 : float32;
  return {
    kind: 'adamw',
    eps: 1e-8,
    weightDecay: 0,
    rates: null,
    ratesUnknown: null,
    rate: null,
    betasUnknown: null,
    stepBase: null,
    stepHead: null,
    ownSteps: true,
    biasCorrection: true,
    hyper: {},
    shape: null,
    stateFormat: format,
    weightFormat: format,
    averaging: null,
    ...(given as Partial<LawContext>),
    beta1: hull(given.beta1),
    beta2: hull(given.beta2),
  };
}

export function judgeArrays(
  law: ElementLaw | LineLaw,
  constants: Constants,
  arrays: Arrays,
): LawRecord {
  return law.scope === 'element' ? elements(law, constants, arrays) : lines(law, constants, arrays);
}

function valuesAt(law: ElementLaw | LineLaw, arrays: Arrays, index: number): number[] {
  return law.operands.map((operand) => arrays[operand]?.[index] ?? Number.NaN);
}

function elements(law: ElementLaw, constants: Constants, arrays: Arrays): LawRecord {
  const record = emptyLawRecord(law.id);
  const length = Object.values(arrays)[0]?.length ?? 0;
  for (let index = 0; index < length; index++) {
    const values = valuesAt(law, arrays, index);
    const finite = law.operands.every((o, j) => !arrays[o] || Number.isFinite(values[j]));
    const part = emptyLawRecord(law.id);
    if (finite) {
      const { left, right } = law.sides(values, constants);
      part.judged = 1;
      part.broken = left <= right ? 0 : 1;
      part.worst = { index, left, right, ratio: ratioOf(left, right), values };
    } else part.notFinite = 1;
    mergeLawRecord(record, part);
  }
  return record;
}

function lines(law: LineLaw, constants: Constants, arrays: Arrays): LawRecord {
  const record = emptyLawRecord(law.id);
  const subject = law.subject(constants);
  const words = (name: 'A' | 'B') =>
    new Uint32Array((arrays[`${subject}${name}`] as Float32Array).buffer);
  const [base, head] = [words('A'), words('B')];
  for (let at = 0; at + 16 <= base.length; at += 16) {
    const relevant = Array.from({ length: 16 }, (_, i) =>
      law.relevant(valuesAt(law, arrays, at + i), constants),
    );
    const holds = law.judgeLine(base.slice(at, at + 16), head.slice(at, at + 16), relevant);
    if (holds === null) continue;
    record.judged += 16;
    if (holds) continue;
    record.broken += 1;
    record.worst ??= { index: at, left: 16, right: 0, ratio: Infinity, values: [] };
  }
  return record;
}
