/** Reads a SavedModel back, by the field numbers of TensorFlow's .proto files. */
import { wireFields } from '../../../src/formats/protobuf.ts';

export interface ReadAttribute {
  readonly integer?: number;
  readonly type?: number;
  readonly tensor?: { readonly type: number; readonly shape: number[]; readonly bytes: Uint8Array };
}

export interface ReadNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly attributes: ReadonlyMap<string, ReadAttribute>;
}

export interface ReadSignature {
  /** `name:0` by key. */
  readonly inputs: ReadonlyMap<string, string>;
  readonly outputs: ReadonlyMap<string, string>;
}

export interface ReadModel {
  readonly schema: number;
  readonly tags: readonly string[];
  readonly nodes: readonly ReadNode[];
  readonly signatures: ReadonlyMap<string, ReadSignature>;
}

const text = new TextDecoder();

function parts(bytes: Uint8Array, number: number): Uint8Array[] {
  return [...wireFields(bytes)].flatMap((field) =>
    field.kind === 'bytes' && field.number === number ? [field.bytes] : [],
  );
}

function numbers(bytes: Uint8Array, number: number): number[] {
  return [...wireFields(bytes)].flatMap((field) =>
    field.kind === 'varint' && field.number === number
      ? [Number(BigInt.asIntN(64, field.value))]
      : [],
  );
}

const one = (bytes: Uint8Array, number: number) => parts(bytes, number)[0] ?? new Uint8Array();
const name = (bytes: Uint8Array, number: number) => text.decode(one(bytes, number));

function map<T>(entries: readonly Uint8Array[], read: (value: Uint8Array) => T): Map<string, T> {
  return new Map(entries.map((entry) => [name(entry, 1), read(one(entry, 2))]));
}

function readAttribute(bytes: Uint8Array): ReadAttribute {
  const [integer] = numbers(bytes, 3);
  const [type] = numbers(bytes, 6);
  const [tensor] = parts(bytes, 8);
  return {
    ...(integer === undefined ? {} : { integer }),
    ...(type === undefined ? {} : { type }),
    ...(tensor
      ? {
          tensor: {
            type: numbers(tensor, 1)[0] ?? 0,
            shape: parts(one(tensor, 2), 2).map((size) => numbers(size, 1)[0] ?? 0),
            bytes: one(tensor, 4),
          },
        }
      : {}),
  };
}

function readNode(bytes: Uint8Array): ReadNode {
  return {
    name: name(bytes, 1),
    op: name(bytes, 2),
    inputs: parts(bytes, 3).map((each) => text.decode(each)),
    attributes: map(parts(bytes, 5), readAttribute),
  };
}

function readSignature(bytes: Uint8Array): ReadSignature {
  const endpoint = (each: Uint8Array) => name(each, 1);
  return { inputs: map(parts(bytes, 1), endpoint), outputs: map(parts(bytes, 2), endpoint) };
}

export function readSavedModel(bytes: Uint8Array): ReadModel {
  const metaGraph = one(bytes, 2);
  return {
    schema: numbers(bytes, 1)[0] ?? 0,
    tags: parts(one(metaGraph, 1), 4).map((each) => text.decode(each)),
    nodes: parts(one(metaGraph, 2), 1).map(readNode),
    signatures: map(parts(metaGraph, 5), readSignature),
  };
}
