/**
 * Writes TensorFlow's SavedModel: a graph of named operations and the signatures by which it is
 * called. Message and field numbers are those of TensorFlow's public .proto files.
 */

/** TensorFlow's numbers of the types that our graphs use. */
export const types = {
  float32: 1,
  float64: 2,
  int32: 3,
  bool: 10,
  bfloat16: 14,
  uint16: 17,
  float16: 19,
} as const;
export type TypeName = keyof typeof types;

/** Sizes; −1 is unknown until it runs. */
export type Shape = readonly number[];

export type Attribute =
  | { readonly type: TypeName }
  | { readonly flag: boolean }
  | { readonly integer: number }
  | { readonly shape: Shape }
  | { readonly tensor: { readonly type: TypeName; readonly shape: Shape; readonly data: Bytes } };

type Bytes = Uint8Array;

export interface NodeDefinition {
  readonly name: string;
  readonly op: string;
  /** `name`, or `name:1` for a further output. */
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** What a signature calls by name: the node and the type of its first output. */
export interface Endpoint {
  readonly node: string;
  readonly type: TypeName;
}

export interface Signature {
  readonly inputs: Readonly<Record<string, Endpoint>>;
  readonly outputs: Readonly<Record<string, Endpoint>>;
}

export interface Model {
  readonly nodes: readonly NodeDefinition[];
  readonly signatures: Readonly<Record<string, Signature>>;
}

const text = new TextEncoder();

/** The version of the graph's format that TensorFlow 2.16 introduced; 2.x reads older and newer. */
const producer = 1087;

function concat(...parts: readonly Bytes[]): Bytes {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Seven bits a byte, lowest first; negative numbers as 64 bits of two's complement. */
function varint(value: number): Bytes {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest > 0n ? low | 128 : low);
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

function integer(field: number, value: number): Bytes {
  return concat(varint(field * 8), varint(value));
}

function bytes(field: number, value: Bytes): Bytes {
  return concat(varint(field * 8 + 2), varint(value.length), value);
}

function string(field: number, value: string): Bytes {
  return bytes(field, text.encode(value));
}

/** One entry of a map. */
function entry(field: number, key: string, value: Bytes): Bytes {
  return bytes(field, concat(string(1, key), bytes(2, value)));
}

function shapeBytes(shape: Shape): Bytes {
  return concat(...shape.map((size) => bytes(2, integer(1, size))));
}

function attributeBytes(attribute: Attribute): Bytes {
  if ('integer' in attribute) return integer(3, attribute.integer);
  if ('flag' in attribute) return integer(5, attribute.flag ? 1 : 0);
  if ('type' in attribute) return integer(6, types[attribute.type]);
  if ('shape' in attribute) return bytes(7, shapeBytes(attribute.shape));
  const { type, shape, data } = attribute.tensor;
  return bytes(8, concat(integer(1, types[type]), bytes(2, shapeBytes(shape)), bytes(4, data)));
}

function nodeBytes({ name, op, inputs, attributes }: NodeDefinition): Bytes {
  return concat(
    string(1, name),
    string(2, op),
    ...inputs.map((input) => string(3, input)),
    ...Object.entries(attributes).map(([key, value]) => entry(5, key, attributeBytes(value))),
  );
}

function endpointBytes({ node, type }: Endpoint): Bytes {
  const unknownShape = integer(3, 1);
  return concat(string(1, `${node}:0`), integer(2, types[type]), bytes(3, unknownShape));
}

function signatureBytes({ inputs, outputs }: Signature): Bytes {
  const ends = (field: number, endpoints: Signature['inputs']) =>
    Object.entries(endpoints).map(([key, each]) => entry(field, key, endpointBytes(each)));
  return concat(...ends(1, inputs), ...ends(2, outputs), string(3, 'tensorflow/serving/predict'));
}

/** The bytes of `saved_model.pb`; the same for the same model. */
export function encodeSavedModel({ nodes, signatures }: Model): Uint8Array {
  const graph = concat(
    ...nodes.map((node) => bytes(1, nodeBytes(node))),
    bytes(4, integer(1, producer)),
  );
  const metaGraph = concat(
    bytes(1, string(4, 'serve')),
    bytes(2, graph),
    ...Object.entries(signatures).map(([key, each]) => entry(5, key, signatureBytes(each))),
  );
  return concat(integer(1, 1), bytes(2, metaGraph));
}
