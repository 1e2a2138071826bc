/** One damaged element for people: where it is, its numbers, its bits, and the flip that explains it. */
import type { Unit } from '../checkpoint/align.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import type { ElementLaw, Operand } from '../laws/law.ts';
import {
  bitWidth,
  type FloatType,
  fromBits,
  hexadecimal,
  isFloatType,
  toBits,
} from '../records/float-bits.ts';
import type { LawOutcome } from '../scan/scan.ts';
import { type Place, placeOf } from './place.ts';
import type { Finding } from './result.ts';

const words: Readonly<Record<string, string>> = {
  w: 'weight',
  m: 'first_moment',
  v: 'second_moment',
  x: 'max_second_moment',
  g: 'gradient',
  b: 'momentum',
  e: 'average',
  s: 'value',
};

type Values = Readonly<Record<string, number>>;

/** Operand values by end and by name. */
function valuesOf(
  law: ElementLaw,
  values: readonly number[],
  present: ReadonlySet<Operand>,
): { base: Values; head: Values } {
  const ends: { base: Record<string, number>; head: Record<string, number> } = {
    base: {},
    head: {},
  };
  law.operands.forEach((operand, i) => {
    if (!present.has(operand)) return;
    const end = operand.endsWith('A') ? ends.base : ends.head;
    end[words[operand[0] as string] as string] = values[i] as number;
  });
  return ends;
}

export interface Flip {
  readonly operand: Operand;
  readonly bit: number;
  readonly value: number;
  /** How far the value before the flip is from the base's, relative. */
  readonly distance: number;
}

function partnerOf(law: ElementLaw, operand: Operand): number {
  return law.operands.indexOf(operand.replace('B', 'A') as Operand);
}

/** The single flip of one head operand that makes the law hold and lies nearest to the base. */
function flipOf(
  outcome: LawOutcome & { law: ElementLaw },
  operand: Operand,
  dtype: FloatType,
): Flip | null {
  const { law, constants, record } = outcome;
  const values = [...(record.worst?.values ?? [])];
  const at = law.operands.indexOf(operand);
  const before = partnerOf(law, operand);
  if (at < 0 || before < 0 || before === at) return null;
  const base = values[before] as number;
  const bits = toBits(values[at] as number, dtype);
  let best: Flip | null = null;
  for (let bit = 0; bit < bitWidth(dtype); bit++) {
    const value = fromBits(bits ^ (1n << BigInt(bit)), dtype);
    if (!Number.isFinite(value)) continue;
    values[at] = value;
    const { left, right } = law.sides(values, constants);
    if (!(left <= right)) continue;
    const distance = Math.abs(value - base) / (Math.abs(base) + Number.MIN_VALUE);
    if (!best || distance < best.distance) best = { operand, bit, value, distance };
  }
  return best;
}

/** A flip explains an element when the value before it is within a factor of two of the base's. */
const explainedWithin = 1;

/** Tensors of a unit by operand, those of `wanted` alone; state that had not stepped is left out. */
export function unitTensors(unit: Unit, wanted: readonly Operand[]): Map<Operand, Tensor> {
  const { weight, first, second, maximum, momentum, average, gradient } = unit;
  const ends = { w: weight, m: first, v: second, x: maximum, b: momentum, e: average } as const;
  const found = new Map<Operand, Tensor>();
  for (const operand of wanted) {
    const side = ends[operand[0] as keyof typeof ends];
    const tensor = operand === 'gB' ? gradient : operand.endsWith('A') ? side?.base : side?.head;
    if (tensor) found.set(operand, tensor);
  }
  return found;
}

/** Head tensors of a unit by operand. */
function headTensors(outcome: LawOutcome): Map<Operand, Tensor> {
  if (!outcome.unit) return new Map([['sB', outcome.subject]]);
  const { weight, first, second, maximum, momentum, average, gradient } = outcome.unit;
  const all: [Operand, Tensor | null][] = [
    ['wB', weight.head],
    ['mB', first.head],
    ['vB', second.head],
    ['xB', maximum.head],
    ['bB', momentum.head],
    ['eB', average.head],
    ['gB', gradient],
  ];
  return new Map(all.filter((entry): entry is [Operand, Tensor] => entry[1] !== null));
}

export interface ElementView {
  readonly tensor: Tensor;
  readonly parts: Place & Pick<Finding, 'values' | 'bits'>;
  readonly flip: Flip | null;
}

/** Everything a finding says about the worst element of a broken law. */
export function describeElement(outcome: LawOutcome): ElementView | null {
  const { law, record, subject } = outcome;
  const worst = record.worst;
  if (law.scope !== 'element' || !worst) return null;
  const narrowed = { ...outcome, law };
  const tensors = headTensors(outcome);
  const flips = [...tensors].flatMap(([operand, tensor]) => {
    if (!law.operands.includes(operand) || !isFloatType(tensor.dtype)) return [];
    const flip = flipOf(narrowed, operand, tensor.dtype);
    return flip && flip.distance <= explainedWithin ? [flip] : [];
  });
  flips.sort((a, b) => a.distance - b.distance);
  const flip = flips[0] ?? null;
  const tensor = (flip && tensors.get(flip.operand)) ?? subject;
  const present = new Set<Operand>(law.operands.filter((_, i) => !Number.isNaN(worst.values[i])));
  return {
    tensor,
    flip,
    parts: {
      ...placeOf(tensor, worst.index),
      values: valuesOf(law, worst.values, present),
      ...bitsOf({ law, values: worst.values, tensor, tensors, flip }),
    },
  };
}

function bitsOf(view: {
  law: ElementLaw;
  values: readonly number[];
  tensor: Tensor;
  tensors: ReadonlyMap<Operand, Tensor>;
  flip: Flip | null;
}): Pick<Finding, 'bits'> {
  const { law, values, tensor, tensors, flip } = view;
  const operand = [...tensors].find(([, each]) => each === tensor)?.[0];
  if (operand === undefined || !isFloatType(tensor.dtype)) return {};
  const dtype = tensor.dtype;
  const shown = (index: number) =>
    hexadecimal(toBits(values[index] as number, dtype), bitWidth(dtype));
  const at = law.operands.indexOf(operand);
  const before = partnerOf(law, operand);
  if (at < 0) return {};
  return {
    bits: {
      head: shown(at),
      ...(before >= 0 && before !== at ? { base: shown(before) } : {}),
      ...(flip ? { flip: flip.bit } : {}),
    },
  };
}
