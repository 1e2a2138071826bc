/** Judges a pair by every law that binds to its context, through the law's own definition. */
import type { Constants, ElementLaw, LineLaw, Operand } from '../../src/laws/law.ts';
import { laws } from '../../src/laws/laws.ts';
import { kindOf, lineLength, repeats } from './gradients.ts';
import { describe } from './setting.ts';
import type { Part, State } from './state.ts';
import type { Count, Tally } from './tally.ts';
import type { Pair } from './trial.ts';

/** What may be changed about a bound law before it judges, to prove that the fuzz can fail. */
export type Adjust = (law: string, constants: Constants, pair: Pair) => Constants | null;

const unchanged: Adjust = (_law, constants) => constants;

/** Laws about tensors that no trial has. */
const absent: ReadonlySet<string> = new Set(['running-variance', 'block-scale']);

/** Breaches of each law that are written out in full. */
const shown = 5;

const parts: Readonly<Record<string, Part>> = { w: 'w', m: 'm', v: 'v', x: 'x', b: 'b', g: 'g' };

/** The arrays behind a law's operands, null where the optimizer keeps none. */
function streams(operands: readonly Operand[], pair: Pair): (Float32Array | null)[] {
  return operands.map((operand) => {
    const part = parts[operand.slice(0, -1)];
    if (part === undefined || !pair.setting.recipe.keeps.includes(part)) return null;
    return (operand.endsWith('A') ? pair.base : pair.head)[part];
  });
}

/** Does the sweep have what the law cannot do without? AMSGrad's maximum alone may be missing. */
function present(law: ElementLaw, found: readonly (Float32Array | null)[]): boolean {
  const { kinds } = law;
  return found.every(
    (stream, j) => stream !== null || (!kinds && law.operands[j]?.startsWith('x')),
  );
}

export function judgePair(pair: Pair, tally: Tally, adjust: Adjust = unchanged): void {
  const k = (pair.context.stepHead as number) - (pair.context.stepBase as number);
  for (const law of laws) {
    if (law.scope === 'record' || absent.has(law.id)) continue;
    if (law.scope === 'element' && law.kinds?.has(pair.setting.recipe.kind) === false) continue;
    if (law.scope === 'element' && law.except?.has(pair.setting.recipe.kind)) continue;
    if (law.scope === 'element' && law.oneStep && k !== 1) continue;
    const count = tally.of(law.id);
    const binding = law.bind(pair.context);
    const constants = binding.kind === 'bound' ? adjust(law.id, binding.constants, pair) : null;
    if (constants === null) count.refused += 1;
    else if (law.scope === 'element') judgeElements({ law, constants, pair, count, tally });
    else if (standsInFloat32(pair)) judgeLines({ law, constants, pair, count, tally });
  }
}

interface Case<L> {
  readonly law: L;
  readonly constants: Constants;
  readonly pair: Pair;
  readonly count: Count;
  readonly tally: Tally;
}

function judgeElements({ law, constants, pair, count, tally }: Case<ElementLaw>): void {
  const found = streams(law.operands, pair);
  if (!present(law, found)) return;
  const values = new Float64Array(found.length).fill(Number.NaN);
  const length = pair.base.w.length;
  for (let i = 0; i < length; i++) {
    let finite = true;
    for (let j = 0; j < found.length; j++) {
      const stream = found[j];
      if (!stream) continue;
      const value = stream[i] as number;
      values[j] = value;
      if (value - value !== 0) finite = false;
    }
    if (!finite) {
      count.notFinite += 1;
      continue;
    }
    const { left, right } = law.sides(values, constants);
    count.judged += 1;
    const ratio = left / right;
    if (right > 0 && ratio > count.ratio) count.ratio = ratio;
    if (left <= right) continue;
    count.broken += 1;
    if (count.broken <= shown) {
      tally.breaches.push(
        report(
          law.id,
          pair,
          `[${i}] ${kindOf(i)}: ${left} ≤ ${right}; ${law.operands} = ${values}`,
        ),
      );
    }
  }
}

/** Lines are judged in tensors whose weights and state are float32 bit for bit. */
function standsInFloat32({ setting }: Pair): boolean {
  return !setting.recipe.bf16 && setting.stored === 'float32';
}

function judgeLines({ law, constants, pair, count, tally }: Case<LineLaw>): void {
  const found = streams(law.operands, pair);
  const values = new Float64Array(found.length).fill(Number.NaN);
  const relevant: boolean[] = new Array(lineLength).fill(false);
  for (const [subject, name] of (['w', 'm', 'v'] as const).entries()) {
    if (!pair.setting.recipe.keeps.includes(name)) continue;
    if (law.needsMoments && !pair.setting.recipe.keeps.includes('mv')) continue;
    const bound = { ...constants, subject };
    const [base, head] = [words(pair.base, name), words(pair.head, name)];
    for (let start = 0; start < base.length; start += lineLength) {
      if (repeats(start / lineLength)) continue;
      for (let i = 0; i < lineLength; i++) {
        for (let j = 0; j < found.length; j++) values[j] = found[j]?.[start + i] ?? Number.NaN;
        relevant[i] = law.relevant(values, bound);
      }
      const holds = law.judgeLine(
        base.subarray(start, start + lineLength),
        head.subarray(start, start + lineLength),
        relevant,
      );
      if (holds === null) continue;
      count.judged += 1;
      if (holds) continue;
      count.broken += 1;
      if (count.broken <= shown)
        tally.breaches.push(report(law.id, pair, `line of ${name} at [${start}] ${kindOf(start)}`));
    }
  }
}

function words(state: State, part: Part): Uint32Array {
  return new Uint32Array(state[part].buffer);
}

function report(law: string, { setting, context }: Pair, what: string): string {
  return `${law} ${context.stepBase} → ${context.stepHead} ${what}\n    ${describe(setting)}`;
}
