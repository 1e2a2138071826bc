/** Builds a graph of TensorFlow operations from expressions. */
import {
  type Attribute,
  encodeSavedModel,
  type NodeDefinition,
  type Shape,
  type Signature,
  type TypeName,
} from './saved-model.ts';

/** One output of a node. */
export interface Value {
  /** As inputs of other nodes name it. */
  readonly ref: string;
  readonly type: TypeName;
}

type Attributes = Readonly<Record<string, Attribute>>;

const binaryOps = {
  add: 'AddV2',
  sub: 'Sub',
  mul: 'Mul',
  div: 'RealDiv',
  min: 'Minimum',
  max: 'Maximum',
  bitAnd: 'BitwiseAnd',
  bitOr: 'BitwiseOr',
  shiftLeft: 'LeftShift',
} as const;

const unaryOps = { abs: 'Abs', sqrt: 'Sqrt', log: 'Log' } as const;

const reductions = { sum: 'Sum', least: 'Min', most: 'Max' } as const;

export class Graph {
  readonly #nodes: NodeDefinition[] = [];
  readonly #signatures: Record<string, Signature> = {};
  readonly #constants = new Map<string, Value>();

  /** An input, fed under its name in the signatures that list it. */
  input(name: string, type: TypeName, shape: Shape): Value {
    return this.#add('Placeholder', [], { dtype: { type }, shape: { shape } }, { type, name });
  }

  /** A float64 constant. */
  real(value: number): Value {
    return this.#constant('float64', [], Float64Array.of(value));
  }

  /** An int32 constant: a number, or a list of them. */
  integer(value: number | readonly number[]): Value {
    const shape = typeof value === 'number' ? [] : [value.length];
    return this.#constant('int32', shape, Int32Array.from([value].flat()));
  }

  /** Element by element, with broadcasting; both of one type. */
  calculate(op: keyof typeof binaryOps, left: Value, right: Value): Value {
    const { type } = left;
    return this.#add(binaryOps[op], [left, right], { T: { type } }, { type });
  }

  apply(op: keyof typeof unaryOps, value: Value): Value {
    const { type } = value;
    return this.#add(unaryOps[op], [value], { T: { type } }, { type });
  }

  compare(op: 'Less' | 'LessEqual' | 'Equal', left: Value, right: Value): Value {
    return this.#add(op, [left, right], { T: { type: left.type } }, { type: 'bool' });
  }

  both(left: Value, right: Value): Value {
    return this.#add('LogicalAnd', [left, right], {}, { type: 'bool' });
  }

  choose(condition: Value, left: Value, right: Value): Value {
    const { type } = left;
    return this.#add('SelectV2', [condition, left, right], { T: { type } }, { type });
  }

  cast(value: Value, type: TypeName): Value {
    const attributes = { SrcT: { type: value.type }, DstT: { type }, Truncate: { flag: false } };
    return this.#add('Cast', [value], attributes, { type });
  }

  /** The same bits; a type half as wide gets a new last dimension of 2, one twice as wide loses it. */
  bitcast(value: Value, type: TypeName): Value {
    return this.#add('Bitcast', [value], { T: { type: value.type }, type: { type } }, { type });
  }

  reshape(value: Value, shape: readonly number[]): Value {
    const { type } = value;
    const attributes = { T: { type }, Tshape: { type: 'int32' } } as const;
    return this.#add('Reshape', [value, this.integer(shape)], attributes, { type });
  }

  /** Reduces one dimension, or several. */
  reduce(op: keyof typeof reductions, value: Value, axis: number | readonly number[]): Value {
    const { type } = value;
    const attributes = {
      T: { type },
      Tidx: { type: 'int32' },
      keep_dims: { flag: false },
    } as const;
    return this.#add(reductions[op], [value, this.integer(axis)], attributes, { type });
  }

  /** How many of the last dimension hold, as float64. */
  count(condition: Value): Value {
    return this.reduce('sum', this.cast(condition, 'float64'), 1);
  }

  /** Joins values of one shape along a new dimension. */
  pack(values: readonly Value[], axis: number): Value {
    const { type } = values[0] as Value;
    const attributes = { N: { integer: values.length }, T: { type }, axis: { integer: axis } };
    return this.#add('Pack', values, attributes, { type });
  }

  /** Takes a dimension of size `count` apart. */
  unpack(value: Value, count: number, axis: number): Value[] {
    const { type } = value;
    const attributes = { num: { integer: count }, T: { type }, axis: { integer: axis } };
    const { ref } = this.#add('Unpack', [value], attributes, { type });
    return Array.from({ length: count }, (_, i) => ({ ref: i === 0 ? ref : `${ref}:${i}`, type }));
  }

  /** Every `stride`-th row; `stride` is an int32 of shape [1]. */
  everyRow(value: Value, stride: Value): Value {
    const zero = this.integer([0]);
    const mask = (bits: number) => ({ integer: bits });
    const attributes = {
      T: { type: value.type },
      Index: { type: 'int32' },
      begin_mask: mask(1),
      end_mask: mask(1),
      ellipsis_mask: mask(0),
      new_axis_mask: mask(0),
      shrink_axis_mask: mask(0),
    } as const;
    return this.#add('StridedSlice', [value, zero, zero, stride], attributes, value);
  }

  /** How often each of 0 … `size` − 1 occurs, as int32; `value` is an int32 of one dimension. */
  occurrences(value: Value, size: number): Value {
    const noWeights = this.#constant('int32', [0], new Int32Array());
    const attributes = {
      Tidx: { type: 'int32' },
      T: { type: 'int32' },
      binary_output: { flag: false },
    } as const;
    const inputs = [value, this.integer(size), noWeights];
    return this.#add('DenseBincount', inputs, attributes, { type: 'int32' });
  }

  /** float64 as pairs of int32: what may leave a model. */
  asWords(value: Value): Value {
    return this.bitcast(value, 'int32');
  }

  /** Makes a part of the graph callable. */
  sign(
    name: string,
    inputs: Readonly<Record<string, Value>>,
    outputs: Readonly<Record<string, Value>>,
  ): void {
    const ends = (values: Readonly<Record<string, Value>>) =>
      Object.fromEntries(
        Object.entries(values).map(([key, { ref, type }]) => [key, { node: ref, type }]),
      );
    this.#signatures[name] = { inputs: ends(inputs), outputs: ends(outputs) };
  }

  /** The bytes of `saved_model.pb`. */
  encode(): Uint8Array {
    return encodeSavedModel({ nodes: this.#nodes, signatures: this.#signatures });
  }

  #constant(type: TypeName, shape: Shape, values: Float64Array | Int32Array): Value {
    const key = `${type} ${shape} ${[...values].map((each) => (Object.is(each, -0) ? '-0' : each))}`;
    const known = this.#constants.get(key);
    if (known) return known;
    const data = new Uint8Array(values.buffer);
    const attributes = { dtype: { type }, value: { tensor: { type, shape, data } } };
    const value = this.#add('Const', [], attributes, { type });
    this.#constants.set(key, value);
    return value;
  }

  #add(
    op: string,
    inputs: readonly Value[],
    attributes: Attributes,
    { type, name = `${op}_${this.#nodes.length}` }: { type: TypeName; name?: string },
  ): Value {
    const refs = inputs.map(({ ref }) => ref);
    this.#nodes.push({ name, op, inputs: refs, attributes });
    return { ref: name, type };
  }
}
