/** The graph of one law: for each row how many elements it proves healthy, and the largest ratio. */
import { Graph, type Value } from './graph.ts';
import type { LawFormula } from './law-formulas.ts';
import { codings, type DeviceType, decodeRow } from './row-graph.ts';

/**
 * The last bits of a quotient or a logarithm may differ between devices: what is closer to the limit
 * than this share of it counts as unproven.
 */
const margin = 2 ** -40;

/** Ratios above this share of another one may be larger than it. */
export const ratioMargin = 1 - 2 ** -36;

/**
 * The model of a law on operands of these types, in the formula's order. Signature `law`: an input
 * for each operand under its name, and `constants`, pairs of int32; `rows` are proven elements and
 * the largest ratio that is above 0, else 0.
 */
export function lawModel(formula: LawFormula, types: readonly DeviceType[]): Uint8Array {
  const graph = new Graph();
  const inputs: Record<string, Value> = {};
  const element = formula.operands.map((operand, i) => {
    const type = types[i] as DeviceType;
    const bits = graph.input(operand, 'int32', [-1, codings[type].words]);
    inputs[operand] = bits;
    return decodeRow(graph, bits, type).value;
  });
  const words = graph.input('constants', 'int32', [formula.constants.length, 2]);
  const fed = graph.unpack(graph.bitcast(words, 'float64'), formula.constants.length, 0);
  const constants = Object.fromEntries(formula.constants.map((name, i) => [name, fed[i] as Value]));
  const { left, right } = formula.sides(graph, element, constants);
  const share = (factor: number) => graph.calculate('mul', right, graph.real(factor));
  // Of a negative limit the smaller one is farther from 0.
  const limit = graph.calculate('min', share(1 - margin), share(1 + margin));
  const proven = graph.count(graph.compare('LessEqual', left, limit));
  const ratio = graph.calculate('div', left, right);
  const zero = graph.real(0);
  // A comparison, because what a maximum makes of NaN depends on the kernel.
  const known = graph.choose(graph.compare('Less', zero, ratio), ratio, zero);
  const rows = graph.asWords(graph.pack([proven, graph.reduce('most', known, 1)], 0));
  graph.sign('law', { ...inputs, constants: words }, { rows });
  return graph.encode();
}
