/**
 * TensorFlow's operations in plain TypeScript, as its reference defines them, so that our models run
 * where there is no TensorFlow. Like TensorFlow it reads subnormal float32 as 0.
 */
import { valuesOf } from '../../../src/engines/narrow-types.ts';
import type { Device, Inputs, Outputs } from '../../../src/engines/tensorflow/device.ts';
import { type ReadModel, type ReadNode, readSavedModel } from './saved-model-nodes.ts';

type Data = Float32Array | Float64Array | Int32Array | Uint8Array | Uint16Array;

interface Tensor {
  readonly type: number;
  readonly shape: readonly number[];
  readonly data: Data;
}

const arrays: Readonly<Record<number, new (source: number | ArrayBuffer) => Data>> = {
  1: Float32Array,
  2: Float64Array,
  3: Int32Array,
  10: Uint8Array,
  17: Uint16Array,
  19: Uint16Array,
};

function arrayOf(type: number, source: number | ArrayBuffer): Data {
  const Type = arrays[type];
  if (!Type) throw new Error(`no such type: ${type}`);
  return new Type(source);
}

const product = (sizes: readonly number[]) => sizes.reduce((all, size) => all * size, 1);
const at = (data: Data, i: number) => data[data.length === 1 ? 0 : i] as number;

function combine(
  type: number,
  inputs: readonly Tensor[],
  calculate: (...values: number[]) => number,
): Tensor {
  const largest = inputs.reduce((a, b) => (b.data.length > a.data.length ? b : a));
  const data = arrayOf(type, largest.data.length);
  const [a, b, c] = inputs.map((each) => each.data) as [Data, Data, Data];
  for (let i = 0; i < data.length; i++) {
    data[i] = calculate(at(a, i), b ? at(b, i) : 0, c ? at(c, i) : 0);
  }
  return { type, shape: largest.shape, data };
}

const arithmetic: Readonly<Record<string, (a: number, b: number) => number>> = {
  AddV2: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  RealDiv: (a, b) => a / b,
  Minimum: (a, b) => Math.min(a, b),
  Maximum: (a, b) => Math.max(a, b),
  BitwiseAnd: (a, b) => a & b,
  BitwiseOr: (a, b) => a | b,
  LeftShift: (a, b) => a << b,
  Abs: Math.abs,
  Sqrt: Math.sqrt,
  Log: Math.log,
};

const comparisons: Readonly<Record<string, (a: number, b: number) => number>> = {
  Less: (a, b) => Number(a < b),
  LessEqual: (a, b) => Number(a <= b),
  Equal: (a, b) => Number(a === b),
  LogicalAnd: (a, b) => a & b,
};

const folds: Readonly<Record<string, readonly [number, (a: number, b: number) => number]>> = {
  Sum: [0, (a, b) => a + b],
  Min: [Infinity, (a, b) => Math.min(a, b)],
  Max: [-Infinity, (a, b) => Math.max(a, b)],
};

function cast({ type, shape, data }: Tensor, to: number): Tensor {
  const read = (value: number) => {
    if (type === 19) return valuesOf('f16')[value] as number;
    return type === 1 && Math.abs(value) < 2 ** -126 ? 0 : value;
  };
  return { type: to, shape, data: arrayOf(to, data.length).map((_, i) => read(at(data, i))) };
}

function bitcast({ shape, data }: Tensor, to: number): Tensor {
  const copy = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  const found = arrayOf(to, copy.buffer);
  const ratio = found.length / data.length;
  const sizes = ratio > 1 ? [...shape, ratio] : ratio < 1 ? shape.slice(0, -1) : shape;
  return { type: to, shape: sizes, data: found };
}

/** Reduces one dimension: `outer` × `size` × `inner`. */
function reduce(op: string, { type, shape, data }: Tensor, axis: number): Tensor {
  const [start, fold] = folds[op] as (typeof folds)[string];
  const size = shape[axis] as number;
  const inner = product(shape.slice(axis + 1));
  const sizes = shape.filter((_, i) => i !== axis);
  const found = arrayOf(type, product(sizes)).fill(start);
  for (let i = 0; i < data.length; i++) {
    const to = Math.floor(i / (size * inner)) * inner + (i % inner);
    found[to] = fold(found[to] as number, data[i] as number);
  }
  return { type, shape: sizes, data: found };
}

function reshape({ type, data }: Tensor, sizes: readonly number[]): Tensor {
  const known = product(sizes.filter((size) => size >= 0));
  return { type, shape: sizes.map((size) => (size < 0 ? data.length / known : size)), data };
}

function unpack({ type, shape, data }: Tensor, axis: number): Tensor[] {
  const size = shape[axis] as number;
  const inner = product(shape.slice(axis + 1));
  const sizes = shape.filter((_, i) => i !== axis);
  return Array.from({ length: size }, (_, part) => {
    const found = arrayOf(type, data.length / size);
    for (let i = 0; i < found.length; i++) {
      found[i] = data[(Math.floor(i / inner) * size + part) * inner + (i % inner)] as number;
    }
    return { type, shape: sizes, data: found };
  });
}

/** Along a new first dimension. */
function pack(values: readonly Tensor[]): Tensor {
  const { type, shape } = values[0] as Tensor;
  const data = arrayOf(type, values.length * product(shape));
  for (const [i, each] of values.entries()) data.set(each.data, i * each.data.length);
  return { type, shape: [values.length, ...shape], data };
}

function everyRow({ type, shape, data }: Tensor, stride: number): Tensor {
  const [rows = 0, ...rest] = shape;
  const width = product(rest);
  const kept = Array.from({ length: Math.ceil(rows / stride) }, (_, i) => i * stride);
  const found = arrayOf(type, kept.length * width);
  for (const [i, row] of kept.entries()) {
    found.set(data.subarray(row * width, (row + 1) * width), i * width);
  }
  return { type, shape: [kept.length, ...rest], data: found };
}

function occurrences({ data }: Tensor, size: number): Tensor {
  const found = new Int32Array(size);
  for (const value of data) found[value] = (found[value] as number) + 1;
  return { type: 3, shape: [size], data: found };
}

function run({ op, attributes }: ReadNode, inputs: readonly Tensor[]): Tensor[] {
  const [first, second] = inputs as [Tensor, Tensor];
  const typeOf = (key: string) => attributes.get(key)?.type as number;
  const axis = attributes.get('axis')?.integer ?? 0;
  if (arithmetic[op]) return [combine(first.type, inputs, arithmetic[op])];
  if (comparisons[op]) return [combine(10, inputs, comparisons[op])];
  if (folds[op]) return [reduce(op, first, second.data[0] as number)];
  switch (op) {
    case 'Const': {
      const { type, shape, bytes } = attributes.get('value')?.tensor ?? { type: 0, shape: [] };
      return [{ type, shape, data: arrayOf(type, (bytes as Uint8Array).slice().buffer) }];
    }
    case 'SelectV2':
      return [combine(second.type, inputs, (condition, yes, no) => (condition ? yes : no))];
    case 'Cast':
      return [cast(first, typeOf('DstT'))];
    case 'Bitcast':
      return [bitcast(first, typeOf('type'))];
    case 'Reshape':
      return [reshape(first, [...second.data])];
    case 'Unpack':
      return unpack(first, axis);
    case 'Pack':
      return [pack(inputs)];
    case 'StridedSlice':
      return [everyRow(first, inputs[3]?.data[0] as number)];
    case 'DenseBincount':
      return [occurrences(first, second.data[0] as number)];
    default:
      throw new Error(`the interpreter does not know ${op}`);
  }
}

function evaluate(model: ReadModel, signature: string, inputs: Inputs): Outputs {
  const called = model.signatures.get(signature);
  if (!called) throw new Error(`no signature ${signature}`);
  const nodes = new Map(model.nodes.map((node) => [node.name, node]));
  const known = new Map<string, Tensor[]>();
  for (const [key, endpoint] of called.inputs) {
    const { words, shape } = inputs[key] as Inputs[string];
    known.set(endpoint.split(':')[0] as string, [{ type: 3, shape, data: words }]);
  }
  const resultOf = (ref: string): Tensor => {
    const [name = '', output = '0'] = ref.split(':');
    let found = known.get(name);
    if (!found) {
      const node = nodes.get(name) as ReadNode;
      found = run(node, node.inputs.map(resultOf));
      known.set(name, found);
    }
    return found[Number(output)] as Tensor;
  };
  return Object.fromEntries(
    [...called.outputs].map(([key, endpoint]) => [key, resultOf(endpoint).data as Int32Array]),
  );
}

/** A device that takes our models as TensorFlow does. */
export const interpreter: Device = {
  name: 'interpreter',
  isGpu: false,
  load: async (bytes, signature) => {
    const model = readSavedModel(bytes);
    return (inputs) => evaluate(model, signature, inputs);
  },
  tensors: () => 0,
};
