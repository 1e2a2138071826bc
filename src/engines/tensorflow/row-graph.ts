/**
 * What the graphs share: rows of 1,024 elements, decoded from the words that the host hands over.
 * Words are compared as float64: TensorFlow flushes subnormal floats to zero, so what an element is
 * must be read off its bits.
 */
import { blockElements } from '../../records/grid.ts';
import type { Graph, Value } from './graph.ts';

/** The types that TensorFlow takes; every other one is left to WebAssembly. */
export type DeviceType = 'f32' | 'bf16' | 'f16';

interface Coding {
  /** int32 words of one row. */
  readonly words: number;
  /** Of the bits without sign: the first that is not finite, and the first normal one. */
  readonly infinity: number;
  /** 1 where TensorFlow reads subnormals as they are: float16's are normal float32. */
  readonly smallest: number;
  readonly sizeMask: number;
}

export const codings: Readonly<Record<DeviceType, Coding>> = {
  f32: {
    words: blockElements,
    infinity: 0x7f800000,
    smallest: 0x00800000,
    sizeMask: 0x7fffffff,
  },
  bf16: { words: blockElements / 2, infinity: 0x7f80, smallest: 0x80, sizeMask: 0x7fff },
  f16: { words: blockElements / 2, infinity: 0x7c00, smallest: 1, sizeMask: 0x7fff },
};

/** Elements of one row, in the forms that graphs read. */
export interface Row {
  readonly coding: Coding;
  /** int32: the element's code, upper half zero for 16-bit types. */
  readonly code: Value;
  /** float64: the code without its sign, which orders as |x| does. */
  readonly size: Value;
  /** int32: the bits of the element's float32 value. */
  readonly float32: Value;
  /** float64: the element's value; 0 for a subnormal that TensorFlow flushes. */
  readonly value: Value;
}

/** Decodes an int32 input of shape [rows, words]. */
export function decodeRow(graph: Graph, input: Value, type: DeviceType): Row {
  const coding = codings[type];
  const wide = (value: Value) => graph.reshape(value, [-1, blockElements]);
  let code = input;
  let float32 = input;
  if (type !== 'f32') code = wide(graph.cast(graph.bitcast(input, 'uint16'), 'int32'));
  if (type === 'bf16') float32 = graph.calculate('shiftLeft', code, graph.integer(16));
  if (type === 'f16') {
    const halves = wide(graph.bitcast(input, 'float16'));
    float32 = graph.bitcast(graph.cast(halves, 'float32'), 'int32');
  }
  const size = graph.calculate('bitAnd', code, graph.integer(coding.sizeMask));
  return {
    coding,
    code,
    size: graph.cast(size, 'float64'),
    float32,
    value: graph.cast(graph.bitcast(float32, 'float32'), 'float64'),
  };
}

/**
 * Two numbers a row that tell whether the host must look at it: the largest size, and the largest
 * below the smallest normal one (0 where there is none).
 */
export function screenRow(graph: Graph, { size, coding }: Row): readonly [Value, Value] {
  const zero = graph.real(0);
  const isSmall = graph.compare('Less', size, graph.real(coding.smallest));
  const small = graph.choose(isSmall, size, zero);
  return [graph.reduce('most', size, 1), graph.reduce('most', small, 1)];
}
