/** The graphs of the summary: what they return for each row, and for all rows together. */
import { blockElements, sumChains } from '../../records/grid.ts';
import { Graph, type Value } from './graph.ts';
import { codings, type DeviceType, decodeRow, type Row, screenRow } from './row-graph.ts';

/** Numbers of a row of float32, in the order of the model's first output. */
export const float32Fields = 7;
/** Numbers of a row of a 16-bit type. */
export const halfFields = 2;

const laneCount = 32;

/**
 * Σ of each row, given its terms negated, in the one order of every engine: 8 chains of 128, then joined
 * two by two. Links are subtracted because TensorFlow's optimizer makes of many additions one that
 * has another order.
 */
function sumRows(graph: Graph, negated: Value): Value {
  const links = blockElements / sumChains;
  const rows = graph.reshape(negated, [-1, links, sumChains]);
  let chains = graph.real(0);
  for (const link of graph.unpack(rows, links, 1)) chains = graph.calculate('sub', chains, link);
  for (let width = sumChains / 2; width >= 1; width /= 2) {
    const pairs = graph.reshape(chains, [-1, width, 2]);
    const [left, right] = graph.unpack(pairs, 2, 2) as [Value, Value];
    chains = graph.calculate('add', left, right);
  }
  return graph.reshape(chains, [-1]);
}

/** Joins all elements of a lane of each row by a bit operation. */
function joinLanes(graph: Graph, op: 'bitAnd' | 'bitOr', bits: Value): Value {
  let joined = bits;
  for (let width = blockElements / 2; width >= laneCount; width /= 2) {
    const halves = graph.reshape(joined, [-1, 2, width]);
    const [left, right] = graph.unpack(halves, 2, 1) as [Value, Value];
    joined = graph.calculate(op, left, right);
  }
  return joined;
}

/** Of the nonzero finite elements: OR and AND a row and lane, and their number a lane. */
function lanesOf(graph: Graph, { coding, float32, size }: Row) {
  const isOrdinary = graph.compare('Less', size, graph.real(coding.infinity));
  const counts = graph.both(isOrdinary, graph.compare('Less', graph.real(0), size));
  const or = joinLanes(graph, 'bitOr', graph.choose(counts, float32, graph.integer(0)));
  const and = joinLanes(graph, 'bitAnd', graph.choose(counts, float32, graph.integer(-1)));
  const lanes = graph.reshape(graph.cast(counts, 'float64'), [-1, laneCount]);
  return { or, and, counted: graph.asWords(graph.reduce('sum', lanes, 0)) };
}

function buildFloat32(graph: Graph, row: Row, bits: Value): void {
  const { size, value, coding } = row;
  const zeros = graph.count(graph.compare('Equal', size, graph.real(0)));
  const small = graph.count(graph.compare('Less', size, graph.real(coding.smallest)));
  const largest = graph.reduce('most', size, 1);
  const negative = graph.calculate('sub', graph.real(0), value);
  const fields = [
    ...[zeros, small, largest],
    ...[graph.reduce('least', value, 1), graph.reduce('most', value, 1)],
    ...[sumRows(graph, negative), sumRows(graph, graph.calculate('mul', value, negative))],
  ];
  const stride = graph.input('stride', 'int32', [1]);
  // The exponent field, exact as a float64, rounded towards 0.
  const counted = graph.everyRow(size, stride);
  const exponents = graph.cast(graph.calculate('mul', counted, graph.real(2 ** -23)), 'int32');
  const octaves = graph.occurrences(graph.reshape(exponents, [-1]), 256);
  const rows = graph.asWords(graph.pack(fields, 0));
  graph.sign('summary', { bits, stride }, { rows, octaves, ...lanesOf(graph, row) });
}

function buildHalf(graph: Graph, row: Row, bits: Value): void {
  const { size, code, coding } = row;
  const isOrdinary = graph.compare('Less', size, graph.real(coding.infinity));
  const largest = graph.reduce('most', graph.choose(isOrdinary, size, graph.real(-1)), 1);
  const rows = graph.asWords(graph.pack([largest, graph.count(isOrdinary)], 0));
  const codes = graph.occurrences(graph.reshape(code, [-1]), 65_536);
  graph.sign('summary', { bits }, { rows, codes, ...lanesOf(graph, row) });
}

/**
 * The model of one type. Signatures:
 * - `summary`: `rows` of float32 are zeros, elements below the normal ones, largest size, least and
 *   largest value, Σx, Σx²; of 16-bit types the largest finite size (−1: none) and the finite
 *   elements. `or`, `and` a row and lane; `counted` a lane; `octaves` of every `stride`-th row, or
 *   `codes`, of all.
 * - `screen`: `rows` as `screenRow` says.
 * float64 leaves as pairs of int32.
 */
export function summaryModel(type: DeviceType): Uint8Array {
  const graph = new Graph();
  const bits = graph.input('bits', 'int32', [-1, codings[type].words]);
  const row = decodeRow(graph, bits, type);
  if (type === 'f32') buildFloat32(graph, row, bits);
  else buildHalf(graph, row, bits);
  const screened = graph.asWords(graph.pack(screenRow(graph, row), 0));
  graph.sign('screen', { bits }, { rows: screened });
  return graph.encode();
}
